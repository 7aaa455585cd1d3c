/**
 * What a node tells of its snapshot: the height, and the positions of the parts in which the state is handed out.
 * Spec: docs/spec/wire.md §5.
 * @module
 */

import { NODE_LIMITS, STATE_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { readCount, writeCount } from '../../core/fields.ts'
import type { PartPosition } from '../../core/state/tree-parts.ts'

export interface SnapshotDescription {
  readonly height: number
  readonly positions: readonly PartPosition[]
}

export function encodeSnapshot({ height, positions }: SnapshotDescription): Uint8Array {
  const writer = writeCount(new Writer(16 + positions.length * 9), height)
  return writer.list(positions, (inner, { depthBits, index }) => writeCount(inner.u8(depthBits), index)).finish()
}

/** @throws CodecError. */
export function decodeSnapshot(bytes: Uint8Array): SnapshotDescription {
  const reader = new Reader(bytes)
  const height = readCount(reader)
  const positions = reader.list(NODE_LIMITS.snapshotPartsMax, readPosition)
  reader.finish()
  return { height, positions }
}

function readPosition(reader: Reader): PartPosition {
  const depthBits = reader.u8()
  const index = readCount(reader)
  if (depthBits <= STATE_LIMITS.partDepthBitsMax && index < 2 ** depthBits) return { depthBits, index }
  throw new CodecError('CODEC_BAD_VALUE', 'A snapshot names a part that no state has.')
}
