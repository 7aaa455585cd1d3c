/**
 * What every engine must do, run against any factory: the numbers of the reference for every family feature, number format, chunking, split and
 * batch, bit for bit in the exact class and within a bound in the float class; refusals; isolation of sessions that fail.
 * Spec: docs/spec/numerics.md, docs/spec/gpu.md; seam: src/ml/engine/engine.ts.
 * @module
 */
import { afterEach, describe, expect, test } from 'vitest'
import type { ModelConfig, ModelExtras } from '../../src/ml/config.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import type { LayerRange } from '../../src/ml/tensors.ts'
import {
  asFloats,
  bits,
  type Case,
  type EngineSuiteOptions,
  FORMATS,
  logitsThrough,
  rangesOf,
  type SuiteContext,
  type SuiteStage,
  sameBits,
  sameWithin,
  step,
  tokens,
  tokensOf,
  valuesOf,
} from './engine-case.ts'
import { largestTests } from './engine-largest.ts'
import { partTests } from './engine-parts.ts'
import { notFiniteTests, refusalTests } from './engine-refusals.ts'
import { sharingTests } from './engine-sharing.ts'
import { randomWeights, smallConfig, wholeRange } from './random-model.ts'

const LLAMA_3 = {
  type: 'llama3',
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalContextLength: 64,
} as const

const YARN = {
  ...({ type: 'yarn', factor: 4, originalContextLength: 64 } as const),
  ...{ fastRotations: 32, slowRotations: 1, attentionFactor: 1.14 },
}
const LONGROPE = { type: 'longrope', shortFactors: [1, 1.5], longFactors: [2, 8], attentionFactor: 1.2 } as const
const GEMMA_3: Partial<ModelExtras> = {
  ...{ gate: 'gelu', outputNorms: true, embeddingFactor: 6.3125, scoreSize: 20, logitCap: 3 },
  ...{ windowLayers: [0, 1], windowTheta: 100 },
}

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
  ['rope of llama 3', { ropeScaling: LLAMA_3 }],
  ['yarn', { ropeScaling: YARN }],
  ['the long factors of phi 3', { headSize: 4, ropeScaling: { ...LONGROPE, originalContextLength: 64 } }],
  ['a fan-in of many groups', { hiddenSize: 41, intermediateSize: 1_131, vocabularySize: 9 }],
  ['no whole unit of rows', { hiddenSize: 3, headCount: 1, keyValueHeadCount: 1, headSize: 2, intermediateSize: 5 }],
]

/** What engines of devices refuse. */
const EXTRAS: readonly (readonly [string, Partial<ModelConfig>])[] = [
  ['a gate of gelu', { extras: { gate: 'gelu' } }],
  ['norms of outputs and a factor of the embedding', { extras: { outputNorms: true, embeddingFactor: 5.5 } }],
  ['caps and a score size', { extras: { scoreCap: 1.5, logitCap: 2, scoreSize: 3 } }],
  ['a part of a head that rotates', { headSize: 12, extras: { rotarySize: 6 }, queryKeyNorm: true }],
  [
    'layers that attend and rotate otherwise',
    { layerCount: 5, slidingWindow: 9, extras: { windowLayers: [0, 1, 3], windowTheta: 50, unrotatedLayers: [1, 4] } },
  ],
  ['all of gemma 3', { slidingWindow: 7, queryKeyNorm: true, tiedHead: true, extras: GEMMA_3 }],
]

/** Registers the suite. */
export function engineSuite({
  name,
  create,
  length = 70,
  formats = FORMATS,
  bound,
  hasExtras = true,
}: EngineSuiteOptions): void {
  describe(`${name}`, () => {
    const open: SuiteStage[] = []
    const optionsOf = (model: Case, range: LayerRange = wholeRange(model.config)) => {
      const weights = randomWeights({ seed: 1, ...model })
      return { config: model.config, range, weights, cacheBytesMax: 1 << 24 }
    }
    const kept = <S extends SuiteStage>(stage: S): S => {
      open.push(stage)
      return stage
    }
    afterEach(async () => {
      for (const stage of open.splice(0)) await stage.close()
    })
    const context: SuiteContext = {
      create,
      length,
      formats,
      format: formats.find((known) => known === 'q8') ?? formats[0]!,
      stageOf: async (model, range) => kept(await (await create()).createStage(optionsOf(model, range))),
      oracleOf: (model, range) => {
        const options = optionsOf(model, range)
        const weights = bound === undefined ? options.weights : asFloats(options.weights)
        return kept(createReferenceEngine().createStage({ ...options, weights }))
      },
      same: bound === undefined ? sameBits : sameWithin(bound),
    }
    describe('numbers', () => numberTests(context))
    describe('extras', () => extrasTests(context, hasExtras))
    describe('overflow', () => overflowTests(context))
    describe('sessions', () => sessionTests(context))
    describe('the largest logit', () => largestTests(context))
    describe('parts', () => partTests(context))
    describe('sharing', () => sharingTests(context))
    describe('refusals', () => refusalTests(context))
    describe('values that are not finite', () => notFiniteTests(context))
  })
}

function numberTests({ stageOf, oracleOf, same, length, formats }: SuiteContext): void {
  const table = CONFIGS.flatMap(([what, change]) => formats.map((format) => [what, format, change] as const))
  test.each(table)('%s in %s give the numbers of the reference', async (_what, format, change) => {
    const model = { config: smallConfig(change), format }
    const tokens = tokensOf(model.config, length)
    const expected = await logitsThrough([oracleOf(model)], tokens, length)
    expect(expected.some((value) => value !== 0)).toBe(true)
    const stage = await stageOf(model)
    for (const chunk of [1, 7, 64, length].filter((size) => size <= length)) {
      same(await logitsThrough([stage], tokens, chunk), expected, `chunks of ${chunk}`)
    }
  })

  test.each(formats)('a model in %s cut into stages gives the numbers of the whole', async (format) => {
    const model = { config: smallConfig({ layerCount: 4, queryKeyValueBias: true, slidingWindow: 20 }), format }
    const rows = Math.min(33, length)
    const tokens = tokensOf(model.config, rows)
    const expected = await logitsThrough([oracleOf(model)], tokens, rows)
    for (const cuts of [[2], [1, 3], [1, 2, 3], [0], [4], [0, 2, 4]]) {
      const stages = await Promise.all(rangesOf(model.config, cuts).map((range) => stageOf(model, range)))
      same(await logitsThrough(stages, tokens, 8), expected, `cut at ${cuts}`)
    }
  })
}

/** In one format: what they change is f32. */
function extrasTests({ stageOf, oracleOf, same, length, format }: SuiteContext, hasExtras: boolean): void {
  test.each(EXTRAS)('%s', async (_what, change) => {
    const model = { config: smallConfig(change), format }
    if (!hasExtras) {
      const refused = expect.objectContaining({ code: 'ENGINE_UNAVAILABLE' })
      await expect(stageOf(model)).rejects.toThrow(refused)
      return
    }
    const tokens = tokensOf(model.config, length)
    const expected = await logitsThrough([oracleOf(model)], tokens, length)
    const stage = await stageOf(model)
    for (const chunk of [1, 64]) same(await logitsThrough([stage], tokens, chunk), expected, `chunks of ${chunk}`)
    const stages = await Promise.all(rangesOf(model.config, [2]).map((range) => stageOf(model, range)))
    same(await logitsThrough(stages, tokens, 9), expected, 'two stages')
  })
}

function overflowTests({ stageOf, oracleOf, same, formats }: SuiteContext): void {
  const wide = { headCount: 1, keyValueHeadCount: 1, headSize: 8, vocabularySize: 9, layerCount: 1 }
  const shapes: readonly (readonly [string, Partial<ModelConfig>])[] = [
    ['a wide input', { ...wide, hiddenSize: 4_200, intermediateSize: 8 }],
    ['a wide inner row', { ...wide, hiddenSize: 40, intermediateSize: 9_001 }],
  ]
  const table = shapes.flatMap(([what, change]) =>
    formats
      .filter((format) => format !== 'f32')
      .flatMap((format) => [3, -3].map((value) => [what, format, value, change] as const)),
  )
  test.each(table)('%s in %s, all integers at their bounds, input %d', async (_what, format, value, change) => {
    const model: Case = { config: smallConfig(change), format, magnitude: 'extreme' }
    const range = { ...wholeRange(model.config), hasEmbedding: false, hasHead: false }
    const through = async (stage: SuiteStage) => {
      const values = new Float32Array(3 * model.config.hiddenSize).fill(value)
      return valuesOf((await stage.run([step(stage.openCache(3), 0, { type: 'hidden', values })]))[0])
    }
    same(await through(await stageOf(model, range)), await through(oracleOf(model, range)))
  })
}

function sessionTests({ create, stageOf, same, length, format: usual, formats }: SuiteContext): void {
  test.each(formats)('sessions in one batch do not change each other in %s', async (format) => {
    const model = { config: smallConfig({ queryKeyNorm: true }), format }
    const stage = await stageOf(model)
    const longest = length + Math.min(20, length)
    const lengths = [longest, 1, 40, 64, 3].map((rows) => Math.min(rows, longest))
    const inputs = lengths.map((length, index) => tokensOf(model.config, length, index))
    const expected: Float32Array[] = []
    for (const input of inputs) expected.push(await logitsThrough([stage], input, 16))
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
      const outputs = await stage.run(steps.map((entry) => entry.step))
      for (const [at, { index }] of steps.entries()) found[index]!.push(...valuesOf(outputs[at]))
    }
    for (const [index, values] of expected.entries()) {
      same(Float32Array.from(found[index]!), values, `session ${index}`)
    }
  })

  test('a session that goes back computes as if it had never been further', async () => {
    const model = { config: smallConfig({ slidingWindow: 6 }), format: usual }
    const stage = await stageOf(model)
    const first = tokensOf(model.config, 20, 1)
    const second = Int32Array.from([...first.slice(0, 5), ...tokensOf(model.config, 9, 2)])
    const cache = stage.openCache(20)
    valuesOf((await stage.run([step(cache, 0, { type: 'tokens', tokens: first })]))[0])
    expect(stage.cacheLength(cache)).toBe(20)
    const outputs = await stage.run([step(cache, 5, { type: 'tokens', tokens: second.slice(5) })])
    expect(stage.cacheLength(cache)).toBe(14)
    const expected = (await logitsThrough([stage], second, 14)).slice(5 * model.config.vocabularySize)
    same(valuesOf(outputs[0]), expected)
  })

  test('logits come for the rows that were asked for, and as copies', async () => {
    const model = { config: smallConfig(), format: usual }
    const stage = await stageOf(model)
    const input = tokens(3, 1, 4, 1, 5)
    const run = async (logits: 'all' | 'last' | 'none') =>
      valuesOf((await stage.run([step(stage.openCache(5), 0, input, logits)]))[0])
    const [all, last, none] = [await run('all'), await run('last'), await run('none')]
    expect(all.length).toBe(5 * model.config.vocabularySize)
    same(last, all.slice(-model.config.vocabularySize))
    expect(none.length).toBe(0)
    const copy = last.slice()
    valuesOf((await stage.run([step(stage.openCache(5), 0, tokens(9, 2, 6), 'last')]))[0])
    expect(bits(last)).toEqual(bits(copy))
  })

  test('a cache that was closed leaves nothing behind for the next one', async () => {
    const model = { config: smallConfig({ headSize: 10 }), format: usual }
    const stage = await stageOf(model)
    const input = tokensOf(model.config, 12, 5)
    const expected = await logitsThrough([stage], input, 5)
    for (const rows of [40, 12, 60]) {
      await logitsThrough([stage], tokensOf(model.config, Math.min(rows, length), rows), 9)
    }
    same(await logitsThrough([stage], input, 12), expected)
  })

  test('caches past the bound are refused until others close', async () => {
    const config = smallConfig()
    const perPosition = 3 * config.keyValueHeadCount * config.headSize * 8
    const weights = randomWeights({ config, format: usual, seed: 1 })
    // Memory is counted in whole pages of 64 positions.
    const options = { config, range: wholeRange(config), weights, cacheBytesMax: 200 * perPosition }
    const stage = await (await create()).createStage(options)
    const cache = stage.openCache(65)
    expect(() => stage.openCache(65)).toThrow(expect.objectContaining({ code: 'ENGINE_OUT_OF_MEMORY' }))
    stage.openCache(64)
    expect(() => stage.openCache(1)).toThrow(expect.objectContaining({ code: 'ENGINE_OUT_OF_MEMORY' }))
    stage.closeCache(cache)
    expect(stage.cacheLength(stage.openCache(100))).toBe(0)
    await stage.close()
  })
}
