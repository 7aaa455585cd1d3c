/**
 * Moving grains. Every place that holds grains is a pot, and `move` is the one function that changes what pots hold: what it
 * takes from one it puts into another, so nothing is created or lost whatever the caller does. Taking more than there is, is a
 * bug of the caller. Bonds keep the sums of their validator and owner. Spec: docs/spec/chain.md §2.
 * @module
 */

import { assert, unreachable } from '../../base/assert.ts'
import { lesser } from '../../base/bigint.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { getAccount, putAccount } from './accounts.ts'
import { type BondId, getBond, putBond } from './bonds.ts'
import { getLease, putLease } from './leases.ts'
import { getMiner, putMiner } from './miners.ts'
import { getModel, putModel } from './models.ts'
import { getProposal, putProposal, reweighVotes } from './proposals.ts'
import type { WriteState } from './state.ts'
import { getSupply, putSupply, type Supply } from './supply.ts'
import { getUnbonding, putUnbonding, type UnbondingId } from './unbondings.ts'
import { getValidator, putValidator } from './validators.ts'

/** A place that holds grains. Bonds need their validator's record, and what belongs to a record needs that record. */
export type Pot =
  | { readonly type: 'account'; readonly id: AccountId }
  | ({ readonly type: 'bond' } & BondId)
  | ({ readonly type: 'unbonding' } & UnbondingId)
  | { readonly type: 'deposit'; readonly proposal: number }
  | { readonly type: 'model'; readonly model: Hash }
  | { readonly type: 'collateral'; readonly operator: AccountId }
  | { readonly type: 'escrow'; readonly lease: Hash }
  | { readonly type: 'pool' }

/** Where grains come from at the start: only `genesisState` takes from it. */
export type Origin = { readonly type: 'genesis' }
/** Where grains end. */
export type Fire = { readonly type: 'burnt' }

export interface Movement {
  readonly amount: bigint
  readonly from: Pot | Origin
  readonly to: Pot | Fire
}

/** Grains that there can be, ever: genesis and issuance together. Every amount of the state then fits a u64. */
export const SUPPLY_MAX: bigint = 2n ** 64n - 1n

/** Takes `amount` grains out of one pot and puts them into another. Asserts that the first holds them. */
export function move(state: WriteState, { amount, from, to }: Movement): void {
  assert(amount >= 0n, 'amounts are not negative')
  if (amount === 0n) return
  if (from.type === 'genesis') growGenesis(state, amount)
  else add(state, from, -amount)
  if (to.type === 'burnt') changeSupply(state, ({ burnt }) => ({ burnt: burnt + amount }))
  else add(state, to, amount)
}

/** Makes new grains in the reward pool, `amount` or what is missing to `SUPPLY_MAX`. Returns how many. */
export function issue(state: WriteState, amount: bigint): bigint {
  assert(amount >= 0n, 'amounts are not negative')
  const { genesis, issued } = getSupply(state)
  const room = SUPPLY_MAX - genesis - issued
  const made = lesser(amount, room)
  if (made > 0n) changeSupply(state, ({ pool }) => ({ issued: issued + made, pool: pool + made }))
  return made
}

/** Pays each of these accounts out of the reward pool; the pool's record is written once, however many they are. */
export function payOut(state: WriteState, amounts: ReadonlyMap<AccountId, bigint>): void {
  let paid = 0n
  for (const [id, amount] of amounts) {
    assert(amount >= 0n, 'amounts are not negative')
    if (amount > 0n) addToAccount(state, id, { balance: amount })
    paid += amount
  }
  if (paid > 0n) changeSupply(state, ({ pool }) => ({ pool: sum(pool, -paid) }))
}

/** Burns from a pot. */
export function burn(state: WriteState, from: Pot, amount: bigint): void {
  move(state, { amount, from, to: { type: 'burnt' } })
}

function growGenesis(state: WriteState, amount: bigint): void {
  changeSupply(state, ({ genesis }) => {
    assert(genesis + amount <= SUPPLY_MAX, 'the genesis supply was checked')
    return { genesis: genesis + amount }
  })
}

/** Adds `change` grains, positive or negative, to what a pot holds. */
function add(state: WriteState, pot: Pot, change: bigint): void {
  switch (pot.type) {
    case 'account':
      addToAccount(state, pot.id, { balance: change })
      break
    case 'bond':
      addToBond(state, pot, change)
      break
    case 'unbonding':
      putUnbonding(state, pot, sum(getUnbonding(state, pot), change))
      break
    case 'deposit':
      addToDeposit(state, pot.proposal, change)
      break
    case 'model':
      addToModel(state, pot.model, change)
      break
    case 'collateral':
      addToCollateral(state, pot.operator, change)
      break
    case 'escrow':
      addToEscrow(state, pot.lease, change)
      break
    case 'pool':
      changeSupply(state, ({ pool }) => ({ pool: sum(pool, change) }))
      break
    default:
      unreachable(pot)
  }
}

function addToAccount(state: WriteState, id: AccountId, change: { balance?: bigint; bonded?: bigint }): void {
  const account = getAccount(state, id)
  const balance = sum(account.balance, change.balance ?? 0n)
  putAccount(state, id, { ...account, balance, bonded: sum(account.bonded, change.bonded ?? 0n) })
}

function addToDeposit(state: WriteState, number: number, change: bigint): void {
  const proposal = getProposal(state, number)
  assert(proposal !== undefined, 'a deposit belongs to a proposal')
  putProposal(state, number, { ...proposal, deposit: sum(proposal.deposit, change) })
}

function addToModel(state: WriteState, model: Hash, change: bigint): void {
  const record = getModel(state, model)
  assert(record !== undefined, 'a deposit belongs to a model')
  putModel(state, model, { ...record, deposit: sum(record.deposit, change) })
}

function addToCollateral(state: WriteState, operator: AccountId, change: bigint): void {
  const miner = getMiner(state, operator)
  assert(miner !== undefined, 'a deposit belongs to a miner')
  putMiner(state, operator, { ...miner, deposit: sum(miner.deposit, change) })
}

function addToEscrow(state: WriteState, id: Hash, change: bigint): void {
  const lease = getLease(state, id)
  assert(lease !== undefined, 'an escrow belongs to a lease')
  putLease(state, id, { ...lease, escrow: sum(lease.escrow, change) })
}

function addToBond(state: WriteState, id: BondId, change: bigint): void {
  const validator = getValidator(state, id.validator)
  assert(validator !== undefined, 'a bond belongs to a validator')
  const before = getBond(state, id)
  const after = sum(before, change)
  putBond(state, id, after)
  const bonds = validator.bonds + (before === 0n ? 1 : 0) - (after === 0n ? 1 : 0)
  putValidator(state, id.validator, { ...validator, bonds, stake: sum(validator.stake, change) })
  addToAccount(state, id.owner, { bonded: change })
  changeSupply(state, ({ bonded }) => ({ bonded: sum(bonded, change) }))
  reweighVotes(state, id.owner, change)
}

function changeSupply(state: WriteState, change: (supply: Supply) => Partial<Supply>): void {
  const supply = getSupply(state)
  putSupply(state, { ...supply, ...change(supply) })
}

function sum(amount: bigint, change: bigint): bigint {
  const result = amount + change
  assert(result >= 0n && result <= SUPPLY_MAX, 'a pot holds what is taken from it')
  return result
}
