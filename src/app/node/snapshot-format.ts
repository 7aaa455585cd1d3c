/**
 * What a node tells of its snapshot: the height, and the positions of the parts in which the state is handed out.
 * Spec: docs/spec/wire.md §5.
 * @module
 */

import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { Reader, Writer } from '../../base/codec.ts'
import { readCount, writeCount } from '../../core/fields.ts'
import type { PartPosition } from '../../core/state/tree-parts.ts'

export interface SnapshotDescription {
  readonly height: number
  readonly positions: readonly PartPosition[]
}

export function encodeSnapshot({ height, positions }: SnapshotDescription): Uint8Array {
  const writer = writeCount(new Writer(16 + positions.length * 5), height)
  return writer.list(positions, (inner, { depthBits, index }) => inner.u8(depthBits).u32(index)).finish()
}

/** @throws CodecError. */
export function decodeSnapshot(bytes: Uint8Array): SnapshotDescription {
  const reader = new Reader(bytes)
  const height = readCount(reader)
  const positions = reader.list(NODE_LIMITS.snapshotPartsMax, (inner) => ({
    depthBits: inner.u8(),
    index: inner.u32(),
  }))
  reader.finish()
  return { height, positions }
}
