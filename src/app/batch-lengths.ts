/**
 * How long batches of one stage take, as far as can be told from those before: by their rows, and by how much is computed for them. A row is not
 * as long as another one: caches are of parts of the stage, logits are wanted or not, and who is far in its context reads more keys and values.
 * Decision: docs/adr/0014-short-steps.md.
 * @module
 */
import type { Milliseconds } from '../base/brand.ts'
import { ENGINE_LIMITS } from '../base/limits.ts'
import type { ModelConfig } from '../ml/config.ts'
import type { CacheId, StepInput } from '../ml/engine/engine.ts'
import { rowsOf } from '../ml/engine/step-check.ts'
import { PASS_ROWS_MAX } from '../ml/engine/step-runner.ts'
import { HEAD, type LayerRange, tensorPlan } from '../ml/tensors.ts'

/** Batches of equal size are expected to take as long. */
export interface BatchSize {
  readonly rows: number
  /** Power of two of what is read and multiplied; a batch of the next one takes up to twice as long. */
  readonly scale: number
}

/** Sizes of batches, by the parts of their caches. */
export interface BatchSizes {
  opened(cache: CacheId, part?: LayerRange): void
  closed(cache: CacheId): void
  /** Of a batch of caches that were opened, or of steps that the stage will refuse. */
  of(batch: readonly StepInput[]): BatchSize
}

/** Numbers that are multiplied with each row; keys and values are those of one position. */
interface PartSize {
  readonly layers: number
  readonly head: number
  readonly position: number
}

/** To read a number from memory takes as long as so many products of it. */
const READ = 8

export function createBatchSizes(config: ModelConfig, range: LayerRange): BatchSizes {
  const sizes = new Map<string, PartSize>()
  const parts = new Map<CacheId, PartSize>()
  const sizeOf = (part: LayerRange): PartSize => {
    const key = `${part.firstLayer} ${part.lastLayer} ${part.hasEmbedding} ${part.hasHead}`
    const size = sizes.get(key) ?? partSize(config, part)
    sizes.set(key, size)
    return size
  }
  return {
    opened: (cache, part = range) => void parts.set(cache, sizeOf(part)),
    closed: (cache) => void parts.delete(cache),
    of(batch) {
      const known: PartSize[] = []
      let rows = 0
      let work = 0
      for (const step of batch) {
        const part = parts.get(step.cache) ?? sizeOf(range)
        // Weights are read once for all.
        if (!known.includes(part)) work += READ * (part.layers + part.head)
        known.push(part)
        const count = Math.ceil(rowsOf(step, config))
        const logitRows = step.logits === 'all' ? count : step.logits === 'last' ? 1 : 0
        work += count * part.layers + logitRows * part.head + READ * part.position * count * (step.position + count)
        rows += count
      }
      return { rows, scale: Math.ceil(Math.log2(Math.max(work, 1))) }
    },
  }
}

function partSize(config: ModelConfig, part: LayerRange): PartSize {
  const tensors = tensorPlan(config, { ...part, hasEmbedding: false })
  const all = tensors.reduce((sum, { rows, columns }) => sum + rows * columns, 0)
  const head = tensors.find(({ name }) => name === HEAD)
  const headNumbers = head === undefined ? 0 : head.rows * head.columns
  const position = (part.lastLayer - part.firstLayer) * 2 * config.keyValueHeadCount * config.headSize
  return { layers: all - headNumbers, head: headNumbers, position }
}

export interface BatchLengths {
  /** Not before a batch of this size, or one that is no smaller, was seen. */
  isShort(size: BatchSize): boolean
  /** `isWhole`: every step was computed to its end. */
  note(size: BatchSize, ms: Milliseconds, isWhole: boolean): void
}

/** Of a slow batch this share is still expected of the next: a machine that was busy may be so again. */
const REMEMBERED = 0.8

interface Seen extends BatchSize {
  ms: number
}

export function createBatchLengths(): BatchLengths {
  /** As many as there are powers of two that a stage can compute, for each number of rows. */
  const seen = new Map<string, Seen>()
  const keyOf = ({ rows, scale }: BatchSize): string => `${rows} ${scale}`
  const isHeld = ({ ms }: Seen): boolean => ms <= ENGINE_LIMITS.holdMs
  return {
    isShort(size) {
      const same = seen.get(keyOf(size))
      if (same !== undefined) return isHeld(same)
      return [...seen.values()].some((one) => one.rows >= size.rows && one.scale >= size.scale && isHeld(one))
    },
    note(size, ms, isWhole) {
      // Of more than a pass, no batch is short enough where it matters. Steps that were refused tell nothing, but of those that took long before they failed.
      if (size.rows > PASS_ROWS_MAX || (!isWhole && ms <= ENGINE_LIMITS.holdMs)) return
      const before = seen.get(keyOf(size))?.ms ?? 0
      seen.set(keyOf(size), { ...size, ms: Math.max(ms, before * REMEMBERED) })
    },
  }
}
