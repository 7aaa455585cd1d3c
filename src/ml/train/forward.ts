/**
 * A whole model over a batch of texts, with gradients: the layers of the tfjs engine without caches.
 * Spec: docs/spec/float.md §4.
 * @module
 */
import type { ModelConfig } from '../config.ts'
import { type LayerWeights, layerForward } from '../engine/tfjs/layer.ts'
import type { ModelOps } from '../engine/tfjs/model-ops.ts'
import { pieceTensors } from '../engine/tfjs/positions.ts'
import type { Tensor } from '../engine/tfjs/tensorflow.ts'
import { ropeTables } from '../rope.ts'
import type { TokenBatch } from './batch.ts'

/** The weights of a model, some or all of which learn. */
export interface ModelWeights {
  embed(ids: Tensor): Tensor // (n) to (n, d)
  layer(index: number): LayerWeights
  readonly outputNorm: Tensor // (d)
  head(x: Tensor): Tensor // (n, d) to (n, vocabulary)
}

/** Logits after each input token, (batch·rows, vocabulary). */
export function modelLogits(
  { batch, rows, inputs }: Omit<TokenBatch, 'targets'>,
  weights: ModelWeights,
  { ops, config }: { ops: ModelOps; config: ModelConfig },
): Tensor {
  const piece = { position: 0, rows, positions: rows }
  const { rope, mask } = pieceTensors(ops.tf, piece, { config, tables: ropeTables(config, rows) })
  let x = weights.embed(ops.tf.tensor(inputs, [batch * rows], 'int32'))
  for (let layer = 0; layer < config.layerCount; layer++) {
    const remember = <Kept>(fresh: Kept): Kept => fresh
    x = layerForward(x, weights.layer(layer), { ops, config, batch, rows, rope, mask, remember })
  }
  return weights.head(ops.rmsNorm(x, weights.outputNorm, config.normEpsilon))
}
