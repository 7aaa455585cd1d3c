/**
 * What the parts of the engine suite share: models, inputs, and how a session is fed through stages.
 * @module
 */
import { expect } from 'vitest'
import type { ModelConfig, WeightFormat } from '../../src/ml/config.ts'
import { dequantizeRows } from '../../src/ml/dequantize.ts'
import type { DeviceEngine, Engine, Stage, StepInput, StepOutput } from '../../src/ml/engine/engine.ts'
import type { LayerRange, WeightSource } from '../../src/ml/tensors.ts'
import { generator, type Magnitude } from './random-model.ts'

export const FORMATS: readonly WeightFormat[] = ['f32', 'q8', 'q4']

/** A stage of either form of engine: whoever awaits sees no difference. */
export interface SuiteStage extends Omit<Stage, 'run' | 'close'> {
  run(batch: readonly StepInput[]): StepOutput[] | Promise<StepOutput[]>
  close(): void | Promise<void>
}

export interface EngineSuiteOptions {
  readonly name: string
  readonly create: () => Engine | DeviceEngine | Promise<DeviceEngine>
  /** Of weights; default all. */
  readonly formats?: readonly WeightFormat[]
  /** Positions of the longest session; default 70, past one pass of the wasm engine. */
  readonly length?: number
  /**
   * Of an engine of the float class: how far a value may be from that of the reference with the same weights as f32, as a share of the largest.
   * Default: not at all, from the reference with the weights as they are.
   */
  readonly bound?: number
  /** Computes models with extras; default. Else it refuses them. */
  readonly hasExtras?: boolean
}

export interface Case {
  readonly config: ModelConfig
  readonly format: WeightFormat
  readonly seed?: number
  readonly magnitude?: Magnitude
}

/** Bits, so that −0 differs from 0 and a failure prints integers. */
export function bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length)
}

export function valuesOf(output: StepOutput | undefined): Float32Array {
  if (output === undefined || output.type === 'failed') throw output?.error ?? new Error('no output')
  return output.values
}

export function tokensOf(config: ModelConfig, length: number, seed = 1): Int32Array {
  const random = generator(seed)
  return Int32Array.from({ length }, () => random.integer(config.vocabularySize))
}

export function rowsOf(config: ModelConfig, rows: number, seed = 1): Float32Array {
  const random = generator(seed, 99)
  return Float32Array.from({ length: rows * config.hiddenSize }, () => random.real(2))
}

/** One stage with everything, or several that share the layers. */
export function rangesOf(config: ModelConfig, cuts: readonly number[]): LayerRange[] {
  const edges = [0, ...cuts, config.layerCount]
  return edges.slice(1).map((lastLayer, index) => ({
    firstLayer: edges[index]!,
    lastLayer,
    hasEmbedding: index === 0,
    hasHead: index === edges.length - 2,
  }))
}

/** Logits of all tokens, fed in chunks through the stages. */
export async function logitsThrough(
  stages: readonly SuiteStage[],
  tokens: Int32Array,
  chunk: number,
): Promise<Float32Array> {
  const caches = stages.map((stage) => stage.openCache(tokens.length))
  const parts: number[] = []
  for (let position = 0; position < tokens.length; position += chunk) {
    let input: StepInput['input'] = { type: 'tokens', tokens: tokens.slice(position, position + chunk) }
    for (const [index, stage] of stages.entries()) {
      const outputs = await stage.run([{ cache: caches[index]!, position, input, logits: 'all' }])
      input = { type: 'hidden', values: valuesOf(outputs[0]) }
    }
    if (input.type === 'hidden') parts.push(...input.values)
  }
  for (const [index, stage] of stages.entries()) stage.closeCache(caches[index]!)
  return Float32Array.from(parts)
}

export function step(
  cache: number,
  position: number,
  input: StepInput['input'],
  logits: StepInput['logits'] = 'all',
): StepInput {
  return { cache, position, input, logits }
}

export function tokens(...list: number[]): StepInput['input'] {
  return { type: 'tokens', tokens: Int32Array.from(list) }
}

/** The same weights, dequantised: what engines of the float class compute with. */
export function asFloats(weights: WeightSource): WeightSource {
  return {
    vector: (name) => weights.vector(name),
    matrix: (name) => {
      const matrix = weights.matrix(name)
      return { format: 'f32', rows: matrix.rows, columns: matrix.columns, values: dequantizeRows(matrix) }
    },
  }
}

export interface SuiteContext {
  readonly create: EngineSuiteOptions['create']
  readonly length: number
  readonly formats: readonly WeightFormat[]
  /** Of tests that need one only. */
  readonly format: WeightFormat
  /** A stage of the engine under test. */
  readonly stageOf: (model: Case, range?: LayerRange) => Promise<SuiteStage>
  /** A stage of the engine that it is compared with. */
  readonly oracleOf: (model: Case, range?: LayerRange) => SuiteStage
  /** Bit for bit, or within the bound. */
  readonly same: (found: Float32Array, expected: Float32Array, what?: string) => void
}

/** Bits, so that −0 differs from 0 and a failure prints integers. */
export function sameBits(found: Float32Array, expected: Float32Array, what?: string): void {
  expect(bits(found), what).toEqual(bits(expected))
}

/** No value is further away than the share `bound` of the largest. */
export function sameWithin(bound: number): SuiteContext['same'] {
  return (found, expected, what) => {
    expect(found.length, what).toBe(expected.length)
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    const furthest = expected.reduce((most, value, at) => Math.max(most, Math.abs(value - found[at]!)), 0)
    expect(furthest / largest, what).toBeLessThanOrEqual(bound)
  }
}
