/**
 * Same bits everywhere, as one table for each engine: a ring of any split, chunking, company and wire gives the tokens and
 * logits of one machine that feeds one token at a time. In files by engine, so that they run side by side.
 * Spec: docs/spec/numerics.md §1.
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createEngine } from '../../src/app/engines.ts'
import { createSystem } from '../../src/app/system.ts'
import type { ModelConfig, WeightFormat } from '../../src/ml/config.ts'
import { digestOf } from '../../src/ml/digest.ts'
import type { Engine, EngineName } from '../../src/ml/engine/engine.ts'
import { sampleToken } from '../../src/ml/sampler.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Generation } from '../../src/net/protocols/generation.ts'
import type { Wire } from '../../src/net/wire.ts'
import { generator, randomWeights } from '../contract/random-model.ts'
import { collect, createRingWorld, GREEDY, type RingWorld, silent } from './ring-world.ts'

/** Six layers, so that rings of one to six stages exist; fan-ins that are no multiple of 32, grouped queries. */
const CONFIG: ModelConfig = {
  family: 'llama',
  hiddenSize: 24,
  layerCount: 6,
  headCount: 2,
  keyValueHeadCount: 1,
  headSize: 12,
  intermediateSize: 40,
  vocabularySize: 48,
  contextLength: 272,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: { type: 'none' },
  slidingWindow: undefined,
  queryKeyValueBias: false,
  queryKeyNorm: false,
  tiedHead: false,
  beginToken: undefined,
  endTokens: [],
}

const GENERATION: Generation = {
  ...GREEDY,
  maxTokens: 6,
  temperature: 0.9,
  topK: 20,
  repetitionPenalty: 1.1,
  seed: 99n,
}

/** Sizes of chunks, each with a prompt that is a few chunks long, and the longest with one that is longer than it. */
const CHUNKS = [
  { chunkTokens: 1, promptTokens: 20 },
  { chunkTokens: 7, promptTokens: 40 },
  { chunkTokens: 64, promptTokens: 150 },
  { chunkTokens: 256, promptTokens: 260 },
] as const
type Chunks = (typeof CHUNKS)[number]
const PROMPT_TOKENS = Math.max(...CHUNKS.map(({ promptTokens }) => promptTokens))
const SPLITS = [[6], [2, 4], [1, 3, 2], [1, 2, 2, 1], [1, 1, 1, 1, 2], [1, 1, 1, 1, 1, 1]]
export interface EngineUnderTest {
  readonly name: EngineName
  readonly threads: number
  /** Numbers of stages of the rings that it runs, over memory alone; default all, and over TCP. */
  readonly stages?: readonly number[]
  /** Each split has one of the formats, in turn; default: all. */
  readonly formatsInTurn?: boolean
}

const random = generator(2026)
const text = Array.from({ length: PROMPT_TOKENS }, () => random.integer(CONFIG.vocabularySize))
const promptOf = ({ promptTokens }: Chunks): readonly number[] => text.slice(0, promptTokens)
const strangers = [5, 40].map((length) => Array.from({ length }, () => random.integer(CONFIG.vocabularySize)))

interface Expected {
  readonly tokens: readonly number[]
  readonly digests: readonly string[]
}

/** One machine, one stage, one token at a time, no ring: what everything else must equal, for each length of a prompt. */
async function computeExpected(format: WeightFormat): Promise<Map<Chunks, Expected>> {
  const engine = await createEngine('reference')
  const range = { firstLayer: 0, lastLayer: CONFIG.layerCount, hasEmbedding: true, hasHead: true }
  const weights = randomWeights({ config: CONFIG, format, seed: 1 })
  const stage = engine.createStage({ config: CONFIG, range, weights, cacheBytesMax: 1 << 28 })
  const cache = stage.openCache(CONFIG.contextLength)
  const feed = (token: number, position: number): Float32Array => {
    const input = { type: 'tokens', tokens: Int32Array.of(token) } as const
    const [output] = stage.run([{ cache, position, input, logits: 'last' }])
    if (output?.type !== 'logits') throw new Error('a step failed')
    return output.values
  }
  const expected = new Map<Chunks, Expected>()
  let logits = new Float32Array(0)
  let fed = 0
  // From short to long: what an answer left behind its prompt is written over.
  for (const chunks of CHUNKS) {
    for (; fed < chunks.promptTokens; fed++) logits = Float32Array.from(feed(text[fed]!, fed))
    expected.set(chunks, answerTo(promptOf(chunks), logits, feed))
  }
  stage.close()
  return expected
}

function answerTo(
  prompt: readonly number[],
  first: Float32Array,
  feed: (token: number, position: number) => Float32Array,
): Expected {
  const history = [...prompt]
  const digests: string[] = []
  for (let logits = first; ; logits = feed(history.at(-1)!, history.length - 1)) {
    digests.push(digestOf(logits))
    history.push(sampleToken({ logits, options: GENERATION, history, position: history.length }))
    if (history.length === prompt.length + GENERATION.maxTokens) break
  }
  return { tokens: history.slice(prompt.length), digests }
}

const formats: readonly WeightFormat[] = ['q8', 'q4', 'f32']

type WireKind = 'memory' | 'TCP'

function wireFactory(kind: WireKind): (listen: boolean) => Promise<Wire> {
  if (kind === 'memory') {
    const network = createMemoryNetwork()
    return async (listen) => network.createMemoryWire({ listen })
  }
  const { clock } = createSystem()
  return (listen) =>
    createLibp2pWire(
      { networkId: 'exactness', listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [], mdns: false, dht: false },
      { clock, log: silent },
    )
}

/**
 * Every format over memory, or one after the other from split to split: what splits and formats have to do with each other is the engine's, and the engine suite
 * (test/contract/engine-suite.ts) cuts models of every format. Over TCP, where only the wire differs, one. `DLLM_TEST_ALL_FORMATS=1`: always every format.
 */
function worldsOf(inTurn: boolean) {
  const isOne = inTurn && process.env['DLLM_TEST_ALL_FORMATS'] !== '1'
  return SPLITS.flatMap((split, index) => [
    ...formats
      .filter((_format, at) => !isOne || at === index % formats.length)
      .map((format) => ({ split, stages: split.length, format, wire: 'memory' as WireKind })),
    { split, stages: split.length, format: 'q8' as WeightFormat, wire: 'TCP' as WireKind },
  ])
}

/** The tests of one engine: each split, format, wire, chunk size, alone and batched, gives the bits of the plainest run. */
export function describeExactness({ name, threads, stages: wanted, formatsInTurn = false }: EngineUnderTest): void {
  const chosen = worldsOf(formatsInTurn).filter(
    ({ stages, wire }) => wanted === undefined || (wire === 'memory' && wanted.includes(stages)),
  )
  const expected = new Map<WeightFormat, Map<Chunks, Expected>>()

  beforeAll(async () => {
    for (const format of formats) expected.set(format, await computeExpected(format))
  })

  describe.each(chosen)(`${name} × ${threads}, $stages stages, $format, $wire`, ({ split, format, wire }) => {
    let world: RingWorld

    beforeAll(async () => {
      const engines: Engine[] = []
      for (const _ of split) engines.push(await createEngine(name, { threads, bytesPerThread: 1 }))
      world = await createRingWorld({
        config: CONFIG,
        weights: randomWeights({ config: CONFIG, format, seed: 1 }),
        split,
        createWire: wireFactory(wire),
        engine: () => engines.pop()!,
        // The same prompts in other chunks are to be computed.
        prefixes: null,
      })
    })

    afterAll(() => world.close())

    test.each(CHUNKS)('gives the same tokens and logits in chunks of $chunkTokens, alone', async (chunks) => {
      const session = await world.open(CONFIG.contextLength)
      const answer = await collect(session, promptOf(chunks), {
        generation: GENERATION,
        chunkTokens: chunks.chunkTokens,
      })
      await session.close()
      expect(answer).toEqual({ ...expected.get(format)!.get(chunks)!, reason: 'max-tokens' })
    })

    describe('batched with strangers, and with each other,', () => {
      let answers: Map<Chunks, Awaited<ReturnType<typeof collect>>>

      beforeAll(async () => {
        const sessions = await Promise.all([...CHUNKS, ...strangers].map(() => world.open(CONFIG.contextLength)))
        const noise = strangers.map((other, index) => {
          const generation = { ...GENERATION, maxTokens: 20, withDigests: false }
          return collect(sessions[CHUNKS.length + index]!, other, { generation })
        })
        const ours = CHUNKS.map((chunks, index) => {
          const { chunkTokens } = chunks
          return collect(sessions[index]!, promptOf(chunks), { generation: GENERATION, chunkTokens })
        })
        answers = new Map((await Promise.all(ours)).map((answer, index) => [CHUNKS[index]!, answer]))
        await Promise.all(noise)
        await Promise.all(sessions.map((one) => one.close()))
      })

      test.each(CHUNKS)('gives the same tokens and logits in chunks of $chunkTokens', (chunks) => {
        expect(answers.get(chunks)).toEqual({ ...expected.get(format)!.get(chunks)!, reason: 'max-tokens' })
      })
    })
  })
}
