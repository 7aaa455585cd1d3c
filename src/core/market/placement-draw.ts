/**
 * When each machine looks at its placement, and whose announcement comes first: a number per machine and epoch that nobody chooses, so that not all
 * move at once. Spec: docs/spec/market.md §14.
 * @module
 */
import { utf8ToBytes } from '@noble/hashes/utils.js'
import { Writer } from '../../base/codec.ts'
import { taggedHash } from '../hash.ts'

const TAG = 'dllm/placement-draw'
const DRAW_BYTES = 6

/** 0 to below 2⁴⁸. `who`: the operator's address, or where there is no chain the peer. */
export function placementDraw(who: string, epoch: number): number {
  const name = utf8ToBytes(who)
  const digest = taggedHash(TAG, new Writer().u64(BigInt(epoch)).raw(name).finish())
  return digest.subarray(0, DRAW_BYTES).reduce((value, byte) => value * 256 + byte, 0)
}

/** The only one of the `length` steps of time of an epoch, from 0, at which this machine looks. */
export function lookStep(who: string, { epoch, length }: { readonly epoch: number; readonly length: number }): number {
  return placementDraw(who, epoch) % length
}

/** Whether the announcement of `who` counts for `other` when both were made in this epoch: who comes later gives way. */
export function comesBefore(who: string, other: string, epoch: number): boolean {
  const [a, b] = [placementDraw(who, epoch), placementDraw(other, epoch)]
  return a === b ? who < other : a < b
}
