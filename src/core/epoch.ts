/**
 * Epochs: runs of blocks with one validator set. Their length is fixed by the genesis file, because a vote that changed it
 * would renumber the epochs that were. Spec: docs/spec/chain.md §6.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { Parameters } from './parameters.ts'

/** The epoch of a height of at least 1. */
export function epochOf(height: number, { epochBlocks }: Pick<Parameters, 'epochBlocks'>): number {
  assert(height >= 1, 'the genesis block is in no epoch')
  return Math.floor((height - 1) / Number(epochBlocks))
}

/**
 * The first height from which on an unbonded amount still counted in the set that voted at `height`: sets are drawn an epoch
 * before they vote, so what left the stake in the epoch before stood behind the votes of this one.
 */
export function stakeSince(height: number, parameters: Pick<Parameters, 'epochBlocks'>): number {
  return Math.max(0, epochOf(height, parameters) - 1) * Number(parameters.epochBlocks) + 1
}

/** The last height of the epoch of `height`. */
export function epochEndOf(height: number, parameters: Pick<Parameters, 'epochBlocks'>): number {
  return (epochOf(height, parameters) + 1) * Number(parameters.epochBlocks)
}
