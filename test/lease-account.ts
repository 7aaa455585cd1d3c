/**
 * A second, plain account of what leases cost, for tests: it shares no code with src/core/market but the types.
 * @module
 */
import type { Hash } from '../src/base/brand.ts'
import type { Counters } from '../src/core/market/counters.ts'
import type { Settlement } from '../src/core/market/settle.ts'
import type { SignedVoucher } from '../src/core/market/voucher.ts'
import type { LeaseRecord } from '../src/core/state/leases.ts'
import { getMiner } from '../src/core/state/miners.ts'
import type { Person } from './chain-accounts.ts'
import { type LeaseWorld, MODEL } from './lease-world.ts'

type Payment = Pick<SignedVoucher, 'seq' | 'counters' | 'transcript'>

/** What the test knows of a lease. */
export interface LeaseAccount {
  readonly id: Hash
  readonly payer: Person
  readonly lease: LeaseRecord
  readonly vouchers: SignedVoucher[]
  /** That of the greatest work so far; at first that of none. */
  best: Payment
  /** By lot: weighted rows and root. */
  readonly claims: Map<number, readonly [bigint, Hash]>
}

const macs = ({ terms }: LeaseRecord, work: { linear: bigint; attention: bigint }, counters: Counters): bigint =>
  work.linear * (counters.promptRows + terms.decodeWeight * counters.decodeRows) +
  work.attention * (counters.promptPositions + terms.decodeWeight * counters.decodePositions)
const roundedUp = (value: bigint, unit: bigint): bigint => (value + unit - 1n) / unit
/** Units of all lots. */
export const unitsOf = (lease: LeaseRecord, counters: Counters): bigint =>
  lease.lots.reduce((sum, { work }) => sum + roundedUp(macs(lease, work, counters), 1_000_000n), 0n)
/** Weighted rows. */
export const rowsOf = ({ terms }: LeaseRecord, counters: Counters): bigint =>
  counters.promptRows + terms.decodeWeight * counters.decodeRows

/** As texts of one length, which are compared. */
export function rankOf(lease: LeaseRecord, { seq, counters, transcript }: Payment): string {
  const { promptRows, promptPositions, decodeRows, decodePositions } = counters
  const numbers = [unitsOf(lease, counters), seq, promptRows, promptPositions, decodeRows, decodePositions]
  return numbers.map((value) => String(value).padStart(30, '0')).join() + transcript
}

/** Where the escrow must go by the test's own account, in grains. */
export function expectedSettlement({ id, lease, best, claims, payer }: LeaseAccount, world: LeaseWorld): Settlement {
  const { counters } = best
  const all = rowsOf(lease, counters)
  const lots = lease.lots.map(({ operator, end, work, rate }, index) => {
    const [rows] = claims.get(index) ?? [0n]
    const state = claims.has(index) ? ('claimed' as const) : ('unclaimed' as const)
    const full = claims.has(index) ? roundedUp(macs(lease, work, counters), 1_000_000n) : 0n
    const units = rows >= all ? full : (full * rows) / all
    return { operator, payout: getMiner(world.state, operator)!.payout, end, state, units, pay: units * rate }
  })
  const charge = lots.reduce((sum, { units }) => sum + units * lease.terms.price, 0n)
  const treasury = (charge * lease.terms.treasuryShare) / 1_000n
  const stakers = (charge * lease.terms.stakerShare) / 1_000n
  const burnt = charge - treasury - stakers - lots.reduce((sum, { pay }) => sum + pay, 0n)
  return {
    lease: id,
    payer: payer.id,
    model: MODEL,
    lots,
    charge,
    treasury,
    stakers,
    burnt,
    refund: lease.cap - charge,
  }
}
