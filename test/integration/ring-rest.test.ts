/** Caches of sessions that end at a bad moment: none stays open, and no engine meets a step of one that is closed, which would end it for everybody. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BatchRunner } from '../../src/app/engine-host.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { until } from '../fake-clock.ts'
import {
  CONFIG,
  createFaultWorld,
  dial,
  expectedTokens,
  type FaultWorld,
  hear,
  joinAs,
  openFor,
  PROMPT,
  promptWith,
  SETTINGS,
  say,
} from './fault-world.ts'
import { collect } from './ring-world.ts'

let world: FaultWorld
/** Holds caches that are being opened. */
let opening: Promise<void> | undefined
let isOpening = false
/** Caches that are open. */
let caches = 0

const watched = (runner: BatchRunner): BatchRunner => ({
  ...runner,
  async openCache(...asked) {
    isOpening = true
    await opening
    caches++
    return runner.openCache(...asked)
  },
  async closeCache(cache) {
    caches--
    await runner.closeCache(cache)
  },
})

beforeEach(async () => {
  ;[opening, isOpening, caches] = [undefined, false, 0]
  world = await createFaultWorld([1, 1, 1], watched)
})
afterEach(() => world.close())

const answer = async (session: RingSession): Promise<number[]> => {
  const { tokens } = await collect(session, PROMPT, { generation: SETTINGS })
  await session.close()
  return tokens
}

test('a session that fails while a step of it waits for the engine leaves its cache to that step', async () => {
  const stranger = world.network.createMemoryWire({ listen: true })
  const { controls, toNext } = await joinAs(world, stranger, 2)
  // Too few rows to be kept for later.
  say(controls[0]!, promptWith({ tokens: Int32Array.from(PROMPT.slice(0, 8)) }))
  await until(() => world.miners[0]!.server.statistics().latest.rows === 8, 'the prompt is computed')
  const [first, second] = [await world.open(CONFIG.contextLength), await world.open(CONFIG.contextLength)]
  const hold = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  world.onRun = (miner) => {
    if (miner !== 0) return undefined
    held.resolve()
    return hold.promise
  }
  const answers = [answer(first)]
  await held.promise
  // Both wait for the engine, and will be in one batch.
  answers.push(answer(second))
  say(toNext, { type: 'token', turn: 1, position: 8, tokens: Int32Array.of(1), digests: [] })
  await world.allIdle()
  say(controls[0]!, promptWith({ turn: 2, position: 100 }))
  await hear(controls[0]!, 'failed')
  await world.allIdle()
  hold.resolve()
  expect(await Promise.all(answers)).toEqual([await expectedTokens(), await expectedTokens()])
  await world.allFree()
})

test('a miner that shuts down opens no session that it has begun to open', async () => {
  const gate = Promise.withResolvers<void>()
  opening = gate.promise
  const [{ wire, server }] = world.miners as [FaultWorld['miners'][0]]
  const control = await dial(world.client, wire)
  say(control, openFor(world, 0))
  await until(() => isOpening, 'a cache is being opened')
  const closed = server.close()
  gate.resolve()
  expect(await hear(control, 'failed')).toMatchObject({ code: 'RING_CLOSED' })
  await closed
  await world.allIdle()
  expect([server.sessionCount, caches]).toEqual([0, 0])
})
