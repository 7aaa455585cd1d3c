/**
 * What the chain knows of a model: the work of its segments, from its manifest. The one place where models and the market meet.
 * Spec: docs/spec/market.md §3.
 * @module
 */
import type { GenesisModel } from '../core/genesis.ts'
import type { SegmentWork } from '../core/market/work.ts'
import type { ModelConfig } from '../ml/config.ts'
import type { ModelManifest } from '../ml/manifest.ts'
import { EMBEDDING, type LayerRange, tensorPlan } from '../ml/tensors.ts'
import type { StoredModel } from './model-store.ts'

/** Scores and mix: each head reads its keys once and its values once per position. */
const ATTENTION_PASSES = 2

/** Of every segment of a model, in their order. */
export function modelWork({ config, segments }: Pick<ModelManifest, 'config' | 'segments'>): SegmentWork[] {
  return segments.map((segment) => segmentWork(config, segment))
}

/** The numbers of weights of the matrices that a row is multiplied by: the embedding is a lookup. */
function segmentWork(config: ModelConfig, range: LayerRange): SegmentWork {
  const matrices = tensorPlan(config, range).filter(({ kind, name }) => kind === 'matrix' && name !== EMBEDDING)
  const layers = range.lastLayer - range.firstLayer
  return {
    linear: matrices.reduce((sum, { rows, columns }) => sum + BigInt(rows) * BigInt(columns), 0n),
    attention: BigInt(ATTENTION_PASSES) * BigInt(layers) * BigInt(config.headCount) * BigInt(config.headSize),
  }
}

/** A stored model as a genesis file names it. `price`: grains per compute unit, at first. */
export function genesisModel({ manifest, hash }: StoredModel, price: bigint): GenesisModel {
  const { name, config } = manifest
  return { model: hash, name, context: config.contextLength, price, segments: modelWork(manifest) }
}
