/**
 * Whether a block kept the sums, in time of what it changed: grains held against grains made and burnt, stakes of validators and
 * bonded sums of owners against bonds. Cheap enough for every block; the sweep over a whole state is invariants.ts.
 * Spec: docs/spec/chain.md §2.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { finish, type Steps } from '../../base/steps.ts'
import { readAccount } from './accounts.ts'
import { bondOfKey, readAmount } from './bonds.ts'
import { readLease } from './leases.ts'
import { readMiner } from './miners.ts'
import { readModel } from './models.ts'
import { readProposal } from './proposals.ts'
import type { ReadState, StateChanges, StateKey } from './state.ts'
import { readSupply } from './supply.ts'
import { accountInKey, decodeRecord, TABLE, tableOf } from './tables.ts'
import { readValidator } from './validators.ts'

/** What records add to each sum. */
interface Sums {
  /** Grains in all pots. */
  held: bigint
  /** Grains made, less those burnt. */
  made: bigint
  /** By validator: its stake, less the bonds to it. */
  readonly stakes: Map<AccountId, bigint>
  /** By owner: its bonded sum, less its bonds. */
  readonly owners: Map<AccountId, bigint>
  /** Grains that the supply record counts as bonded, less those in bonds. */
  bonded: bigint
}

/**
 * What is wrong with the sums after `changes`, if nothing was before; undefined: they still agree. `before` is the state that
 * the changes are for.
 */
export function conservationFault(before: ReadState, changes: StateChanges): string | undefined {
  return finish(conservationInSteps(before, changes))
}

/** The same in steps; `before` must stay as it is until the last one. */
export function* conservationInSteps(before: ReadState, changes: StateChanges): Steps<string | undefined> {
  const sums: Sums = { held: 0n, made: 0n, stakes: new Map(), owners: new Map(), bonded: 0n }
  for (const [at, [key, after]] of changes.entries()) {
    count(sums, key, before.get(key), -1n)
    count(sums, key, after, 1n)
    if (at % CHANGES_PER_STEP === CHANGES_PER_STEP - 1) yield
  }
  if (sums.held !== sums.made) return `the block made or lost ${sums.held - sums.made} grains`
  if (sums.bonded !== 0n) return `the sum of all bonds is off by ${sums.bonded} grains`
  return unequal('the stake of validator', sums.stakes) ?? unequal('the bonded sum of account', sums.owners)
}

/** A few microseconds each. */
const CHANGES_PER_STEP = 256

function count(sums: Sums, key: StateKey, bytes: Uint8Array | undefined, sign: bigint): void {
  if (bytes === undefined) return
  const table = tableOf(key)
  if (table === TABLE.account) {
    const { balance, bonded } = decodeRecord(bytes, readAccount)
    sums.held += sign * balance
    addTo(sums.owners, accountInKey(key, 0), sign * bonded)
  } else if (table === TABLE.validator) {
    addTo(sums.stakes, accountInKey(key, 0), sign * decodeRecord(bytes, readValidator).stake)
  } else if (table === TABLE.bond) {
    const amount = sign * decodeRecord(bytes, readAmount)
    const { validator, owner } = bondOfKey(key)
    sums.held += amount
    sums.bonded -= amount
    addTo(sums.stakes, validator, -amount)
    addTo(sums.owners, owner, -amount)
  } else if (table === TABLE.unbonding) {
    sums.held += sign * decodeRecord(bytes, readAmount)
  } else if (table === TABLE.proposal) {
    sums.held += sign * decodeRecord(bytes, readProposal).deposit
  } else if (table === TABLE.model) {
    sums.held += sign * decodeRecord(bytes, readModel).deposit
  } else if (table === TABLE.miner) {
    sums.held += sign * decodeRecord(bytes, readMiner).deposit
  } else if (table === TABLE.lease) {
    sums.held += sign * decodeRecord(bytes, readLease).escrow
  } else if (table === TABLE.supply) {
    const { genesis, issued, burnt, pool, bonded } = decodeRecord(bytes, readSupply)
    sums.bonded += sign * bonded
    sums.held += sign * pool
    sums.made += sign * (genesis + issued - burnt)
  }
}

function addTo(sums: Map<AccountId, bigint>, id: AccountId, amount: bigint): void {
  sums.set(id, (sums.get(id) ?? 0n) + amount)
}

function unequal(what: string, sums: ReadonlyMap<AccountId, bigint>): string | undefined {
  for (const [id, difference] of sums) if (difference !== 0n) return `${what} ${id} is off by ${difference} grains`
  return undefined
}
