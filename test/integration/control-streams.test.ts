/**
 * Streams of a control server over real HTTP: they end on both sides, wait for their reader, and leave room for calls.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { until } from '../fake-clock.ts'
import { type ControlWorld, startControl } from './control-world.ts'

describe('a stream', () => {
  test('brings items as they happen, and ends at the node when its reader leaves', async () => {
    const { client, watchers } = await startControl()
    const heights: number[] = []
    for await (const { height, supply } of client.stream('dllm_watchHeads', { fromHeight: 7 })) {
      expect(supply).toBe('1000000000000000000')
      heights.push(height)
      if (height === 9) break
      for (const watcher of watchers) watcher.push({ height: height + 1, supply: 10n ** 18n })
    }
    expect(heights).toEqual([7, 8, 9])
    await until(() => watchers.size === 0, 'the node noticed')
  })

  test('ends when the node ends it', async () => {
    const { client, watchers } = await startControl()
    const heights: number[] = []
    for await (const { height } of client.stream('dllm_watchHeads', { fromHeight: 7 })) {
      heights.push(height)
      for (const watcher of watchers) watcher.end()
    }
    expect(heights).toEqual([7])
  })

  test('that is aborted throws the reason', async () => {
    const { client, watchers } = await startControl()
    const controller = new AbortController()
    const reason = new Error('enough')
    const read = readAll(client.stream('dllm_watchHeads', { fromHeight: 7 }, controller.signal))
    await until(() => watchers.size === 1, 'the stream is open')
    controller.abort(reason)
    await expect(read).rejects.toBe(reason)
    await until(() => watchers.size === 0, 'the node noticed')
  })

  test('with wrong parameters fails as a call does', async () => {
    const { client } = await startControl()
    const read = readAll(client.stream('dllm_watchHeads', { fromHeight: -1 }))
    await expect(read).rejects.toMatchObject({ code: 'PARAM_BAD', details: { param: 'fromHeight' } })
  })

  test('that outruns its reader waits for it', async () => {
    const world = await startControl()
    const iterator = world.client.stream('dllm_flood', {})[Symbol.asyncIterator]()
    await iterator.next()
    const made = await settledFloods(world)
    expect(made).toBeLessThan(1_000)
    for (let count = 0; count < made + 10; count++) expect((await iterator.next()).done).toBe(false)
    await iterator.return?.()
    await until(() => world.floodsEnded() === 1, 'the source ended')
  })

  test('whose reader takes nothing for too long is cut off', async () => {
    const world = await startControl()
    const iterator = world.client.stream('dllm_flood', {})[Symbol.asyncIterator]()
    await iterator.next()
    await until(() => {
      world.clock.advance(15_000)
      return world.floodsEnded() === 1
    }, 'the node gave up')
    const rest = async (): Promise<void> => {
      while (!(await iterator.next()).done);
    }
    await expect(rest()).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE' })
  })

  test('leaves room for calls', async () => {
    const { client, watchers } = await startControl({ limits: { streamsMax: 1 } })
    const controller = new AbortController()
    const read = readAll(client.stream('dllm_watchHeads', { fromHeight: 1 }, controller.signal))
    await until(() => watchers.size === 1, 'the first stream is open')
    const second = readAll(client.stream('dllm_watchHeads', { fromHeight: 1 }))
    await expect(second).rejects.toMatchObject({ code: 'CONTROL_BUSY' })
    await until(() => watchers.size === 1, 'the second one is gone')
    await expect(client.call('dllm_echo', { text: 'a' })).resolves.toEqual({ text: 'a' })
    controller.abort()
    await expect(read).rejects.toMatchObject({ name: 'AbortError' })
  })
})

async function readAll(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _item of items);
}

/** Items made until the buffers of both ends and of the system are full and nothing more is made. */
async function settledFloods(world: ControlWorld): Promise<number> {
  let before = -1
  while (world.floods() !== before) {
    before = world.floods()
    for (let turn = 0; turn < 2_000; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  return before
}
