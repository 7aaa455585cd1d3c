/**
 * A control client and a control server over real HTTP: calls, streams, failures with their codes, and a stop in the
 * middle of everything.
 * @module
 */
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectToNode } from '../../src/app/control/connect.ts'
import { createControlClient } from '../../src/app/control/control-client.ts'
import { exitCodeOf } from '../../src/app/exit-codes.ts'
import { grains } from '../../src/base/brand.ts'
import { until } from '../fake-clock.ts'
import { startControl, type TestMethods } from './control-world.ts'

describe('a call', () => {
  test('brings amounts there and back to the last grain', async () => {
    const { client } = await startControl()
    const answer = await client.call('dllm_double', { amount: grains(9_007_199_254_740_993n) })
    expect(answer).toEqual({ amount: '18014398509481986' })
  })

  test('may be one of many at once', async () => {
    const { client } = await startControl({ limits: { requestsMax: 100, connectionsMax: 100 } })
    const texts = Array.from({ length: 300 }, (_, index) => `text ${index}`)
    const answers = await Promise.all(texts.map((text) => client.call('dllm_echo', { text })))
    expect(answers.map(({ text }) => text)).toEqual(texts)
  })

  test('brings a large text whole', async () => {
    const { client } = await startControl()
    const text = 'ß'.repeat(500_000)
    expect((await client.call('dllm_echo', { text })).text === text).toBe(true)
  })

  test('that the node refuses fails with the node’s code, sentence and details', async () => {
    const { client } = await startControl()
    const failure = await client.call('dllm_refuse', {}).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'INSUFFICIENT_FUNDS', details: { missing: '5' } })
    expect(failure).toMatchObject({ message: 'There is too little. Add some.' })
  })

  test('with wrong parameters names the one that is wrong', async () => {
    const { client } = await startControl()
    const wrong = { text: 5 } as unknown as { text: string }
    await expect(client.call('dllm_echo', wrong)).rejects.toMatchObject({
      code: 'PARAM_BAD',
      details: { param: 'text' },
    })
  })

  test('of a method that the node does not have says so', async () => {
    const { client } = await startControl()
    const unknown = 'dllm_mine' as 'dllm_echo'
    await expect(client.call(unknown, { text: '' })).rejects.toMatchObject({ code: 'CONTROL_METHOD_UNKNOWN' })
  })

  test('that finds a bug tells the node where, and nobody what', async () => {
    const { client, log, bugs } = await startControl()
    const failure = await client.call('dllm_break', { secret: 'hunter2' }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'CONTROL_NODE_BUG' })
    expect(bugs).toMatchObject([{ message: 'no hunter2' }])
    expect(log.filter((line) => line.includes('control.bug'))).toEqual([expect.stringContaining('control-world.ts')])
    expect(log.join('') + JSON.stringify(failure)).not.toContain('hunter2')
  })

  test('that is given up ends at the node too', async () => {
    const { client, begun, reasons } = await startControl()
    const controller = new AbortController()
    const call = client.call('dllm_wait', {}, controller.signal)
    await until(() => begun.length === 1, 'the call has begun')
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(call).rejects.toBe(reason)
    await until(() => reasons.length === 1, 'the node noticed')
    expect(reasons).toMatchObject([{ code: 'CONTROL_DISCONNECTED' }])
  })

  test('with a signal that has fired sends nothing', async () => {
    const { client, begun } = await startControl()
    const reason = new Error('enough')
    await expect(client.call('dllm_wait', {}, AbortSignal.abort(reason))).rejects.toBe(reason)
    expect(begun).toEqual([])
  })

  test('with the cookie of an earlier run is refused', async () => {
    const { file } = await startControl()
    const client = createControlClient<TestMethods>({ endpoint: file, cookie: 'f'.repeat(64) })
    const failure = await client.call('dllm_echo', { text: '' }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'CONTROL_UNAUTHORIZED' })
    expect(exitCodeOf('CONTROL_UNAUTHORIZED')).toBe(4)
  })

  test('that nobody answers in time fails', async () => {
    const { file, cookie } = await startControl()
    const client = createControlClient<TestMethods>({ endpoint: file, cookie, callIdleMs: 50 })
    await expect(client.call('dllm_hang', {})).rejects.toMatchObject({ code: 'CONTROL_TIMEOUT' })
  })
})

describe('a stop', () => {
  test('tells calls that wait, lets calls finish, ends streams with the reason, and removes the files', async () => {
    const world = await startControl()
    const { client, begun, watchers } = world
    const waiting = client.call('dllm_wait', {})
    const finishing = client.call('dllm_finish', {})
    const stream = readAll(client.stream('dllm_watchHeads', { fromHeight: 1 }))
    const outcome = Promise.allSettled([waiting, finishing, stream])
    await until(() => begun.length === 2 && watchers.size === 1, 'all have begun')
    const stopped = world.server.stop()
    await until(() => world.reasons.length === 1, 'the call that waits is told')
    expect(existsSync(join(world.folder, 'node.json'))).toBe(false)
    await expect(client.call('dllm_echo', { text: '' })).rejects.toMatchObject({
      code: expect.stringMatching(/CONTROL_(UNREACHABLE|STOPPING)/),
    })
    world.finish()
    await stopped
    expect(await outcome).toMatchObject([
      { reason: { code: 'CONTROL_STOPPING' } },
      { value: { done: true } },
      { reason: { code: 'CONTROL_STOPPING' } },
    ])
    expect(existsSync(join(world.folder, 'control.cookie'))).toBe(false)
    await expect(connectToNode(world.folder)).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING' })
  })

  test('does not wait for ever for a call that hangs', async () => {
    const world = await startControl()
    const hanging = world.client.call('dllm_hang', {}).catch((error: unknown) => error)
    await until(() => world.begun.length === 1, 'the call hangs')
    const stopped = world.server.stop()
    let isStopped = false
    const onStopped = stopped.then(() => {
      isStopped = true
    })
    await until(() => {
      world.clock.advance(5_000)
      return isStopped
    }, 'the server gave up waiting')
    await onStopped
    expect(await hanging).toMatchObject({ code: 'CONTROL_UNREACHABLE' })
  })

  test('may come twice, before the start and never', async () => {
    const world = await startControl()
    await Promise.all([world.server.stop(), world.server.stop()])
    await world.server.stop()
    await expect(world.client.call('dllm_echo', { text: '' })).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE' })
    expect(exitCodeOf('CONTROL_UNREACHABLE')).toBe(3)
  })
})

describe('the files', () => {
  test('are private, and say where the node is', async () => {
    const { folder, file, cookie } = await startControl()
    for (const name of ['node.json', 'control.cookie']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(join(folder, 'node.json'), 'utf8'))).toEqual({
      version: 1,
      pid: process.pid,
      port: file.port,
      network: 'lab',
      startedMs: file.startedMs,
    })
    expect(cookie).toMatch(/^[0-9a-f]{64}$/)
  })

  test('of two servers do not meet', async () => {
    const [one, two] = [await startControl(), await startControl()]
    expect(one.file.port).not.toBe(two.file.port)
    await one.server.stop()
    await expect(two.client.call('dllm_echo', { text: 'b' })).resolves.toEqual({ text: 'b' })
  })
})

describe('something else on the port', () => {
  test.each([
    ['a page', '<html></html>', 'text/html'],
    ['another JSON', '{"ok":true}', 'application/json'],
    ['the answer to another call', '{"jsonrpc":"2.0","result":1,"id":2}', 'application/json'],
    ['an error that is none', '{"jsonrpc":"2.0","error":7,"id":1}', 'application/json'],
    ['lines that are no JSON', 'hello\n', 'application/x-ndjson'],
    ['lines of another kind', '{"hello":1}\n', 'application/x-ndjson'],
  ])('is not taken for a node: %s', async (_case, body, type) => {
    const client = await clientOf(body, type)
    await expect(client.call('dllm_echo', { text: '' })).rejects.toMatchObject({ code: 'CONTROL_BAD_REPLY' })
    const read = readAll(client.stream('dllm_flood', {}))
    await expect(read).rejects.toMatchObject({ code: 'CONTROL_BAD_REPLY' })
  })

  test('that cuts a stream short is noticed', async () => {
    const client = await clientOf('{"item":1}\n{"item":2', 'application/x-ndjson')
    await expect(readAll(client.stream('dllm_flood', {}))).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE' })
  })
})

async function readAll(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _item of items);
}

/** A client of a server that says `body` to everything. */
async function clientOf(body: string, type: string): Promise<ReturnType<typeof createControlClient<TestMethods>>> {
  const impostor = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': type, connection: 'close' }).end(body)
  })
  impostor.listen(0, '127.0.0.1')
  await once(impostor, 'listening')
  onTestFinished(() => {
    impostor.close()
  })
  const { port } = impostor.address() as AddressInfo
  return createControlClient<TestMethods>({ endpoint: { port }, cookie: 'f'.repeat(64) })
}
