/**
 * What may be said of a model: its name, its context, and the work of its segments. The same for a transaction and for a genesis file.
 * Spec: docs/spec/market.md §4.
 * @module
 */
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { MACS_PER_UNIT, type SegmentWork } from './work.ts'

/** What is said of a model beside its hash and its price. */
export interface ModelClaim {
  readonly name: string
  /** Positions that a session may use. */
  readonly context: number
  readonly segments: readonly SegmentWork[]
}

export interface ModelFault {
  readonly code: 'BAD_NAME' | 'BAD_CONTEXT' | 'BAD_SEGMENTS'
  readonly field: 'name' | 'context' | 'segments'
  /** The end of a sentence that begins with the field. */
  readonly fault: string
}

/** As docs/spec/model.md §6 has it: such a name can be typed, and be a folder. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const ROW_MACS_MAX = MARKET_LIMITS.rowUnitsMax * MACS_PER_UNIT

/** The first thing that is wrong with it, or undefined. */
export function modelFault({ name, context, segments }: ModelClaim): ModelFault | undefined {
  const { modelNameBytesMax, segmentsMax, rowUnitsMax } = MARKET_LIMITS
  if (!NAME.test(name) || name.length > modelNameBytesMax) {
    const fault = `has 1 to ${modelNameBytesMax} letters, digits, dots, dashes or underscores, the first a letter or digit`
    return { code: 'BAD_NAME', field: 'name', fault }
  }
  if (context < 1) return { code: 'BAD_CONTEXT', field: 'context', fault: 'must be at least 1 position' }
  if (segments.length === 0 || segments.length > segmentsMax) {
    return { code: 'BAD_SEGMENTS', field: 'segments', fault: `must be 1 to ${segmentsMax}` }
  }
  if (segments.some(({ linear }) => linear === 0n)) {
    return { code: 'BAD_SEGMENTS', field: 'segments', fault: 'must each have some linear work' }
  }
  if (rowMacs(segments, context) > ROW_MACS_MAX) {
    const fault = `may have ${rowUnitsMax} compute units in all for a row at the end of the context`
    return { code: 'BAD_SEGMENTS', field: 'segments', fault }
  }
  return undefined
}

/** Multiply-accumulates of the dearest row. */
function rowMacs(segments: readonly SegmentWork[], context: number): bigint {
  return segments.reduce((sum, { linear, attention }) => sum + linear + attention * BigInt(context), 0n)
}
