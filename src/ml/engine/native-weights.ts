/**
 * Weights into a stage of the native engine, one tensor at a time. Their layouts are the addon's own affair.
 * Spec: docs/spec/numerics.md §3.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { ModelConfig } from '../config.ts'
import {
  EMBEDDING,
  HEAD,
  type LayerPart,
  type LayerRange,
  type Matrix,
  OUTPUT_NORM,
  type TensorPlan,
  tensorPlan,
  type WeightSource,
} from '../tensors.ts'
import type { NativeBinding } from './native-types.ts'

/** enum tensor of native/cpu/stage.h, in its order. */
const NATIVE_TENSORS: readonly (LayerPart | typeof EMBEDDING | typeof OUTPUT_NORM | typeof HEAD)[] = [
  ...(['attentionNorm', 'query', 'key', 'value', 'queryBias', 'keyBias', 'valueBias'] as const),
  ...(['queryNorm', 'keyNorm', 'attentionOutput', 'feedForwardNorm', 'gate', 'up', 'down'] as const),
  ...(['attentionOutputNorm', 'feedForwardOutputNorm'] as const),
  ...([EMBEDDING, OUTPUT_NORM, HEAD] as const),
]
const FORMAT_CODES = { f32: 0, q8: 1, q4: 2 } as const

export interface NativeLoadInput {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly weights: WeightSource
  readonly binding: NativeBinding
  readonly stage: number
}

/** Throws what the binding and the source throw. */
export function loadNativeWeights(input: NativeLoadInput): void {
  const { config, range, weights, binding, stage } = input
  for (const plan of tensorPlan(config, range)) {
    const { layer, tensor } = placeOf(plan.name, range)
    if (plan.kind === 'vector') {
      const vector = weights.vector(plan.name)
      assert(vector.length === plan.rows, `${plan.name} has the planned length`)
      binding.load(stage, Uint32Array.of(layer, tensor, FORMAT_CODES.f32, plan.rows, 1), vector, undefined, undefined)
    } else loadMatrix(input, plan, Uint32Array.of(layer, tensor, 0, plan.rows, plan.columns))
  }
}

function loadMatrix({ weights, binding, stage }: NativeLoadInput, plan: TensorPlan, place: Uint32Array): void {
  const matrix = weights.matrix(plan.name)
  assert(matrix.rows === plan.rows && matrix.columns === plan.columns, `${plan.name} has the planned shape`)
  place[2] = FORMAT_CODES[matrix.format]
  binding.load(stage, place, ...arraysOf(matrix))
}

type Arrays = [Float32Array | Int8Array | Uint8Array, Uint8Array | undefined, Float32Array | undefined]

function arraysOf(matrix: Matrix): Arrays {
  if (matrix.format === 'f32') return [matrix.values, undefined, undefined]
  if (matrix.format === 'q8') return [matrix.values, undefined, matrix.scales]
  return [matrix.nibbles, matrix.multipliers, matrix.scales]
}

/** Layers count from the first of the range. */
function placeOf(name: string, range: LayerRange): { layer: number; tensor: number } {
  const match = /^layers\.(\d+)\.(\w+)$/.exec(name)
  const tensor = NATIVE_TENSORS.findIndex((known) => known === (match?.[2] ?? name))
  assert(tensor >= 0, `${name} is a tensor that the native engine knows`)
  return { layer: match ? Number(match[1]) - range.firstLayer : 0, tensor }
}
