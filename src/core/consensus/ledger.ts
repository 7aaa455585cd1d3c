/**
 * What the replica needs of the chain, as a port: who votes, what to propose, whether a block is valid, and applying it.
 * `core/chain.ts` is the real one; the Twins enumeration gives a small one, because it is about votes only.
 * Spec: docs/spec/chain.md §7.
 * @module
 */
import type { Hash, Milliseconds } from '../../base/brand.ts'
import type { Block, Commit } from '../block/block.ts'
import type { BlockRequest } from '../block/produce.ts'
import type { ValidatorSet } from './validator-set.ts'

/** The latest finalized block, and what follows from it. */
export interface Head {
  readonly height: number
  readonly hash: Hash
  readonly timeMs: Milliseconds
  /** That made it final; undefined at the genesis block. */
  readonly commit: Commit | undefined
  /** Who votes at `height + 1`. */
  readonly validators: ValidatorSet
  /** Timeouts at `height + 1`. */
  readonly timing: Timing
}

/** Milliseconds; docs/spec/chain.md §5. */
export interface Timing {
  readonly proposeMs: number
  readonly voteMs: number
  /** Added per round. */
  readonly roundMs: number
  readonly commitMs: number
  readonly clockSkewMs: number
}

/** Why a block is not valid; `block` when the proposer must have known. */
export interface Refusal {
  readonly code: string
  readonly message: string
}

/** What takes long: it executes a block. */
export type LedgerWork =
  | { readonly type: 'check'; readonly block: Block }
  | { readonly type: 'propose'; readonly request: BlockRequest }

export interface Ledger {
  head(): Head
  /** Index, in the set of `head().height + 1`, of the proposer of a round at that height. */
  proposer(round: number): number
  /** A new block on the head by the member that this node is. */
  propose(request: BlockRequest): Block
  /**
   * Full check of a block on the head, execution included; the result is kept for `apply`. undefined: valid. `isCommitted`: a
   * quorum has committed it, so that what those who committed it checked for everybody may be left out: see `BlockChecks`.
   */
  check(block: Block, known?: { readonly isCommitted: boolean }): Refusal | undefined
  /** Makes a checked block the head. `commit` holds a quorum of precommits for it. */
  apply(block: Block, commit: Commit): void
  /**
   * Whether the transactions and the last commit are the ones that the header names. A proposal's signature covers the
   * header only, so a relay could swap the rest: nothing is believed of a block, and nobody blamed for it, before this holds.
   */
  isWhole(block: Block): boolean
  /** Hash of a header on this network. */
  hashOf(block: Block): Hash
  /**
   * Whether `check` or `propose` would answer without the work, because it was done ahead; who has no time for it meanwhile says so
   * by a false. Left out: they are quick.
   */
  isReady?(work: LedgerWork): boolean
}
