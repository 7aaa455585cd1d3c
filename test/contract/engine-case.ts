/**
 * What the parts of the engine suite share: models, inputs, and how a session is fed through stages.
 * @module
 */
import type { ModelConfig, WeightFormat } from '../../src/ml/config.ts'
import type { Engine, Stage, StepInput, StepOutput } from '../../src/ml/engine/engine.ts'
import type { LayerRange } from '../../src/ml/tensors.ts'
import { generator, type Magnitude } from './random-model.ts'

export const FORMATS: readonly WeightFormat[] = ['f32', 'q8', 'q4']

/** Positions of the longest session: past one pass of the wasm engine. */
export const LENGTH = 70

export interface EngineSuiteOptions {
  readonly name: string
  readonly create: () => Engine
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
export function logitsThrough(stages: readonly Stage[], tokens: Int32Array, chunk: number): Float32Array {
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

export interface SuiteContext {
  readonly create: () => Engine
  readonly stageOf: (engine: Engine, model: Case, range?: LayerRange) => Stage
}
