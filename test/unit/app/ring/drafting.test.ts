import { expect, test } from 'vitest'
import type { EngineHost } from '../../../../src/app/engine-host.ts'
import { createDrafting, type Drafting, type DraftPlan } from '../../../../src/app/ring/drafting.ts'
import { milliseconds } from '../../../../src/base/brand.ts'
import { createFakeClock } from '../../../fake-clock.ts'

const SETTINGS = {
  ...{ maxTokens: 60, temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0n },
  withDigests: false,
}
const TRIP_MS = milliseconds(100)

/** A model that says the same token for ever, and writes down what it reads. */
function sayer(token: number, width: number): { host: EngineHost; read: number[] } {
  const read: number[] = []
  const host: EngineHost = {
    engine: 'reference',
    weightBytes: 0,
    openCache: async () => 1,
    closeCache: async () => undefined,
    shareCache: async () => undefined,
    whenFull: () => undefined,
    close: async () => undefined,
    run: async ({ input }) => {
      if (input.type === 'tokens') read.push(...input.tokens)
      const values = new Float32Array(width)
      values[token] = 1
      return { output: { type: 'logits', values }, computeMs: milliseconds(1), queueMs: milliseconds(0) }
    },
  }
  return { host, read }
}

function world(token: number, vocabularySize: number) {
  const clock = createFakeClock()
  const { host, read } = sayer(token, 16)
  const drafting = createDrafting(
    { capacity: 100, stages: 2, model: { host, contextLength: 100 }, vocabularySize },
    { clock },
  )
  /** The ring has answered; what goes along next. */
  const trip = async (position: number, ...tokens: number[]): Promise<DraftPlan> => {
    drafting.answer({ position, tokens: Int32Array.from(tokens) })
    const next = { position: position + tokens.length - 1, token: tokens.at(-1)!, draftsAllowed: 15 }
    const plan = await drafting.plan(next)
    drafting.take(plan, plan.tokens.length)
    drafting.begun()
    clock.advance(TRIP_MS)
    drafting.ran(1)
    return plan
  }
  return { drafting, read, trip }
}

function prompt(drafting: Drafting, position: number, ...tokens: number[]): void {
  drafting.prompt({ position, tokens: Int32Array.from(tokens), draftsMax: 15, generation: SETTINGS })
}

test('a prompt that comes before the end of the turn before it leaves no gap in what was said', async () => {
  const { drafting, read, trip } = world(3, 16)
  prompt(drafting, 0, 1, 2, 1, 2, 1, 2)
  await trip(6, 1)
  const { position, tokens } = await trip(7, 2)
  expect(tokens.length).toBeGreaterThan(3)
  // All were right, and the client has heard it.
  prompt(drafting, position + tokens.length, 5, 6, 7)
  const { source, tokens: after } = await trip(position + tokens.length + 3, 9)
  expect([source, after.length > 1]).toEqual(['model', true])
  expect(read).not.toContain(-1)
})

test.each([
  [3, 16, true],
  [9, 9, false],
])('of a model that says %i, to one with %i tokens: drafts are %s', async (token, vocabularySize, isSent) => {
  const { drafting, trip } = world(token, vocabularySize)
  prompt(drafting, 0, 1)
  await trip(1, 2)
  const { tokens } = await trip(2, 4)
  expect(tokens.length > 1).toBe(isSent)
  expect(Math.max(...tokens)).toBeLessThan(vocabularySize)
})
