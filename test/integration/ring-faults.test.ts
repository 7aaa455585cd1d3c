import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { codeOf, HouseError } from '../../src/base/error.ts'
import { DEADLINES, SESSION_LIMITS } from '../../src/base/limits.ts'
import { until } from '../fake-clock.ts'
import { CONFIG, createFaultWorld, expectedTokens, type FaultWorld, PROMPT, SETTINGS } from './fault-world.ts'
import { collect } from './ring-world.ts'

let expected: number[]
let world: FaultWorld
let session: RingSession

beforeAll(async () => {
  expected = await expectedTokens()
})
beforeEach(async () => {
  world = await createFaultWorld()
  session = await world.open(CONFIG.contextLength)
})
afterEach(async () => {
  await session.close()
  await world.close()
})

const generation = SETTINGS

/** The error that a turn ends with. */
async function failureOf(turn: Promise<unknown>): Promise<HouseError> {
  const error = await turn.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof HouseError) return error
  throw new Error(`not a coded failure: ${String(error)}`)
}

describe('a client that cancels', () => {
  test.each([1, 2, 7, 30])('during the prefill, at run %i, goes on with the same tokens', async (atRun) => {
    const controller = new AbortController()
    let runs = 0
    world.onRun = () => {
      if (++runs === atRun) controller.abort(new Error('enough'))
    }
    const turn = collect(session, PROMPT, { generation, chunkTokens: 2, signal: controller.signal })
    await expect(turn).rejects.toThrow('enough')
    expect(session.tokens).toEqual(PROMPT)
    expect((await collect(session, [], { generation })).tokens).toEqual(expected)
  })

  test.each([1, 2, 5])('after %i tokens goes on with the same tokens', async (wanted) => {
    const tokens: number[] = []
    for await (const event of session.generate(PROMPT, { generation })) {
      if (event.type === 'token') tokens.push(event.token)
      if (tokens.length === wanted) break
    }
    expect(tokens).toEqual(expected.slice(0, wanted))
    const rest = await collect(session, [], { generation: { ...generation, maxTokens: expected.length - wanted } })
    expect([...tokens, ...rest.tokens]).toEqual(expected)
  })

  test('before its prompt has begun, may wait as long as it likes', async () => {
    const controller = new AbortController()
    const gate = Promise.withResolvers<void>()
    world.onRun = () => gate.promise
    const first = collect(session, PROMPT, { generation, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    const second = new AbortController()
    const turn = collect(session, [], { generation, signal: second.signal })
    second.abort(new Error('enough'))
    await expect(turn).rejects.toThrow('enough')
    gate.resolve()
    await session.statistics()
    world.clock.advance(DEADLINES.decodeStepMs + DEADLINES.prefillChunkMs)
    expect(world.sessions()).toEqual([1, 1, 1])
    expect((await collect(session, [], { generation })).tokens).toEqual(expected)
  })

  test('and rewinds gets the same tokens again', async () => {
    expect((await collect(session, PROMPT, { generation })).tokens).toEqual(expected)
    session.rewind(PROMPT.length - 1)
    expect((await collect(session, PROMPT.slice(-1), { generation })).tokens).toEqual(expected)
    session.rewind(0)
    expect((await collect(session, PROMPT, { generation })).tokens).toEqual(expected)
  })
})

describe('a stage that dies', () => {
  test.each([
    [1, 1],
    [2, 1],
    [3, 1],
    [1, 4],
    [2, 4],
    [3, 4],
  ])('at place %i, before its run %i, ends the answer and frees the others', async (place, atRun) => {
    const index = place - 1
    const { wire } = world.miners[index]!
    world.onRun = (miner, run) => {
      if (miner === index && run === atRun) world.network.kill(wire.peer)
    }
    const error = await failureOf(collect(session, PROMPT, { generation, chunkTokens: 8 }))
    expect(['RING_STAGE_LOST', 'RING_STAGE_FAILED']).toContain(error.code)
    expect(error.message).toMatch(new RegExp(`stage ${place}`, 'i'))
    await world.allFree()
  })

  test('while nobody asks it anything, is noticed at the next turn', async () => {
    await collect(session, PROMPT, { generation })
    world.network.kill(world.miners[1]!.wire.peer)
    await world.allFree()
    const error = await failureOf(collect(session, [1], { generation }))
    expect(error.message).toMatch(/stage 2/i)
  })

  test('before the session opens, leaves nothing open at the others', async () => {
    world.network.kill(world.miners[2]!.wire.peer)
    await world.allFree()
    await expect(world.open(16)).rejects.toMatchObject({ code: 'WIRE_PEER_UNREACHABLE' })
    await world.allFree()
  })

  test('with the client gone, frees every session', async () => {
    world.network.kill(world.client.peer)
    await world.allFree()
  })
})

describe('a stage that falls silent', () => {
  test.each([
    [1, 2],
    [2, 3],
    [3, 1],
  ])('between stage %i and stage %i, is given up at the step deadline', async (from, to) => {
    const [first, second] = [world.miners[from - 1]!.wire.peer, world.miners[to - 1]!.wire.peer]
    let received = 0
    const turn = (async () => {
      for await (const event of session.generate(PROMPT, { generation })) {
        if (event.type === 'token' && ++received === 2) world.network.hold(first, second)
      }
    })()
    const failed = failureOf(turn)
    await until(() => received >= 2, 'the ring is held')
    await world.allIdle()
    world.clock.advance(DEADLINES.decodeStepMs)
    const error = await failed
    expect(error.details).toMatchObject({ stage: 1, stageCode: 'RING_STEP_DEADLINE' })
    world.network.release(first, second)
    await session.close()
    await world.allFree()
    await world.stillServes()
  })

  test('towards the client, is given up by the client', async () => {
    for (const { wire } of world.miners) world.network.hold(wire.peer, world.client.peer)
    const failed = failureOf(collect(session, PROMPT, { generation }))
    world.clock.advance(2 * DEADLINES.decodeStepMs + DEADLINES.prefillChunkMs)
    expect(codeOf(await failed)).toBe('RING_STEP_DEADLINE')
    for (const { wire } of world.miners) world.network.release(wire.peer, world.client.peer)
  })

  test('while a session opens, is given up and freed', async () => {
    const [, second, third] = world.miners.map(({ wire }) => wire.peer)
    world.network.hold(second!, third!)
    const opening = failureOf(world.open(16))
    await until(() => world.sessions()[0] === 2, 'the session waits')
    await world.allIdle()
    world.clock.advance(DEADLINES.openSessionMs)
    expect(['RING_STEP_DEADLINE', 'RING_STAGE_FAILED']).toContain((await opening).code)
    world.network.release(second!, third!)
    await until(() => world.sessions().every((count) => count === 1), 'only the first session is left')
  })
})

test('a session that nobody uses is ended, and its client told why at the next turn', async () => {
  await collect(session, PROMPT, { generation })
  world.clock.advance(SESSION_LIMITS.idleMsMax - 1)
  expect(world.sessions()).toEqual([1, 1, 1])
  world.clock.advance(1)
  await world.allFree()
  const error = await failureOf(collect(session, [1], { generation }))
  expect(error.details).toMatchObject({ stageCode: 'RING_SESSION_IDLE' })
  await world.stillServes()
})

test('an answer that takes longer than the idle time is not idle', async () => {
  const single = await createFaultWorld([3])
  const slow = await single.open(CONFIG.contextLength)
  const stepMs = 0.8 * DEADLINES.decodeStepMs
  single.onRun = () => single.clock.advance(stepMs)
  const maxTokens = 100
  expect(maxTokens * stepMs).toBeGreaterThan(SESSION_LIMITS.idleMsMax)
  const answer = await collect(slow, PROMPT, { generation: { ...generation, maxTokens } })
  expect(answer.tokens).toHaveLength(maxTokens)
  await slow.close()
  await single.close()
})

test('a miner serves so many sessions and no more', async () => {
  const open = await Promise.all(Array.from({ length: SESSION_LIMITS.sessionsMax - 1 }, () => world.open(8)))
  expect(await failureOf(world.open(8))).toMatchObject({ details: { stageCode: 'RING_BUSY' } })
  await until(() => world.sessions().every((count) => count === SESSION_LIMITS.sessionsMax), 'the refused one is gone')
  expect((await collect(session, PROMPT, { generation })).tokens).toEqual(expected)
  await Promise.all([session, ...open].map((one) => one.close()))
  await world.allFree()
  await world.stillServes()
})

test('a prompt that does not fit is refused before anything is sent, and the session goes on', async () => {
  const long = new Array<number>(CONFIG.contextLength + 1).fill(1)
  expect(await failureOf(collect(session, long, { generation }))).toMatchObject({ code: 'RING_PROMPT_TOO_LONG' })
  expect(await failureOf(collect(session, [], { generation }))).toMatchObject({ code: 'RING_PROMPT_TOO_LONG' })
  expect((await collect(session, PROMPT, { generation })).tokens).toEqual(expected)
})

test('an answer ends where the context is full', async () => {
  const small = await world.open(PROMPT.length + 3)
  const answer = await collect(small, PROMPT, { generation })
  expect(answer).toMatchObject({ tokens: expected.slice(0, 4), reason: 'context-full' })
  await small.close()
})

describe('a pipelined prefill', () => {
  test.each([
    [2, 0],
    [3, 1],
  ])('goes on while stage %i is busy, as far as the window allows', async (busy, feeder) => {
    const gate = Promise.withResolvers<void>()
    const runs = [0, 0, 0]
    world.onRun = (miner) => {
      runs[miner]!++
      return miner === busy - 1 ? gate.promise : undefined
    }
    const turn = collect(session, PROMPT, { generation, chunkTokens: 1 })
    await until(() => runs[feeder] === SESSION_LIMITS.prefillChunksInFlightMax + 1, 'the window is full')
    await world.allIdle()
    // So many frames are on their way, and one more is computed and waits for its credit.
    expect(runs[feeder]).toBe(SESSION_LIMITS.prefillChunksInFlightMax + 1)
    expect(runs[busy - 1]).toBe(1)
    gate.resolve()
    expect((await turn).tokens).toEqual(expected)
  })
})

test('each stage counts its steps, rows and bytes', async () => {
  await collect(session, PROMPT, { generation, chunkTokens: 10 })
  const [first, second, third] = await session.statistics()
  const steps = 3 + SETTINGS.maxTokens - 1
  const rows = PROMPT.length + SETTINGS.maxTokens - 1
  for (const stage of [first, second, third]) expect(stage).toMatchObject({ steps, rows })
  const activations = rows * CONFIG.hiddenSize * 4
  expect(first!.bytesSent).toBeGreaterThan(activations)
  expect(second!.bytesReceived).toBeGreaterThan(activations)
  expect(third!.bytesSent).toBeLessThan(activations)
  expect(world.miners.map(({ server }) => server.statistics().total.rows)).toEqual([rows, rows, rows])
})
