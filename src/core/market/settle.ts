/**
 * The end of a lease: it closes, which gives its slots back at once, and is settled when its disputes are over: claimed lots are paid,
 * the rest of the escrow returns, deposits are free again. Spec: docs/spec/market.md §5.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { TREASURY } from '../state/accounts.ts'
import { addLeaseDue, removeLeaseDue } from '../state/lease-dues.ts'
import { getLease, type LeaseRecord, type LotRecord, type LotState, putLease } from '../state/leases.ts'
import { getMiner, putMiner } from '../state/miners.ts'
import { burn, move } from '../state/money.ts'
import { getPlacement, putPlacement } from '../state/placements.ts'
import type { ReadState, WriteState } from '../state/state.ts'
import { paidUnits } from './charge.ts'
import { splitCharge } from './price.ts'

/** What a lot got. */
export interface SettledLot {
  readonly operator: AccountId
  /** Who was paid. */
  readonly payout: AccountId
  /** Last segment, exclusive; it begins where the lot before it ends. */
  readonly end: number
  /** Only claimed ones were paid. */
  readonly state: LotState
  /** Compute units that were paid. */
  readonly units: bigint
  /** Grains. */
  readonly pay: bigint
}

/** Where the escrow of a lease went, in grains. */
export interface Settlement {
  readonly lease: Hash
  readonly payer: AccountId
  readonly model: Hash
  readonly lots: readonly SettledLot[]
  /** All that follows but the refund, and the pay of the lots. */
  readonly charge: bigint
  readonly treasury: bigint
  readonly stakers: bigint
  readonly burnt: bigint
  /** To the payer. */
  readonly refund: bigint
}

/** Ends an open lease: no more work, claims until `dueHeight`. */
export function closeLease(state: WriteState, id: Hash, dueHeight: number): void {
  const lease = getLease(state, id)
  assert(lease?.status === 'open', 'a lease closes once')
  for (const { operator } of lease.lots) {
    const placementId = { model: lease.model, operator }
    const placement = getPlacement(state, placementId)
    assert(placement !== undefined, 'a placement stays while a lot of it is open')
    putPlacement(state, placementId, { ...placement, used: placement.used - 1 })
  }
  removeLeaseDue(state, { height: lease.dueHeight, lease: id })
  addLeaseDue(state, { height: dueHeight, lease: id })
  putLease(state, id, { ...lease, status: 'closing', dueHeight })
}

/** The lease waits for so many audits, at least 1, and is due no more: whoever ends the last of them settles it. */
export function awaitAudits(state: WriteState, id: Hash, openAudits: number): void {
  const lease = getLease(state, id)
  assert(lease?.status === 'closing' && openAudits > 0, 'audits are drawn of a closing lease')
  removeLeaseDue(state, { height: lease.dueHeight, lease: id })
  putLease(state, id, { ...lease, status: 'auditing', openAudits })
}

/** Pays a lease that is closing, or whose audits have all ended, and forgets it. */
export function settleLease(state: WriteState, id: Hash): Settlement {
  const lease = getLease(state, id)
  assert(
    lease !== undefined && lease.status !== 'open' && lease.openAudits === 0,
    'a lease is settled after its audits',
  )
  const settlement = settlementOf(state, id, lease)
  const from = { type: 'escrow', lease: id } as const
  for (const { payout, pay } of settlement.lots) move(state, { amount: pay, from, to: { type: 'account', id: payout } })
  move(state, { amount: settlement.treasury, from, to: { type: 'account', id: TREASURY } })
  move(state, { amount: settlement.stakers, from, to: { type: 'pool' } })
  burn(state, from, settlement.burnt)
  move(state, { amount: settlement.refund, from, to: { type: 'account', id: lease.payer } })
  for (const lot of lease.lots) release(state, lot)
  if (lease.status === 'closing') removeLeaseDue(state, { height: lease.dueHeight, lease: id })
  putLease(state, id, undefined)
  return settlement
}

function settlementOf(state: ReadState, id: Hash, lease: LeaseRecord): Settlement {
  const lots = lease.lots.map((lot) => {
    const units = paidUnits(lot, lease)
    const { operator, end, state: lotState } = lot
    const { payout } = requireMiner(state, lot)
    return { operator, payout, end, state: lotState, units, pay: lot.rate * units }
  })
  const charge = lease.terms.price * lots.reduce((sum, { units }) => sum + units, 0n)
  const { treasury, stakers } = splitCharge(charge, lease.terms)
  const burnt = charge - treasury - stakers - lots.reduce((sum, { pay }) => sum + pay, 0n)
  // Rates are at most the miners' share of the price, and vouchers above the cap are refused.
  assert(burnt >= 0n && charge <= lease.escrow, 'a charge is what its parts are, and at most the escrow')
  const refund = lease.escrow - charge
  return { lease: id, payer: lease.payer, model: lease.model, lots, charge, treasury, stakers, burnt, refund }
}

/** A lot that found its end stands behind nothing any more. */
function release(state: WriteState, lot: LotRecord): void {
  const miner = requireMiner(state, lot)
  putMiner(state, lot.operator, { ...miner, locked: miner.locked - lot.task, openLots: miner.openLots - 1 })
}

function requireMiner(state: ReadState, { operator }: LotRecord): NonNullable<ReturnType<typeof getMiner>> {
  const miner = getMiner(state, operator)
  assert(miner !== undefined, 'a miner stays while lots of it are open')
  return miner
}
