/** Random sequences of what a stage's caches are asked for: the engines of the processor give the bits, the lengths and the refusals of the reference. */
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { createNodeNativeEngine } from '../../src/app/native-engine.ts'
import { createNodeWasmEngine } from '../../src/app/wasm-engine.ts'
import { cacheBytes, type Stage, type StepInput, type StepOutput } from '../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import type { LayerRange } from '../../src/ml/tensors.ts'
import { bits, rowsOf, tokensOf } from '../contract/engine-case.ts'
import { hasNativeEngine } from '../contract/native-binding.ts'
import { randomWeights, smallConfig, wholeRange } from '../contract/random-model.ts'

/** One layer sees some positions, over the end of a page, the other all of them. */
const config = smallConfig({
  ...{ layerCount: 2, hiddenSize: 18, headCount: 2, keyValueHeadCount: 1, headSize: 6, intermediateSize: 20 },
  ...{ vocabularySize: 9, slidingWindow: 70, extras: { windowLayers: [0] } },
})
const range = wholeRange(config)
const PARTS: readonly LayerRange[] = [
  range,
  { ...range, lastLayer: 1, hasHead: false },
  { ...range, firstLayer: 1, hasEmbedding: false },
]
/** Room for some six caches of the whole. */
const options = {
  ...{ config, range, cacheBytesMax: cacheBytes(config, range, 64 * 14) },
  weights: randomWeights({ config, format: 'q4', seed: 5 }),
}
const threads = { threads: 2, bytesPerThread: 1 }
const stages = [
  createReferenceEngine().createStage(options),
  createNodeWasmEngine(threads).createStage(options),
  ...(hasNativeEngine ? [createNodeNativeEngine(threads).createStage(options)] : []),
]
afterAll(() => {
  for (const stage of stages) stage.close()
})

/** A session, by the number that its cache has in each stage. */
interface Session {
  readonly caches: readonly number[]
  readonly part: LayerRange
  readonly capacity: number
}

/** What all stages say, which must be the same. */
function ask<Answer>(work: (stage: Stage, index: number) => Answer): { answers: Answer[]; refused: unknown } {
  const refusals: unknown[] = []
  const answers: Answer[] = []
  for (const [index, stage] of stages.entries()) {
    try {
      answers.push(work(stage, index))
    } catch (error) {
      refusals.push((error as { code?: string }).code ?? error)
    }
  }
  expect(refusals, 'stages refuse the same').toEqual(
    refusals.length === 0 ? [] : stages.map(() => 'ENGINE_OUT_OF_MEMORY'),
  )
  return { answers, refused: refusals[0] }
}

const plain = (output: StepOutput) =>
  output.type === 'failed' ? [output.error.code] : [output.type, ...bits(output.values)]
const lengthOf = ({ caches }: Session): number => {
  const { answers } = ask((stage, index) => stage.cacheLength(caches[index]!))
  expect(new Set(answers).size, 'caches are as long').toBe(1)
  return answers[0]!
}

const piece = fc.record({
  /** Of a session's positions, or at the start of a page, or behind the last one. */
  place: fc.oneof({ weight: 3, arbitrary: fc.constant('end') }, fc.constantFrom('page', 'anywhere')),
  at: fc.nat(1_000),
  rows: fc.oneof(fc.constantFrom(1, 2, 63, 64, 65), fc.integer({ min: 1, max: 90 })),
  /** Numbers that no norm can square, in parts that take rows. */
  isTooLarge: fc.nat(9).map((value) => value === 0),
  seed: fc.nat(3),
})
const operation = fc.oneof(
  fc.record({ kind: fc.constant('open'), part: fc.nat(PARTS.length - 1), capacity: fc.integer({ min: 1, max: 200 }) }),
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('run'), pieces: fc.array(piece, { minLength: 1, maxLength: 4 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('share'), one: fc.nat(9), rows: fc.nat(1_000), room: fc.nat(130) }),
  },
  fc.record({ kind: fc.constant('close'), one: fc.nat(9) }),
)
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never
type Piece = typeof piece extends fc.Arbitrary<infer Value> ? Value : never

function positionOf({ place, at }: Piece, length: number): number {
  if (place === 'end') return length
  const anywhere = at % (length + 1)
  return place === 'page' ? anywhere - (anywhere % 64) : anywhere
}

function stepOf(session: Session, wanted: Piece): Omit<StepInput, 'cache'> | undefined {
  const position = positionOf(wanted, lengthOf(session))
  const rows = Math.min(wanted.rows, session.capacity - position)
  if (rows < 1) return undefined
  const { seed, isTooLarge } = wanted
  const values = rowsOf(config, rows, seed)
  if (isTooLarge) values.fill(3e38, values.length - config.hiddenSize)
  const input: StepInput['input'] = session.part.hasEmbedding
    ? { type: 'tokens', tokens: tokensOf(config, rows, seed) }
    : { type: 'hidden', values }
  return { position, input, logits: 'all' }
}

function apply(sessions: readonly Session[], asked: Operation): readonly Session[] {
  const open = (part: LayerRange, capacity: number): Session | undefined => {
    const { answers, refused } = ask((stage) => stage.openCache(capacity, part))
    return refused === undefined ? { caches: answers, part, capacity } : undefined
  }
  const one = 'one' in asked ? sessions[asked.one % sessions.length] : undefined
  if (asked.kind === 'open' && 'part' in asked) {
    const session = open(PARTS[asked.part]!, asked.capacity)
    return session ? [...sessions, session] : sessions
  }
  if (asked.kind === 'run' && 'pieces' in asked) {
    // The sessions that are the youngest, which share with those before them.
    const steps = asked.pieces.flatMap((wanted, back) => {
      const session = sessions.at(-1 - back)
      const step = session && stepOf(session, wanted)
      return step ? [{ session, step }] : []
    })
    const { answers } = ask((stage, index) =>
      stage.run(steps.map(({ session, step }) => ({ ...step, cache: session!.caches[index]! }))).map(plain),
    )
    for (const answer of answers) expect(answer).toEqual(answers[0])
    return sessions
  }
  if (one === undefined) return sessions
  if (asked.kind === 'share' && 'rows' in asked) {
    const rows = asked.rows % (lengthOf(one) + 1)
    const to = open(one.part, Math.max(1, rows) + asked.room)
    if (to === undefined) return sessions
    ask((stage, index) => stage.shareCache(one.caches[index]!, to.caches[index]!, rows))
    return [...sessions, to]
  }
  ask((stage, index) => stage.closeCache(one.caches[index]!))
  return sessions.filter((session) => session !== one)
}

test('whatever caches open, compute, share, go back and close, all engines compute the same', () => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 6, maxLength: 24 }), (operations) => {
      let sessions: readonly Session[] = []
      try {
        for (const asked of operations) {
          sessions = apply(sessions, asked)
          for (const session of sessions) lengthOf(session)
        }
      } finally {
        for (const { caches } of sessions) ask((stage, index) => stage.closeCache(caches[index]!))
      }
    }),
    { numRuns: 40, seed: 1 },
  )
})
