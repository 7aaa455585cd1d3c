import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Answer, createTail, type Scores } from '../../../../src/app/ring/tail.ts'
import { sampleToken, takesLargest } from '../../../../src/ml/sampler.ts'
import type { Generation } from '../../../../src/net/protocols/generation.ts'

const VOCABULARY = 7
const PROMPT = [1, 2, 3]
const GREEDY = { temperature: 0, repetitionPenalty: 1, withDigests: false }

/** A model in one line: logits that follow from the last two tokens. */
function logitsAfter(tokens: readonly number[]): Float32Array {
  const [before = 0, last = 0] = tokens.slice(-2)
  return Float32Array.from({ length: VOCABULARY }, (_, id) => Math.fround(3 * Math.sin(id * 2.3 + last * 1.7 + before)))
}

interface Said {
  readonly tokens: number[]
  readonly digests: string[]
  readonly end: { readonly reason: string; readonly position: number }
}

interface Run {
  readonly generation: Generation
  readonly capacity: number
  readonly endTokens: readonly number[]
}

/** As stage 1 and the client of a ring of one, with drafts from anywhere. */
function say(
  { generation, capacity, endTokens }: Run,
  draftsAfter: (tokens: readonly number[]) => number[],
  scoresOf: (logits: Float32Array) => Scores = (logits) => logits,
): Said {
  const tail = createTail({ endTokens, capacity })
  tail.begin(generation)
  const all = [...PROMPT]
  const said: Said = { tokens: [], digests: [], end: { reason: '', position: 0 } }
  const first = { turn: 1, position: 0, tokens: Int32Array.from(PROMPT), acknowledge: true }
  let answer: Answer = tail.answer(first, scoresOf(logitsAfter(PROMPT)), 1)
  for (;;) {
    for (const message of answer.toClient) {
      if (message.type === 'end') return { ...said, end: { reason: message.reason, position: message.position } }
      expect(message.position).toBe(PROMPT.length + said.tokens.length)
      said.tokens.push(...message.tokens)
      said.digests.push(...message.digests)
    }
    if (answer.toFirst.type !== 'token') throw new Error('a turn goes on with tokens')
    all.push(...answer.toFirst.tokens)
    expect(answer.keptTo).toBe(all.length - 1)
    const tokens = [all.at(-1)!, ...draftsAfter(all)].slice(0, capacity - all.length + 1)
    const rows = tokens.map((_, row) => logitsAfter([...all, ...tokens.slice(1, row + 1)]))
    const logits = new Float32Array(rows.length * VOCABULARY)
    for (const [row, values] of rows.entries()) logits.set(values, row * VOCABULARY)
    const step = { turn: 1, position: all.length - 1, tokens: Int32Array.from(tokens), acknowledge: false }
    answer = tail.answer(step, scoresOf(logits), tokens.length)
  }
}

const runs: fc.Arbitrary<Run> = fc.record({
  generation: fc.record({
    maxTokens: fc.integer({ min: 1, max: 60 }),
    temperature: fc.constantFrom(0, 0.3, 1),
    topK: fc.constantFrom(0, 3),
    topP: fc.constantFrom(1, 0.8),
    minP: fc.constant(0),
    repetitionPenalty: fc.constantFrom(1, 1.3),
    seed: fc.bigInt({ min: 0n, max: 99n }),
    withDigests: fc.boolean(),
  }),
  capacity: fc.integer({ min: PROMPT.length, max: 50 }),
  endTokens: fc.constantFrom([], [4], [0, 5]),
})

test('whatever the drafts are, tokens, digests and end are those without them', () => {
  const drafts = fc.func(fc.array(fc.nat(VOCABULARY - 1), { maxLength: 8 }))
  fc.assert(
    fc.property(runs, drafts, fc.nat(8), (run, wild, rightCount) => {
      const plain = say(run, () => [])
      expect(say(run, wild)).toEqual(plain)
      // Drafts that are right for a while.
      const likely = (tokens: readonly number[]) => {
        const found: number[] = []
        const { generation: options } = run
        for (let index = 0; index < rightCount; index++) {
          const history = [...tokens, ...found]
          const position = history.length
          found.push(sampleToken({ logits: logitsAfter(history), options, history, position }))
        }
        return [...found, ...wild(tokens)]
      }
      expect(say(run, likely)).toEqual(plain)
    }),
    { numRuns: 300 },
  )
})

/** As an engine says them that was asked for no more. */
function idsOf(logits: Float32Array): Int32Array {
  return Int32Array.from({ length: logits.length / VOCABULARY }, (_, row) => {
    const own = [...logits.subarray(row * VOCABULARY, (row + 1) * VOCABULARY)]
    return own.indexOf(Math.max(...own))
  })
}

test('where the tail takes the largest logit it says the same from ids as from logits, and elsewhere it takes no ids', () => {
  const drafts = fc.func(fc.array(fc.nat(VOCABULARY - 1), { maxLength: 8 }))
  fc.assert(
    fc.property(runs, drafts, (run, wild) => {
      const tail = createTail(run)
      expect(tail.takesLargest).toBe(false)
      tail.begin(run.generation)
      const { temperature, repetitionPenalty, withDigests } = run.generation
      expect(tail.takesLargest).toBe(temperature === 0 && repetitionPenalty === 1 && !withDigests)
      expect(takesLargest(run.generation)).toBe(tail.takesLargest || (temperature === 0 && repetitionPenalty === 1))
      const greedy = { ...run, generation: { ...run.generation, ...GREEDY } }
      expect(say(greedy, wild, idsOf)).toEqual(say(greedy, wild))
    }),
    { numRuns: 200 },
  )
})

test('of a turn that nobody waits for the first row alone stays', () => {
  const tail = createTail({ endTokens: [], capacity: 50 })
  const generation = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0n }
  tail.begin({ ...generation, maxTokens: 9, withDigests: false })
  const step = { turn: 1, position: 0, tokens: new Int32Array(4), acknowledge: false }
  const { drawn, keptTo } = tail.answer(step, new Float32Array(4 * VOCABULARY), 1)
  expect(drawn).toHaveLength(1)
  expect(keptTo).toBe(1)
})
