/**
 * A full node's guard against a chain that was made up long after: a checkpoint that a person gave must be on the chain, and
 * a node that was away for longer than stake is bound needs one. Spec: docs/spec/consensus.md §10.
 * @module
 */
import type { Hash, Milliseconds } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import type { Genesis } from '../../core/genesis.ts'
import type { Checkpoint } from '../light/checkpoint.ts'
import { trustOf } from '../light/open-light.ts'

export class CheckpointGuardError extends HouseError<'CHAIN_WRONG_CHECKPOINT' | 'CHAIN_TRUST_EXPIRED'> {}

/** @throws CheckpointGuardError CHAIN_WRONG_CHECKPOINT: the block must not be kept. */
export function checkAgainst(checkpoint: Checkpoint | undefined, height: number, hash: Hash): void {
  if (checkpoint === undefined || checkpoint.height !== height || checkpoint.hash === hash) return
  const message = `Block ${height} of the peers is ${hash.slice(0, 12)}…, and you trust ${checkpoint.hash.slice(0, 12)}…. Either the checkpoint is wrong, or these peers are on a chain that was made up. Compare with another source.`
  throw new CheckpointGuardError('CHAIN_WRONG_CHECKPOINT', message, { details: { height, hash } })
}

/** @throws CheckpointGuardError CHAIN_TRUST_EXPIRED. */
export function checkAge(
  genesis: Genesis,
  newest: { readonly height: number; readonly timeMs: Milliseconds },
  { nowMs, checkpoint }: { readonly nowMs: Milliseconds; readonly checkpoint: Checkpoint | undefined },
): void {
  const { trustingPeriodMs } = trustOf(genesis)
  if (checkpoint !== undefined || nowMs - newest.timeMs <= trustingPeriodMs) return
  const days = Math.floor((nowMs - newest.timeMs) / 86_400_000)
  const message = `The newest block here, ${newest.height}, is ${days} days old. Validators of that time may have withdrawn their stake and can make up another chain. Give a recent block from a source that you trust, with --trust-height and --trust-hash.`
  throw new CheckpointGuardError('CHAIN_TRUST_EXPIRED', message, { details: { height: newest.height, days } })
}
