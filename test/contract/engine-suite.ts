/**
 * What every engine of the exact class must do, run against any factory: the bits of the reference for every family
 * feature, number format, chunking, split and batch; refusals; isolation of sessions that fail.
 * Spec: docs/spec/numerics.md; seam: src/ml/engine/engine.ts.
 * @module
 */
import { afterEach, describe, expect, test } from 'vitest'
import type { ModelConfig } from '../../src/ml/config.ts'
import type { Engine, Stage } from '../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import type { LayerRange } from '../../src/ml/tensors.ts'
import {
  bits,
  type Case,
  type EngineSuiteOptions,
  FORMATS,
  LENGTH,
  logitsThrough,
  rangesOf,
  type SuiteContext,
  step,
  tokens,
  tokensOf,
  valuesOf,
} from './engine-case.ts'
import { partTests } from './engine-parts.ts'
import { notFiniteTests, refusalTests } from './engine-refusals.ts'
import { randomWeights, smallConfig, wholeRange } from './random-model.ts'

const LLAMA_3 = {
  type: 'llama3',
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalContextLength: 64,
} as const

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
  ['a fan-in of many groups', { hiddenSize: 41, intermediateSize: 1_131, vocabularySize: 9 }],
  ['no whole unit of rows', { hiddenSize: 3, headCount: 1, keyValueHeadCount: 1, headSize: 2, intermediateSize: 5 }],
]

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
    describe('parts', () => partTests(context))
    describe('refusals', () => refusalTests(context))
    describe('values that are not finite', () => notFiniteTests(context))
  })
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
