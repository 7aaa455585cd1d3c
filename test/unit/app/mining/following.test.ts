/** How a miner follows a chain that may go away: its duties, its idle minutes, and a node that is started again. */
import { describe, expect, test } from 'vitest'
import type { ChainAccess, HeadView } from '../../../../src/app/chain/chain-access.ts'
import { controlError } from '../../../../src/app/control/control-errors.ts'
import type { Duty, MiningEvent } from '../../../../src/app/mining/duty.ts'
import { tellIdleMinutes } from '../../../../src/app/mining/idle.ts'
import type { IdleFacts } from '../../../../src/app/mining/idle-words.ts'
import { createLastingChain } from '../../../../src/app/mining/lasting-chain.ts'
import { hasCaughtUp } from '../../../../src/app/mining/own-node.ts'
import { runDuties } from '../../../../src/app/mining/run-duties.ts'
import { RingError } from '../../../../src/app/ring/ring-error.ts'
import { createFakeClock, until } from '../../../fake-clock.ts'
import { head, model, placement, sight } from './views.ts'

const log = { write: () => undefined }

/** A chain whose blocks are made by the test; `end` ends its streams. */
function handChain() {
  let wake: (() => void) | undefined
  const heads: (HeadView | Error)[] = []
  const put = (next: HeadView | Error): void => {
    heads.push(next)
    wake?.()
  }
  const chain: Partial<ChainAccess> = {
    network: head(0),
    async *watch(signal) {
      signal.addEventListener('abort', () => wake?.())
      for (;;) {
        const next = heads.shift()
        if (next instanceof Error) throw next
        if (next !== undefined) yield next
        else if (signal.aborted) return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
  return { chain: chain as ChainAccess, put }
}

describe('duties', () => {
  function run(look: Duty['look']) {
    const events: MiningEvent[] = []
    const { chain, put } = handChain()
    const clock = createFakeClock()
    const ending = new AbortController()
    let lost = 0
    const running = runDuties(
      { chain, duties: [{ name: 'test', look }], onHead: () => undefined, onLost: () => lost++ },
      { clock, log, notes: { say: (event) => void events.push(event) } },
      ending.signal,
    )
    const end = async (): Promise<void> => {
      ending.abort()
      await running
    }
    return { events, put, clock, end, lost: () => lost }
  }

  test('look once at a time, and at the newest block when they are done', async () => {
    const seen: number[] = []
    let release: (() => void) | undefined
    const world = run(async ({ height }) => {
      seen.push(height)
      await new Promise<void>((resolve) => (release = resolve))
    })
    world.put(head(1))
    await until(() => seen.length === 1, 'the first look')
    for (const height of [2, 3, 4]) world.put(head(height))
    // The blocks are taken in while the look lasts.
    await new Promise((resolve) => setImmediate(resolve))
    release?.()
    await until(() => seen.length === 2, 'the second look')
    expect(seen).toEqual([1, 4])
    release?.()
    await world.end()
  })

  test('that fail are told once, and again after they have worked', async () => {
    const answers = ['RING_BUSY', 'RING_BUSY', undefined, 'RING_BUSY']
    let looks = 0
    const world = run(async () => {
      if (answers[looks++] !== undefined) throw new RingError('RING_BUSY', 'Too much.')
    })
    for (let height = 1; height <= answers.length; height++) {
      world.put(head(height))
      await until(() => looks === height, `look ${height}`)
    }
    await until(() => world.events.length === 2, 'both are told')
    expect(world.events[0]).toEqual({
      ...{ type: 'problem', text: 'test: Too much. (RING_BUSY)', details: { duty: 'test', code: 'RING_BUSY' } },
    })
    await world.end()
  })

  test('go on when the chain was away', async () => {
    const seen: number[] = []
    const world = run(async ({ height }) => void seen.push(height))
    world.put(controlError('CONTROL_UNREACHABLE'))
    await until(() => world.lost() === 1, 'it is lost')
    world.put(head(7))
    world.clock.advance(1_000)
    await until(() => seen.length === 1, 'it is back')
    expect(seen).toEqual([7])
    await world.end()
  })
})

test('a minute without a step is told with its reason, one with steps is not', async () => {
  const clock = createFakeClock()
  const events: MiningEvent[] = []
  const ending = new AbortController()
  let steps = 5
  const facts: IdleFacts = {
    ...{
      sight: sight({ model: model() }),
      blockAgeMs: 0,
      mode: 'pause',
      hindrance: undefined,
      isOutrun: false,
      noPlace: undefined,
    },
    ...{ placement: placement(), bid: 0n, demand: { opened: 0, won: 0 }, demandBlocks: 300, sessions: 0 },
  }
  const telling = tellIdleMinutes(
    { notes: { say: (event) => void events.push(event) }, clock, steps: () => steps, facts: async () => [facts] },
    ending.signal,
  )
  const minute = async (): Promise<void> => {
    clock.advance(60_000)
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  await minute()
  expect(events.map(({ details }) => details)).toEqual([{ reason: 'paused' }])
  steps++
  await minute()
  expect(events).toHaveLength(1)
  await minute()
  expect(events).toHaveLength(2)
  ending.abort()
  await telling
})

describe('a chain that lasts', () => {
  const answering = (height: number): ChainAccess =>
    ({
      ...{ source: 'node', network: head(0), close: async () => undefined },
      head: async () => head(height),
      market: { models: async () => [model({ context: height })] },
    }) as unknown as ChainAccess
  const broken = (code: 'CONTROL_UNREACHABLE' | 'CONTROL_BUSY'): ChainAccess => ({
    ...answering(1),
    head: async () => {
      throw controlError(code)
    },
  })

  test('asks the node that runs after the first one ended', async () => {
    let opened = 0
    const chain = createLastingChain(broken('CONTROL_UNREACHABLE'), async () => answering(++opened + 1))
    await expect(chain.head()).rejects.toMatchObject({ code: 'CONTROL_UNREACHABLE' })
    expect(opened).toBe(0)
    expect(await chain.head()).toMatchObject({ height: 2 })
    expect(await chain.market.models()).toMatchObject([{ context: 2 }])
    expect(opened).toBe(1)
  })

  test('stays with a node that refuses', async () => {
    const chain = createLastingChain(broken('CONTROL_BUSY'), async () => answering(2))
    await expect(chain.head()).rejects.toMatchObject({ code: 'CONTROL_BUSY' })
    await expect(chain.head()).rejects.toMatchObject({ code: 'CONTROL_BUSY' })
  })

  test('is opened once for all who ask, and again when that failed', async () => {
    let opened = 0
    const chain = createLastingChain(broken('CONTROL_UNREACHABLE'), async () => {
      opened++
      if (opened === 1) throw controlError('CONTROL_UNREACHABLE')
      return answering(3)
    })
    await expect(chain.head()).rejects.toThrow()
    await Promise.allSettled([chain.head(), chain.head()])
    expect(opened).toBe(1)
    const both = await Promise.all([chain.head(), chain.market.models()])
    expect(both).toMatchObject([{ height: 3 }, [{ context: 3 }]])
    expect(opened).toBe(2)
  })
})

test.each([
  ['is behind', { syncing: true, timeMs: 100_000, peers: 3 }, 0, false],
  ['has a block of now', { syncing: false, timeMs: 90_000, peers: 0 }, 0, true],
  ['has met nobody yet', { syncing: false, timeMs: 0, peers: 0 }, 60_000, false],
  ['has met somebody just now', { syncing: false, timeMs: 0, peers: 1 }, 20_000, false],
  ['has a chain that stands still', { syncing: false, timeMs: 0, peers: 1 }, 20_001, true],
] as const)('a node that %s has caught up: %#', (_case, status, waitedMs, expected) => {
  expect(hasCaughtUp(status, { nowMs: 100_000, waitedMs })).toBe(expected)
})
