/**
 * What a double sign costs: the tombstone, and a part of every bond to the validator and of every unbonding whose grains stood behind
 * its votes at the time.
 * Spec: docs/spec/chain.md §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId } from '../../base/brand.ts'
import { bonds } from './bonds.ts'
import { type Infraction, putEvidence } from './evidence-record.ts'
import { move, type Pot } from './money.ts'
import type { WriteState } from './state.ts'
import { unbondingsFrom } from './unbondings.ts'
import { getValidator, putValidator } from './validators.ts'

const PER_MILLE = 1_000n

export interface Punishment {
  readonly infraction: Infraction
  /** Unbondings begun at this height or later stood behind the votes; see `stakeSince`. */
  readonly since: number
  /** Height of the block that punishes. */
  readonly height: number
  /** Per mille of each amount, rounded down. */
  readonly slash: bigint
  readonly reporter: AccountId
  /** Grains that the reporter gets back, at most what is slashed. */
  readonly refund: bigint
}

/** Tombstones the validator and slashes what was bonded to it. Returns the grains slashed. */
export function punish(state: WriteState, punishment: Punishment): bigint {
  const { infraction, height, slash, reporter } = punishment
  const validator = getValidator(state, infraction.validator)
  assert(validator !== undefined, 'only validators are punished')
  putValidator(state, infraction.validator, { ...validator, status: 'tombstoned' })
  putEvidence(state, infraction, height)
  let slashed = 0n
  let owed = punishment.refund
  for (const { pot, amount } of slashablePots(state, infraction.validator, punishment.since)) {
    const cut = (amount * slash) / PER_MILLE
    const back = cut < owed ? cut : owed
    move(state, { amount: back, from: pot, to: { type: 'account', id: reporter } })
    move(state, { amount: cut - back, from: pot, to: { type: 'burnt' } })
    slashed += cut
    owed -= back
  }
  return slashed
}

/** A list, because the tables change while it is worked off. */
function slashablePots(state: WriteState, validator: AccountId, since: number): { pot: Pot; amount: bigint }[] {
  const pots: { pot: Pot; amount: bigint }[] = []
  for (const { amount, ...id } of bonds(state, validator)) pots.push({ pot: { type: 'bond', ...id }, amount })
  for (const { amount, ...id } of unbondingsFrom(state, { validator, since })) {
    pots.push({ pot: { type: 'unbonding', ...id }, amount })
  }
  return pots
}
