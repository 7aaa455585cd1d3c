/**
 * Lots that a test opens and closes by hand, each in a lease of its own that costs nothing.
 * @module
 */
import { type AccountId, type Hash, hash } from '../src/base/brand.ts'
import { ZERO_HASH } from '../src/core/fields.ts'
import { ZERO_COUNTERS } from '../src/core/market/counters.ts'
import { addLeaseDue, removeLeaseDue } from '../src/core/state/lease-dues.ts'
import { getLease, leases, putLease } from '../src/core/state/leases.ts'
import { getMiner, putMiner } from '../src/core/state/miners.ts'
import { getPlacement, putPlacement } from '../src/core/state/placements.ts'
import type { ReadState, WriteState } from '../src/core/state/state.ts'

export interface HandLot {
  readonly model: Hash
  readonly operator: AccountId
  /** Grains of the deposit. Default none. */
  readonly task?: bigint
}

const EXPIRY = 1_000

/** `number`: of the lease, each time another. */
export function openLot(state: WriteState, { model, operator, task = 0n }: HandLot, number: number): void {
  const lease = hash(number.toString(16).padStart(64, '0'))
  putLease(state, lease, {
    ...{ payer: operator, model, voucherKey: new Uint8Array(32), cap: 0n, escrow: 0n },
    terms: { price: 0n, decodeWeight: 4n, treasuryShare: 0n, stakerShare: 0n, receiptRows: 256n },
    ...{ openedHeight: 1, expiryHeight: EXPIRY, dueHeight: EXPIRY, status: 'open', openAudits: 0 },
    ...{ seq: 0n, counters: ZERO_COUNTERS, transcript: ZERO_HASH },
    lots: [
      {
        ...{ operator, standby: undefined, end: 1, work: { linear: 1n, attention: 0n }, rate: 0n, task },
        ...{ incarnation: 0n, rows: 0, root: ZERO_HASH, state: 'unclaimed' },
      },
    ],
  })
  addLeaseDue(state, { height: EXPIRY, lease })
  count(state, { model, operator, task }, 1)
}

/** The lots of an operator that are open, by the ids of their leases. */
export function lotsOf(state: ReadState, operator: AccountId): Hash[] {
  return [...leases(state)].filter(([, { payer }]) => payer === operator).map(([id]) => id)
}

export function closeLot(state: WriteState, id: Hash): void {
  const { model, lots } = getLease(state, id)!
  const { operator, task } = lots[0]!
  putLease(state, id, undefined)
  removeLeaseDue(state, { height: EXPIRY, lease: id })
  count(state, { model, operator, task }, -1)
}

function count(state: WriteState, { model, operator, task }: Required<HandLot>, change: 1 | -1): void {
  const placement = getPlacement(state, { model, operator })!
  putPlacement(state, { model, operator }, { ...placement, used: placement.used + change })
  const miner = getMiner(state, operator)!
  const locked = miner.locked + BigInt(change) * task
  putMiner(state, operator, { ...miner, openLots: miner.openLots + change, locked })
}
