/** What training writes: a folder that the importer takes, with the same numbers; a checkpoint; a plot. @module */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { lossPlot } from '../../../../src/app/train/loss-plot.ts'
import {
  encodeSafetensors,
  loadSafetensors,
  writeHuggingFaceFolder,
} from '../../../../src/app/train/safetensors-out.ts'
import { openWeightsFolder } from '../../../../src/app/weights-folder.ts'
import type { ModelConfig } from '../../../../src/ml/config.ts'
import { configFromHuggingFace } from '../../../../src/ml/huggingface.ts'
import { huggingFaceConfig } from '../../../../src/ml/huggingface-out.ts'
import { tensorPlan } from '../../../../src/ml/tensors.ts'
import { freshWeights } from '../../../../src/ml/train/fresh-weights.ts'
import { rateAt } from '../../../../src/ml/train/schedule.ts'
import { smallConfig, wholeRange } from '../../../contract/random-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'dllm-train-'))
afterAll(() => rmSync(folder, { recursive: true }))

const LLAMA_3 = {
  type: 'llama3',
  factor: 8,
  lowFrequencyFactor: 1,
  highFrequencyFactor: 4,
  originalContextLength: 64,
} as const
const CONFIGS: readonly (readonly [string, Partial<ModelConfig>])[] = [
  ['llama', { beginToken: 1, endTokens: [2, 3] }],
  ['llama with scaled rope', { ropeScaling: LLAMA_3, tiedHead: true, ropeTheta: 500_000 }],
  ['linear rope', { ropeScaling: { type: 'linear', factor: 4 } }],
  ['mistral', { family: 'mistral', slidingWindow: 9 }],
  ['mistral without a window', { family: 'mistral' }],
  ['qwen2 with a window', { family: 'qwen2', queryKeyValueBias: true, slidingWindow: 30 }],
  ['qwen3', { family: 'qwen3', queryKeyNorm: true, headSize: 12 }],
]

describe('a folder in the layout of Hugging Face', () => {
  test.each(CONFIGS)('describes the model that it holds: %s', (_what, change) => {
    const config = smallConfig(change)
    expect(configFromHuggingFace(JSON.parse(JSON.stringify(huggingFaceConfig(config))))).toEqual(config)
  })

  test.each([true, false])('gives back every weight, the head tied: %s', async (tiedHead) => {
    const config = smallConfig({ tiedHead, queryKeyValueBias: true, family: 'qwen2', layerCount: 1 })
    const weights = freshWeights(config, 4n)
    const path = join(folder, `tied-${tiedHead}`)
    await writeHuggingFaceFolder(path, { config, weights }, join(folder, 'no tokenizer'))
    const source = await openWeightsFolder(path)
    const plan = tensorPlan(config, wholeRange(config))
    source.check(config, plan)
    for (const tensor of plan) {
      const found = await source.readRows(config, tensor, { firstRow: 0, rows: tensor.rows })
      const matrix = tensor.kind === 'matrix' ? weights.matrix(tensor.name) : undefined
      const expected = matrix?.format === 'f32' ? matrix.values : weights.vector(tensor.name)
      expect(found, tensor.name).toEqual(expected)
    }
    await source.close()
  })
})

test('a checkpoint gives its tensors back', () => {
  const tensors = [
    { name: 'a', shape: [2, 2], values: Float32Array.of(1, -2, 3e-40, 4) },
    { name: 'none', shape: [0], values: new Float32Array(0) },
  ]
  const path = join(folder, 'checkpoint.safetensors')
  writeFileSync(path, encodeSafetensors(tensors))
  expect(loadSafetensors(path)).toEqual(new Map(tensors.map(({ name, values }) => [name, values])))
})

test('fresh weights are a function of the seed', () => {
  const config = smallConfig()
  const of = (seed: bigint) => freshWeights(config, seed).matrix('layers.1.gate')
  expect(of(1n)).toEqual(of(1n))
  expect(of(1n)).not.toEqual(of(2n))
  expect(
    freshWeights(config, 1n)
      .vector('layers.0.attentionNorm')
      .every((gain) => gain === 1),
  ).toBe(true)
})

test('the rate rises, falls to a tenth, and stays there', () => {
  const schedule = { top: 1, warmSteps: 4, steps: 104 }
  expect([0, 3, 4].map((step) => rateAt(step, schedule))).toEqual([0.25, 1, 1])
  expect(rateAt(54, schedule)).toBeCloseTo(0.55, 10)
  expect([104, 1_000].map((step) => rateAt(step, schedule))).toEqual([0.1, 0.1].map((rate) => expect.closeTo(rate, 10)))
})

test('the plot shows every loss, and its axes hold them', () => {
  const svg = lossPlot({
    title: 'a run',
    losses: [7.6, 6.2, 5.9],
    heldOut: [
      { step: 0, loss: 7.7 },
      { step: 3, loss: 6 },
    ],
  })
  expect(svg).toContain('<title>a run</title>')
  expect(svg.match(/<path /g)).toHaveLength(3)
  expect(svg.match(/<circle /g)).toHaveLength(2)
  expect(svg).not.toContain('NaN')
  const heights = [...svg.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y))
  expect(Math.min(...heights)).toBeGreaterThanOrEqual(40)
  expect(Math.max(...heights)).toBeLessThanOrEqual(320)
})
