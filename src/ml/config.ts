/**
 * The integers and constants of one model, validated once. Every size is a count; tensors are named and
 * shaped by `tensorPlan` in ml/tensors.ts. Knows nothing of files: ml/huggingface.ts reads config.json.
 * Spec: docs/spec/numerics.md §6, §7.
 * @module
 */

export const NUMBER_SPEC = 'exact-1'

/** Formats of weight matrices, docs/spec/numerics.md §3. */
export const WEIGHT_FORMATS = ['f32', 'q8', 'q4'] as const
export type WeightFormat = (typeof WEIGHT_FORMATS)[number]

export const MODEL_FAMILIES = [
  'llama',
  'mistral',
  'qwen2',
  'qwen3',
  'gemma',
  'gemma2',
  'gemma3',
  'phi3',
  'smollm3',
] as const
export type ModelFamily = (typeof MODEL_FAMILIES)[number]

export type RopeScaling =
  | { readonly type: 'none' }
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3'
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      readonly originalContextLength: number
    }
  | {
      readonly type: 'yarn'
      readonly factor: number
      readonly originalContextLength: number
      /** Rotations within the original context from which a frequency stays, and up to which it is divided. */
      readonly fastRotations: number
      readonly slowRotations: number
      /** Cosines and sines are multiplied by it. */
      readonly attentionFactor: number
    }
  | {
      readonly type: 'longrope'
      /** What each frequency is divided by, (rotarySize / 2): where the context is no longer than the original one, and else. */
      readonly shortFactors: readonly number[]
      readonly longFactors: readonly number[]
      readonly originalContextLength: number
      readonly attentionFactor: number
    }

/** What some families have beyond the rest of ModelConfig. */
export interface ModelExtras {
  readonly gate: 'silu' | 'gelu'
  /** Norms of what attention and feed-forward give, before it is added (Gemma 2 and 3). */
  readonly outputNorms: boolean
  /** Rows of the embedding are multiplied by it; 1: they are not. */
  readonly embeddingFactor: number
  /** Scores are divided by its root. */
  readonly scoreSize: number
  /** Bounds that scores and logits approach by tanh; 0: none. */
  readonly scoreCap: number
  readonly logitCap: number
  /** Leading elements of a head that are rotated; even. */
  readonly rotarySize: number
  /** Layers whose attention has the window, ascending; undefined: all. */
  readonly windowLayers: readonly number[] | undefined
  /** Theta of these layers, unscaled; undefined: they rotate as the others do. */
  readonly windowTheta: number | undefined
  /** Layers without rotary positions, ascending. */
  readonly unrotatedLayers: readonly number[]
}

export interface ModelConfig {
  readonly family: ModelFamily
  /** d: length of a hidden row. */
  readonly hiddenSize: number
  readonly layerCount: number
  /** H: query heads; a multiple of keyValueHeadCount. */
  readonly headCount: number
  /** V: key/value heads. */
  readonly keyValueHeadCount: number
  /** h: even; headCount·headSize need not equal hiddenSize. */
  readonly headSize: number
  readonly intermediateSize: number
  readonly vocabularySize: number
  /** Positions that a session may use. */
  readonly contextLength: number
  readonly normEpsilon: number
  readonly ropeTheta: number
  readonly ropeScaling: RopeScaling
  /** Positions that attention sees, the current one included; undefined: all. `extras` may name the layers. */
  readonly slidingWindow: number | undefined
  /** Biases on query, key and value (Qwen2). */
  readonly queryKeyValueBias: boolean
  /** Per-head norm of query and key (Qwen3). */
  readonly queryKeyNorm: boolean
  /** The head matrix is the embedding matrix. */
  readonly tiedHead: boolean
  /** First token of every prompt, where the model has one. */
  readonly beginToken: number | undefined
  /** Tokens that end an answer. */
  readonly endTokens: readonly number[]
  /** Those that differ from the default (extras.ts). */
  readonly extras?: Partial<ModelExtras> | undefined
}

/** Fan-in rounded up to whole groups of 32 (docs/spec/numerics.md §3). */
export function paddedColumns(columns: number): number {
  return Math.ceil(columns / GROUP_SIZE) * GROUP_SIZE
}

/** Elements that share one exponent (activations) or one multiplier (q4). */
export const GROUP_SIZE = 32

/** What every file format says of a model in numbers. */
export type ModelSizes = Pick<
  ModelConfig,
  | 'hiddenSize'
  | 'layerCount'
  | 'headCount'
  | 'keyValueHeadCount'
  | 'headSize'
  | 'intermediateSize'
  | 'vocabularySize'
  | 'contextLength'
>
