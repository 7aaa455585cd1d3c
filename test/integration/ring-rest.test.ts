/** An engine never meets a step of a cache that is closed: it would be a bug of the miner, which ends the engine for everybody. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { until } from '../fake-clock.ts'
import {
  CONFIG,
  createFaultWorld,
  expectedTokens,
  type FaultWorld,
  hear,
  joinAs,
  PROMPT,
  promptWith,
  SETTINGS,
  say,
} from './fault-world.ts'
import { collect } from './ring-world.ts'

let world: FaultWorld

beforeEach(async () => {
  world = await createFaultWorld()
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
