/**
 * The miners of the simulated network: what each costs, holds and earns, when it comes and when it leaves. Everybody bids its cost, which
 * is best in the auction (docs/spec/market.md §6), unless a scenario says otherwise.
 * @module
 */
import { type AccountId, accountId } from '../../src/base/brand.ts'
import type { Candidate } from '../../src/core/market/lot-offer.ts'
import type { Chance } from './random.ts'

export interface Miner {
  readonly operator: AccountId
  /** Segments of its placement. */
  readonly first: number
  readonly end: number
  readonly slots: number
  /** CU per second × 2¹⁶. */
  readonly rate: bigint
  /** Grains per CU that it computes. */
  cost: number
  /** Grains per period that it is there at all, as a part of what its slots cost at full work. */
  readonly fixedShare: number
  /** Bids this many times its cost. */
  bidFactor: number
  status: 'out' | 'active' | 'leaving'
  used: number
  /** Periods since it came. */
  age: number
  /** The last answer of `candidateOf`. */
  asked?: Candidate
  /** Takes part in what a scenario is about. */
  isMarked: boolean
  /** Grains per period, an average over the last hundred or so. */
  profit: number
}

export interface Place {
  readonly segments: number
  /** Segments at which lots begin, 0 included. */
  readonly starts: readonly number[]
}

const COST_MEDIAN = 100
const COST_SPREAD = 0.3
const RATE_MEDIAN = 50_000
const RATE_SPREAD = 0.7
const FIXED_SHARE = 0.1
const PROFIT_WEIGHT = 1 / 100

export function createMiners(count: number, place: Place, chance: Chance): Miner[] {
  return Array.from({ length: count }, (_, number) => {
    const lots = place.starts.length
    const run = 1 + chance.below(lots)
    const lot = chance.below(lots - run + 1)
    return {
      operator: accountId(
        Math.floor(chance.uniform() * 2 ** 32)
          .toString(16)
          .padStart(8, '0') + number.toString(16).padStart(32, '0'),
      ),
      first: place.starts[lot]!,
      end: place.starts[lot + run] ?? place.segments,
      slots: 2 + chance.below(9),
      rate: BigInt(Math.round(RATE_MEDIAN * Math.exp(RATE_SPREAD * chance.normal()))) << 16n,
      cost: COST_MEDIAN * Math.exp(COST_SPREAD * chance.normal()),
      fixedShare: FIXED_SHARE,
      bidFactor: 1,
      isMarked: false,
      status: 'out',
      used: 0,
      age: 0,
      profit: 0,
    }
  })
}

/** What the auction sees. Each miner is an owner of its own. */
export function candidateOf(miner: Miner): Candidate {
  const { operator, cost, bidFactor, rate, asked } = miner
  const bid = Math.ceil(cost * bidFactor)
  if (asked?.bid === BigInt(bid)) return asked
  miner.asked = { operator, payout: operator, bid: BigInt(bid), rate }
  return miner.asked
}

/** What everybody can see of the last periods, by which miners decide. */
export interface Outlook {
  /** Grains per CU that winners got. */
  readonly rate: number
  /** Part of the slots in use. */
  readonly use: number
  /** CU per period of a slot in use. */
  readonly slotUnits: number
}

const PATIENCE = 60
const LEAVING = 1 / 40
const COMING = 1 / 80

/** One period passes: fixed costs are paid, who loses may leave, who would gain may come. */
export function passPeriod(miners: readonly Miner[], outlook: Outlook, chance: Chance): void {
  for (const miner of miners) {
    if (miner.status === 'out') {
      if (wouldGain(miner, outlook) && chance.uniform() < COMING) enter(miner)
      continue
    }
    miner.age += 1
    miner.profit -= PROFIT_WEIGHT * (miner.profit + fixedCost(miner, outlook))
    if (miner.profit < 0 && miner.age > PATIENCE && chance.uniform() < LEAVING) miner.status = 'leaving'
    if (miner.status === 'leaving' && miner.used === 0) miner.status = 'out'
  }
}

/** A settled lot of a lease. */
export function earn(miner: Miner, pay: number, units: number): void {
  miner.profit += PROFIT_WEIGHT * (pay - miner.cost * units)
}

export function enter(miner: Miner): void {
  Object.assign(miner, { status: 'active', age: 0, profit: 0 })
}

function wouldGain(miner: Miner, outlook: Outlook): boolean {
  return marginOf(miner, outlook) > 0
}

/** What a miner can expect to gain, as a part of what it is paid. */
export function marginOf({ cost, fixedShare }: Miner, { use, rate }: Outlook): number {
  return (use * (rate - cost) - fixedShare * cost) / (use * rate)
}

function fixedCost(miner: Miner, { slotUnits }: Outlook): number {
  return miner.fixedShare * miner.cost * miner.slots * slotUnits
}
