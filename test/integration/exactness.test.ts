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
  hiddenSize: 40,
  layerCount: 6,
  headCount: 4,
  keyValueHeadCount: 2,
  headSize: 10,
  intermediateSize: 72,
  vocabularySize: 96,
  contextLength: 512,
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

/** Longer than the longest chunk. */
const PROMPT_TOKENS = 270
const GENERATION: Generation = {
  ...GREEDY,
  maxTokens: 10,
  temperature: 0.9,
  topK: 20,
  repetitionPenalty: 1.1,
  seed: 99n,
}

const CHUNKS = [1, 7, 64, 256]
const SPLITS = [[6], [2, 4], [1, 3, 2], [1, 2, 2, 1], [1, 1, 1, 1, 2], [1, 1, 1, 1, 1, 1]]
const ENGINES: readonly { name: EngineName; threads: number }[] = [
  { name: 'reference', threads: 1 },
  { name: 'wasm', threads: 1 },
  { name: 'wasm', threads: 2 },
]

const random = generator(2026)
const prompt = Array.from({ length: PROMPT_TOKENS }, () => random.integer(CONFIG.vocabularySize))
const strangers = [5, 90].map((length) => Array.from({ length }, () => random.integer(CONFIG.vocabularySize)))

interface Expected {
  readonly tokens: readonly number[]
  readonly digests: readonly string[]
}

/** One machine, one stage, one token at a time, no ring: what everything else must equal. */
async function computeExpected(format: WeightFormat): Promise<Expected> {
  const engine = await createEngine('reference')
  const range = { firstLayer: 0, lastLayer: CONFIG.layerCount, hasEmbedding: true, hasHead: true }
  const weights = randomWeights({ config: CONFIG, format, seed: 1 })
  const stage = engine.createStage({ config: CONFIG, range, weights, cacheBytesMax: 1 << 28 })
  const cache = stage.openCache(CONFIG.contextLength)
  const history = [...prompt]
  const digests: string[] = []
  let position = 0
  const feed = (token: number): Float32Array => {
    const input = { type: 'tokens', tokens: Int32Array.of(token) } as const
    const [output] = stage.run([{ cache, position: position++, input, logits: 'last' }])
    if (output?.type !== 'logits') throw new Error('a step failed')
    return output.values
  }
  let logits = new Float32Array(0)
  for (const token of prompt) logits = Float32Array.from(feed(token))
  while (history.length < prompt.length + GENERATION.maxTokens) {
    digests.push(digestOf(logits))
    history.push(sampleToken({ logits, options: GENERATION, history, position: history.length }))
    if (history.length < prompt.length + GENERATION.maxTokens) logits = Float32Array.from(feed(history.at(-1)!))
  }
  stage.close()
  return { tokens: history.slice(prompt.length), digests }
}

const formats: readonly WeightFormat[] = ['q8', 'q4', 'f32']
const expected = new Map<WeightFormat, Expected>()

beforeAll(async () => {
  for (const format of formats) expected.set(format, await computeExpected(format))
})

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

/** Every format over memory; over TCP, where only the wire differs, one. */
const worlds = ENGINES.flatMap((engine) =>
  SPLITS.flatMap((split) => [
    ...formats.map((format) => ({ engine, split, format, wire: 'memory' as WireKind })),
    { engine, split, format: 'q8' as WeightFormat, wire: 'TCP' as WireKind },
  ]),
).map((row) => ({
  ...row,
  name: `${row.engine.name} × ${row.engine.threads}, ${row.split.length} stages, ${row.format}, ${row.wire}`,
}))

describe.each(worlds)('$name', ({ engine: { name, threads }, split, format, wire }) => {
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
    })
  })

  afterAll(() => world.close())

  test.each(CHUNKS)('gives the same tokens and logits in chunks of %i, alone', async (chunkTokens) => {
    const session = await world.open(CONFIG.contextLength)
    const answer = await collect(session, prompt, { generation: GENERATION, chunkTokens })
    await session.close()
    expect(answer).toEqual({ ...expected.get(format)!, reason: 'max-tokens' })
  })

  test.each(CHUNKS)('gives the same tokens and logits in chunks of %i, batched with strangers', async (chunkTokens) => {
    const session = await world.open(CONFIG.contextLength)
    const others = await Promise.all(strangers.map(() => world.open(CONFIG.contextLength)))
    const noise = others.map((other, index) => {
      return collect(other, strangers[index]!, { generation: { ...GENERATION, maxTokens: 40, withDigests: false } })
    })
    const answer = await collect(session, prompt, { generation: GENERATION, chunkTokens })
    await Promise.all(noise)
    await Promise.all([session, ...others].map((one) => one.close()))
    expect(answer).toEqual({ ...expected.get(format)!, reason: 'max-tokens' })
  })
})
