/**
 * What a double sign costs: the tombstone, and a part of every bond to the validator and of every unbonding whose grains stood behind
 * its votes at the time. Bonds, which are few, lose it at once; unbondings, of which there may be any number, when they are paid.
 * Spec: docs/spec/chain.md §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId } from '../../base/brand.ts'
import { bonds } from './bonds.ts'
import { type Evidence, getEvidence, putEvidence } from './evidence-record.ts'
import { move } from './money.ts'
import type { ReadState, WriteState } from './state.ts'
import type { Unbonding } from './unbondings.ts'
import { getValidator, putValidator } from './validators.ts'

const PER_MILLE = 1_000n

export interface Punishment {
  readonly validator: AccountId
  readonly evidence: Evidence
  readonly reporter: AccountId
  /** Grains that the reporter gets back, at most what the bonds lose. */
  readonly refund: bigint
}

/** Tombstones the validator and slashes the bonds to it. Its work is bounded by `bondsPerValidatorMax`. */
export function punish(state: WriteState, { validator: id, evidence, reporter, refund }: Punishment): void {
  const validator = getValidator(state, id)
  assert(validator !== undefined, 'only validators are punished')
  assert(getEvidence(state, id) === undefined, 'nobody is punished twice')
  putValidator(state, id, { ...validator, status: 'tombstoned' })
  putEvidence(state, id, evidence)
  let owed = refund
  // A list, because the table changes while it is worked off.
  for (const { amount, ...bond } of [...bonds(state, id)]) {
    const from = { type: 'bond', ...bond } as const
    const cut = cutOf(amount, evidence)
    if (owed < cut) {
      move(state, { amount: owed, from, to: { type: 'account', id: reporter } })
      move(state, { amount: cut - owed, from, to: { type: 'burnt' } })
      owed = 0n
    } else {
      move(state, { amount: cut, from, to: { type: 'account', id: reporter } })
      owed -= cut
    }
  }
}

/** Grains that an unbonding loses to a punishment when it is paid; 0 mostly. */
export function slashOf(state: ReadState, { validator, begunHeight, amount }: Unbonding): bigint {
  const evidence = getEvidence(state, validator)
  if (evidence === undefined || begunHeight < evidence.since || begunHeight > evidence.punishedHeight) return 0n
  return cutOf(amount, evidence)
}

/** Pays an unbonding to its owner, what is slashed excepted, which is burnt. */
export function payUnbonding(state: WriteState, unbonding: Unbonding): void {
  const { amount, ...id } = unbonding
  const from = { type: 'unbonding', ...id } as const
  const cut = slashOf(state, unbonding)
  move(state, { amount: cut, from, to: { type: 'burnt' } })
  move(state, { amount: amount - cut, from, to: { type: 'account', id: id.owner } })
}

function cutOf(amount: bigint, { slash }: Evidence): bigint {
  return (amount * BigInt(slash)) / PER_MILLE
}
