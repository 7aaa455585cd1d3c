/**
 * Part of the engine suite: steps of which only the largest logit of each row is asked for. An engine says its id, or gives logits all the same.
 * Spec: docs/spec/numerics.md §8.2; seam: src/ml/engine/engine.ts.
 * @module
 */
import { expect, test } from 'vitest'
import type { StepInput, StepOutput } from '../../src/ml/engine/engine.ts'
import { sampleToken } from '../../src/ml/sampler.ts'
import { HEAD, type Matrix, type WeightSource } from '../../src/ml/tensors.ts'
import { rowsOf, type SuiteContext, type SuiteStage, step, tokensOf, valuesOf } from './engine-case.ts'
import { randomWeights, smallConfig, wholeRange } from './random-model.ts'

const GREEDY = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0n }

/** Two groups of 256 threads, and one logit more. */
const config = smallConfig({ layerCount: 1, vocabularySize: 513 })

/** What the sampler draws from each row. */
function idsOf(logits: Float32Array): number[] {
  const rows = logits.length / config.vocabularySize
  return Array.from({ length: rows }, (_, row) => {
    const own = logits.slice(row * config.vocabularySize, (row + 1) * config.vocabularySize)
    return sampleToken({ logits: own, options: GREEDY, history: [], position: row })
  })
}

function chosen(output: StepOutput | undefined): number[] {
  const values = valuesOf(output)
  if (output?.type !== 'logits' || output.largest === undefined) return idsOf(values)
  expect(values).toHaveLength(0)
  return [...output.largest]
}

/** All logits are zeros, of both signs. */
function withoutHead(weights: WeightSource): WeightSource {
  const zero = (matrix: Matrix): Matrix =>
    matrix.format === 'f32'
      ? { ...matrix, values: matrix.values.map((value) => 0 * value) }
      : { ...matrix, scales: matrix.scales.map(() => 0) }
  return { ...weights, matrix: (name) => (name === HEAD ? zero(weights.matrix(name)) : weights.matrix(name)) }
}

export function largestTests({ create, format, length }: SuiteContext): void {
  const stageOf = async (weights: WeightSource): Promise<SuiteStage> => {
    return (await create()).createStage({ config, range: wholeRange(config), weights, cacheBytesMax: 1 << 24 })
  }
  const rows = Math.min(length, 9)
  const input: StepInput['input'] = { type: 'tokens', tokens: tokensOf(config, rows) }
  const weights = randomWeights({ config, format, seed: 1 })

  test('of each row of which it is asked the largest logit is said, and rows of others stay logits', async () => {
    const stage = await stageOf(weights)
    const ask = (logits: StepInput['logits']) => ({
      ...step(stage.openCache(rows + 1), 0, input, logits),
      largestOnly: true,
    })
    const whole = valuesOf((await stage.run([step(stage.openCache(rows), 0, input)]))[0])
    const expected = idsOf(whole)
    const outputs = await stage.run([
      ask('all'),
      ask('last'),
      ask('none'),
      step(stage.openCache(rows), 0, input, 'last'),
    ])
    expect(outputs.slice(0, 3).map(chosen)).toEqual([expected, expected.slice(-1), []])
    expect(valuesOf(outputs[3])).toEqual(whole.slice(-config.vocabularySize))
    await stage.close()
  })

  test('of equals the first one is the largest, whatever the sign of a zero', async () => {
    const stage = await stageOf(withoutHead(weights))
    const signs = valuesOf((await stage.run([step(stage.openCache(rows), 0, input)]))[0]).map((value) => 1 / value)
    expect(new Set(signs)).toContain(Number.POSITIVE_INFINITY)
    const [output] = await stage.run([{ ...step(stage.openCache(rows), 0, input), largestOnly: true }])
    expect(chosen(output)).toEqual(Array(rows).fill(0))
    await stage.close()
  })

  test('a row that overflows fails, and a part without the head gives rows as ever', async () => {
    const stage = await stageOf(weights)
    const ask = (cache: number, values: Float32Array) => ({
      ...step(cache, 0, { type: 'hidden', values } as const),
      largestOnly: true,
    })
    const layer = { firstLayer: 0, lastLayer: 1, hasEmbedding: false, hasHead: false }
    const [inner, outer] = [stage.openCache(1, layer), stage.openCache(1, { ...layer, hasHead: true })]
    const large = rowsOf(config, 1).fill(3e38)
    const [hidden, failed] = await stage.run([ask(inner, rowsOf(config, 1)), ask(outer, large)])
    expect(hidden).toMatchObject({ type: 'hidden', values: { length: config.hiddenSize } })
    expect(failed).toMatchObject({ type: 'failed', error: { code: 'ENGINE_NOT_FINITE' } })
    await stage.close()
  })
}
