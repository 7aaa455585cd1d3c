/**
 * What every engine of the exact class must do, run against any factory: the bits of the reference for every family
 * feature, number format, chunking, split and batch; refusals; isolation of sessions that fail.
 * Spec: docs/spec/numerics.md; seam: src/ml/engine/engine.ts.
 * @module
 */
import { afterEach, describe, expect, test } from 'vitest'
import type { ModelConfig, WeightFormat } from '../../src/ml/config.ts'
import type { Engine, Stage, StepInput, StepOutput } from '../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import type { LayerRange } from '../../src/ml/tensors.ts'
import { generator, type Magnitude, randomWeights, smallConfig, wholeRange } from './random-model.ts'

const FORMATS: readonly WeightFormat[] = ['f32', 'q8', 'q4']

const CONFIGS: readonly (readonly [string, Partial<ModelConfig>])[] = [
  ['sizes that fit nothing', {}],
  ['sizes that fit everything', { hiddenSize: 64, headSize: 16, intermediateSize: 128, vocabularySize: 64 }],
  ['biases', { family: 'qwen2', queryKeyValueBias: true }],
  ['query and key norm', { family: 'qwen3', queryKeyNorm: true }],
  ['a tied head', { tiedHead: true }],
  ['heads of 8', { headSize: 8, headCount: 6, keyValueHeadCount: 3 }],
  ['heads of 32 with norm', { headSize: 32, headCount: 2, keyValueHeadCount: 1, queryKeyNorm: true }],
  ['heads of 48 without sharing', { headSize: 48, headCount: 3, keyValueHeadCount: 3 }],
  ['one key/value head', { headCount: 5, keyValueHeadCount: 1 }],
  ['a sliding window', { family: 'mistral', slidingWindow: 9 }],
  ['linear rope', { ropeScaling: { type: 'linear', factor: 4 } }],
  ['a fan-in of many groups', { hiddenSize: 41, intermediateSize: 1_131, vocabularySize: 9 }],
  ['no whole unit of rows', { hiddenSize: 3, headCount: 1, keyValueHeadCount: 1, headSize: 2, intermediateSize: 5 }],
]

/** Positions of the longest session: past one pass of the wasm engine. */
const LENGTH = 70

export interface EngineSuiteOptions {
  readonly name: string
  readonly create: () => Engine
}

interface Case {
  readonly config: ModelConfig
  readonly format: WeightFormat
  readonly seed?: number
  readonly magnitude?: Magnitude
}

/** Bits, so that −0 differs from 0 and a failure prints integers. */
function bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length)
}

function valuesOf(output: StepOutput | undefined): Float32Array {
  if (output === undefined || output.type === 'failed') throw output?.error ?? new Error('no output')
  return output.values
}

function tokensOf(config: ModelConfig, length: number, seed = 1): Int32Array {
  const random = generator(seed)
  return Int32Array.from({ length }, () => random.integer(config.vocabularySize))
}

function rowsOf(config: ModelConfig, rows: number, seed = 1): Float32Array {
  const random = generator(seed, 99)
  return Float32Array.from({ length: rows * config.hiddenSize }, () => random.real(2))
}

/** One stage with everything, or several that share the layers. */
function rangesOf(config: ModelConfig, cuts: readonly number[]): LayerRange[] {
  const edges = [0, ...cuts, config.layerCount]
  return edges.slice(1).map((lastLayer, index) => ({
    firstLayer: edges[index]!,
    lastLayer,
    hasEmbedding: index === 0,
    hasHead: index === edges.length - 2,
  }))
}

/** Logits of all tokens, fed in chunks through the stages. */
function logitsThrough(stages: readonly Stage[], tokens: Int32Array, chunk: number): Float32Array {
  const caches = stages.map((stage) => stage.openCache(tokens.length))
  const parts: number[] = []
  for (let position = 0; position < tokens.length; position += chunk) {
    let input: StepInput['input'] = { type: 'tokens', tokens: tokens.slice(position, position + chunk) }
    for (const [index, stage] of stages.entries()) {
      const values = valuesOf(stage.run([{ cache: caches[index]!, position, input, logits: 'all' }])[0])
      input = { type: 'hidden', values }
    }
    if (input.type === 'hidden') parts.push(...input.values)
  }
  for (const [index, stage] of stages.entries()) stage.closeCache(caches[index]!)
  return Float32Array.from(parts)
}

/** Registers the suite. */
export function engineSuite({ name, create }: EngineSuiteOptions): void {
  describe(`${name}`, () => {
    const open: Stage[] = []
    const stageOf = (engine: Engine, model: Case, range: LayerRange = wholeRange(model.config)): Stage => {
      const weights = randomWeights({ seed: 1, ...model })
      const stage = engine.createStage({ config: model.config, range, weights, cacheBytesMax: 1 << 24 })
      open.push(stage)
      return stage
    }
    afterEach(() => {
      for (const stage of open.splice(0)) stage.close()
    })
    const context: SuiteContext = { create, stageOf }
    describe('bits', () => bitTests(context))
    describe('overflow', () => overflowTests(context))
    describe('sessions', () => sessionTests(context))
    describe('refusals', () => refusalTests(context))
    describe('values that are not finite', () => notFiniteTests(context))
  })
}

interface SuiteContext {
  readonly create: () => Engine
  readonly stageOf: (engine: Engine, model: Case, range?: LayerRange) => Stage
}

function bitTests({ create, stageOf }: SuiteContext): void {
  const table = CONFIGS.flatMap(([what, change]) => FORMATS.map((format) => [what, format, change] as const))
  test.each(table)('%s in %s give the bits of the reference', (_what, format, change) => {
    const model = { config: smallConfig(change), format }
    const tokens = tokensOf(model.config, LENGTH)
    const expected = logitsThrough([stageOf(createReferenceEngine(), model)], tokens, LENGTH)
    expect(expected.some((value) => value !== 0)).toBe(true)
    const stage = stageOf(create(), model)
    for (const chunk of [1, 7, 64, LENGTH]) {
      expect(bits(logitsThrough([stage], tokens, chunk)), `chunks of ${chunk}`).toEqual(bits(expected))
    }
  })

  test.each(FORMATS)('a model in %s cut into stages gives the bits of the whole', (format) => {
    const model = { config: smallConfig({ layerCount: 4, queryKeyValueBias: true, slidingWindow: 20 }), format }
    const tokens = tokensOf(model.config, 33)
    const expected = logitsThrough([stageOf(createReferenceEngine(), model)], tokens, 33)
    for (const cuts of [[2], [1, 3], [1, 2, 3], [0], [4], [0, 2, 4]]) {
      const engine = create()
      const stages = rangesOf(model.config, cuts).map((range) => stageOf(engine, model, range))
      expect(bits(logitsThrough(stages, tokens, 8)), `cut at ${cuts}`).toEqual(bits(expected))
      for (const stage of stages) stage.close()
    }
  })
}

function overflowTests({ create, stageOf }: SuiteContext): void {
  const wide = { headCount: 1, keyValueHeadCount: 1, headSize: 8, vocabularySize: 9, layerCount: 1 }
  const shapes: readonly (readonly [string, Partial<ModelConfig>])[] = [
    ['a wide input', { ...wide, hiddenSize: 4_200, intermediateSize: 8 }],
    ['a wide inner row', { ...wide, hiddenSize: 40, intermediateSize: 9_001 }],
  ]
  const table = shapes.flatMap(([what, change]) =>
    (['q8', 'q4'] as const).flatMap((format) => [3, -3].map((value) => [what, format, value, change] as const)),
  )
  test.each(table)('%s in %s, all integers at their bounds, input %d', (_what, format, value, change) => {
    const model: Case = { config: smallConfig(change), format, magnitude: 'extreme' }
    const range = { ...wholeRange(model.config), hasEmbedding: false, hasHead: false }
    const [expected, found] = [createReferenceEngine(), create()].map((engine) => {
      const stage = stageOf(engine, model, range)
      const values = new Float32Array(3 * model.config.hiddenSize).fill(value)
      return valuesOf(stage.run([step(stage.openCache(3), 0, { type: 'hidden', values })])[0])
    })
    expect(bits(found!)).toEqual(bits(expected!))
  })
}

function step(
  cache: number,
  position: number,
  input: StepInput['input'],
  logits: StepInput['logits'] = 'all',
): StepInput {
  return { cache, position, input, logits }
}

function tokens(...list: number[]): StepInput['input'] {
  return { type: 'tokens', tokens: Int32Array.from(list) }
}

function sessionTests({ create, stageOf }: SuiteContext): void {
  test.each(FORMATS)('sessions in one batch do not change each other in %s', (format) => {
    const model = { config: smallConfig({ queryKeyNorm: true }), format }
    const stage = stageOf(create(), model)
    const lengths = [90, 1, 40, 64, 3]
    const inputs = lengths.map((length, index) => tokensOf(model.config, length, index))
    const expected = inputs.map((input) => logitsThrough([stage], input, 16))
    const caches = lengths.map((length) => stage.openCache(length))
    const found: number[][] = lengths.map(() => [])
    // Each session advances at its own pace: 90 rows at once beside single ones.
    const paces = [90, 1, 13, 9, 1]
    for (let round = 0, running = true; running; round++) {
      const steps = inputs.flatMap((input, index) => {
        const position = round * paces[index]!
        const part = input.slice(position, position + paces[index]!)
        return part.length > 0
          ? [{ index, step: step(caches[index]!, position, { type: 'tokens', tokens: part }) }]
          : []
      })
      running = steps.length > 0
      const outputs = stage.run(steps.map((entry) => entry.step))
      for (const [at, { index }] of steps.entries()) found[index]!.push(...valuesOf(outputs[at]))
    }
    for (const [index, values] of expected.entries()) {
      expect(bits(Float32Array.from(found[index]!)), `session ${index}`).toEqual(bits(values))
    }
  })

  test('a session that goes back computes as if it had never been further', () => {
    const model = { config: smallConfig({ slidingWindow: 6 }), format: 'q8' } as const
    const stage = stageOf(create(), model)
    const first = tokensOf(model.config, 20, 1)
    const second = Int32Array.from([...first.slice(0, 5), ...tokensOf(model.config, 9, 2)])
    const cache = stage.openCache(20)
    valuesOf(stage.run([step(cache, 0, { type: 'tokens', tokens: first })])[0])
    expect(stage.cacheLength(cache)).toBe(20)
    const output = stage.run([step(cache, 5, { type: 'tokens', tokens: second.slice(5) })])[0]
    expect(stage.cacheLength(cache)).toBe(14)
    const expected = logitsThrough([stage], second, 14).slice(5 * model.config.vocabularySize)
    expect(bits(valuesOf(output))).toEqual(bits(expected))
  })

  test('logits come for the rows that were asked for, and as copies', () => {
    const model = { config: smallConfig(), format: 'q4' } as const
    const stage = stageOf(create(), model)
    const input = tokens(3, 1, 4, 1, 5)
    const [all, last, none] = (['all', 'last', 'none'] as const).map((logits) =>
      valuesOf(stage.run([step(stage.openCache(5), 0, input, logits)])[0]),
    )
    expect(all!.length).toBe(5 * model.config.vocabularySize)
    expect(bits(last!)).toEqual(bits(all!.slice(-model.config.vocabularySize)))
    expect(none!.length).toBe(0)
    const kept = last!.slice()
    valuesOf(stage.run([step(stage.openCache(5), 0, tokens(9, 2, 6), 'last')])[0])
    expect(bits(last!)).toEqual(bits(kept))
  })

  test('a cache that was closed leaves nothing behind for the next one', () => {
    const model = { config: smallConfig({ headSize: 10 }), format: 'q8' } as const
    const stage = stageOf(create(), model)
    const input = tokensOf(model.config, 12, 5)
    const expected = logitsThrough([stage], input, 5)
    for (const length of [40, 12, 60]) logitsThrough([stage], tokensOf(model.config, length, length), 9)
    expect(bits(logitsThrough([stage], input, 12))).toEqual(bits(expected))
  })

  test('caches past the bound are refused until others close', () => {
    const config = smallConfig()
    const perPosition = 3 * config.keyValueHeadCount * config.headSize * 8
    const weights = randomWeights({ config, format: 'q8', seed: 1 })
    const stage = create().createStage({ config, range: wholeRange(config), weights, cacheBytesMax: 100 * perPosition })
    const cache = stage.openCache(60)
    expect(() => stage.openCache(41)).toThrow(expect.objectContaining({ code: 'ENGINE_OUT_OF_MEMORY' }))
    stage.openCache(40)
    stage.closeCache(cache)
    expect(stage.cacheLength(stage.openCache(60))).toBe(0)
    stage.close()
  })
}

function refusalTests({ create, stageOf }: SuiteContext): void {
  const table: readonly (readonly [string, string, Omit<StepInput, 'cache' | 'logits'>])[] = [
    ['a token past the vocabulary', 'ENGINE_BAD_TOKEN', { position: 2, input: tokens(1, 51) }],
    ['a negative token', 'ENGINE_BAD_TOKEN', { position: 2, input: tokens(-1) }],
    ['a gap', 'ENGINE_BAD_POSITION', { position: 3, input: tokens(1) }],
    ['a negative position', 'ENGINE_BAD_POSITION', { position: -1, input: tokens(1) }],
    ['half a position', 'ENGINE_BAD_POSITION', { position: 0.5, input: tokens(1) }],
    ['more rows than the session has room for', 'ENGINE_BAD_POSITION', { position: 2, input: tokens(1, 2, 3) }],
    ['no row', 'ENGINE_BAD_INPUT', { position: 2, input: tokens() }],
  ]
  test.each(table)('refuses %s with %s and leaves the rest of the batch alone', (_what, code, refused) => {
    const stage = stageOf(create(), { config: smallConfig(), format: 'q8' })
    const [bad, good, alone] = [4, 4, 4].map((capacity) => stage.openCache(capacity))
    for (const cache of [bad!, good!, alone!]) valuesOf(stage.run([step(cache, 0, tokens(7, 8))])[0])
    const expected = valuesOf(stage.run([step(alone!, 2, tokens(9))])[0])
    const outputs = stage.run([{ ...refused, cache: bad!, logits: 'all' }, step(good!, 2, tokens(9))])
    expect(outputs[0]).toMatchObject({ type: 'failed', error: { code } })
    expect(bits(valuesOf(outputs[1]))).toEqual(bits(expected))
    expect(stage.cacheLength(bad!)).toBe(2)
  })

  test('refuses rows of a wrong length and rows with a NaN', () => {
    const config = smallConfig()
    const range = { ...wholeRange(config), firstLayer: 1, hasEmbedding: false }
    const stage = stageOf(create(), { config, format: 'q8' }, range)
    const run = (values: Float32Array) => stage.run([step(stage.openCache(4), 0, { type: 'hidden', values })])[0]
    expect(run(rowsOf(config, 1).slice(1))).toMatchObject({ error: { code: 'ENGINE_BAD_INPUT' } })
    expect(run(rowsOf(config, 2).fill(Number.NaN, 77))).toMatchObject({ error: { code: 'ENGINE_NOT_FINITE' } })
    expect(run(rowsOf(config, 2).fill(Number.NEGATIVE_INFINITY, 0, 1))).toMatchObject({
      error: { code: 'ENGINE_NOT_FINITE' },
    })
  })
}

function notFiniteTests({ create, stageOf }: SuiteContext): void {
  test.each(FORMATS)('a session that overflows in %s fails alone and can go on', (format) => {
    const config = smallConfig({ hiddenSize: 41 })
    const range = { ...wholeRange(config), hasEmbedding: false }
    const stage = stageOf(create(), { config, format }, range)
    const [bad, good, alone, fresh] = [9, 9, 9, 9].map((capacity) => stage.openCache(capacity))
    const hidden = (seed: number, rows = 1): StepInput['input'] => ({
      type: 'hidden',
      values: rowsOf(config, rows, seed),
    })
    const huge = rowsOf(config, 3, 4).fill(3e38, 41, 82)
    valuesOf(stage.run([step(bad!, 0, hidden(1, 2))])[0])
    const expected = valuesOf(stage.run([step(alone!, 0, hidden(2, 3))])[0])
    const outputs = stage.run([step(bad!, 2, { type: 'hidden', values: huge }), step(good!, 0, hidden(2, 3))])
    expect(outputs[0]).toMatchObject({ type: 'failed', error: { code: 'ENGINE_NOT_FINITE' } })
    expect(bits(valuesOf(outputs[1]))).toEqual(bits(expected))
    expect(stage.cacheLength(bad!)).toBe(2)
    valuesOf(stage.run([step(fresh!, 0, hidden(1, 2))])[0])
    const next = stage.run([step(fresh!, 2, hidden(5)), step(bad!, 2, hidden(5))]).map(valuesOf)
    expect(bits(next[1]!)).toEqual(bits(next[0]!))
  })
}
