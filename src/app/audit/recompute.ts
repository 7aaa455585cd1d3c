/**
 * Recomputes a window of a lot from what went into the lot.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { ModelConfig } from '../../ml/config.ts'
import type { LayerRange } from '../../ml/tensors.ts'
import type { EngineHost } from '../engine-host.ts'

/** A run of segments that this miner has in an engine, and can open caches for parts of. */
export interface AuditEngine {
  readonly model: Hash
  readonly config: ModelConfig
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  /** Layers of a run of segments within these; `lastSegment` is exclusive. */
  readonly rangeOf: (firstSegment: number, lastSegment: number) => LayerRange
  readonly host: EngineHost
}
