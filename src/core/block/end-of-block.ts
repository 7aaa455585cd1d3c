/**
 * What happens in every block beside its transactions: who signed is counted before them; unbondings are paid, grains are
 * issued, the seed, the market and the price move on after them. Spec: docs/spec/chain.md §4.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { ValidatorSet } from '../consensus/validator-set.ts'
import { endMarketBlock } from '../market/end-of-block.ts'
import type { MarketEvent } from '../market/events.ts'
import type { Parameters } from '../parameters.ts'
import { getBaseFee, putBaseFee } from '../state/base-fee-record.ts'
import { issue } from '../state/money.ts'
import { getSeed, putSeed } from '../state/seed-record.ts'
import { payUnbonding } from '../state/slash.ts'
import type { WriteState } from '../state/state.ts'
import { unbondings } from '../state/unbondings.ts'
import { getValidator, putValidator } from '../state/validators.ts'
import { nextBaseFee } from './base-fee.ts'
import type { Commit } from './block.ts'
import { nextSeed } from './seed.ts'

const PER_MILLE = 1_000n

/** Counts who signed the parent. `set`: that voted on it. */
export function countSignatures(state: WriteState, commit: Commit, set: ValidatorSet): void {
  assert(commit.signatures.length === set.members.length, 'the commit is of the set')
  for (const [at, { id }] of set.members.entries()) {
    if (commit.signatures[at] === undefined) continue
    const validator = getValidator(state, id)
    assert(validator !== undefined, 'validators are never forgotten')
    putValidator(state, id, { ...validator, signedBlocks: validator.signedBlocks + 1 })
  }
}

export interface BlockEnd {
  readonly height: number
  /** In force in this block. */
  readonly parameters: Parameters
  /** That its transactions took. */
  readonly units: number
  /** Of its proposer, 96 bytes. */
  readonly seedSignature: Uint8Array
}

/** After the transactions of every block. Returns what the market did. */
export function endBlock(
  state: WriteState,
  { height, parameters, units, seedSignature }: BlockEnd,
): readonly MarketEvent[] {
  payUnbondings(state, height)
  // The rest of `issuancePerBlock` is for audited work and is not issued until there is some.
  issue(state, (parameters.issuancePerBlock * parameters.stakeShare) / PER_MILLE)
  const seed = nextSeed(getSeed(state), seedSignature)
  putSeed(state, seed)
  const events = endMarketBlock(state, { height, parameters, seed })
  const { blockUnitsTarget: target, baseFeeMin: floor } = parameters
  putBaseFee(state, nextBaseFee({ baseFee: getBaseFee(state), units, target, floor }))
  return events
}

function payUnbondings(state: WriteState, height: number): void {
  for (const unbonding of [...unbondings(state, height)]) payUnbonding(state, unbonding)
}
