/**
 * The auction that names a miner and a standby for each lot of a lease. Each owner bids for one lot, which its bids do not choose
 * (allotment.ts); each lot goes to the least score and pays what the next owner's score leaves, so that a bid changes whether one wins,
 * not what one gets: to bid one's cost is best whatever others do. Spec: docs/spec/market.md §6.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import type { AccountId } from '../../base/brand.ts'
import { taggedHasher } from '../hash.ts'
import { allot } from './allotment.ts'
import { chooseByRing, type Latency } from './auction-pairs.ts'
import type { AssignedLot, Assignment, AuctionContext, Candidate, LotOffer, Scored, Winner } from './lot-offer.ts'
import { budgetOf } from './price.ts'

const hashTie = taggedHasher('dllm/tie')

export interface AssignOptions extends AuctionContext {
  /** Between two candidates of lots that follow each other; only counted with `auctionPairs`. Until round trips are attested there are none. */
  readonly latency?: Latency
}

/**
 * Names the winners of a lease's lots. The order of candidates does not matter. Fails with the first lot that no admissible candidate
 * was left for. O(lots · candidates).
 */
export function assign(lots: readonly LotOffer[], options: AssignOptions): Assignment {
  assert(lots.length > 0, 'a lease has lots')
  const owners = allot(
    lots.map(({ candidates }) => candidates),
    options.leaseId,
  )
  const allotted = lots.map(({ units }, lot) => ranked({ units, candidates: owners[lot]! }, lot, options))
  const empty = allotted.findIndex((candidates) => candidates.length === 0)
  if (empty !== -1) return { ok: false, lot: empty }
  const byRing = options.parameters.auctionPairs === 1n
  const winners = byRing ? chooseByRing(allotted, options.latency) : allotted.map(leastScore)
  const taken = new Set(winners.map(({ candidate }) => candidate.payout))
  const isFree = ({ candidate }: Scored): boolean => !taken.has(candidate.payout)
  return {
    ok: true,
    lots: winners.map((winner, lot) => {
      const offer = lots[lot]!
      // Who may not bid for the lot may still stand by for it.
      const standby = allotted[lot]!.find(isFree) ?? ranked(offer, lot, options).find(isFree)
      return assigned(winner, standby, offer.units)
    }),
  }
}

/** A share of the budget for being slow: all of `latencyWeight` at `rateFloor` and below, half of it at twice that rate. Hangs on no bid. */
export function slownessOf(rate: bigint, budget: bigint, context: AuctionContext): bigint {
  const { rateFloor, latencyWeight } = context.parameters
  const measured = rate > rateFloor ? rate : rateFloor
  return (budget * latencyWeight * rateFloor) / (1_000n * measured)
}

/** Grains per CU: a lower bid counts as this. */
export function payFloorOf({ price, parameters }: AuctionContext): bigint {
  return budgetOf(parameters.payFloor, price, parameters) / 1_000n
}

/** The admissible candidates of a lot, best first: least score, then the higher rate of work, then a hash. */
function ranked({ units, candidates }: LotOffer, lot: number, context: AuctionContext): Scored[] {
  assert(units > 0n, 'a lot has work')
  const reserve = budgetOf(units, context.price, context.parameters)
  const floor = payFloorOf(context)
  const scored = candidates
    .map((candidate) => {
      const slowness = slownessOf(candidate.rate, reserve, context)
      const aboveFloor = candidate.bid > floor ? candidate.bid - floor : 0n
      return { candidate, slowness, score: (floor + aboveFloor) * units + slowness, reserve }
    })
    .filter(({ score }) => score <= reserve)
  const ties = tieBreaker(lot, context)
  return scored.sort(
    (a, b) =>
      compare(a.score, b.score) || compare(b.candidate.rate, a.candidate.rate) || ties(a.candidate, b.candidate),
  )
}

/** The first wins; it gets what the next leaves, or the reserve. */
function leastScore([winner, next]: readonly Scored[]): Winner {
  assert(winner !== undefined, 'a lot without candidates has no winner')
  return { ...winner, pay: (next?.score ?? winner.reserve) - winner.slowness }
}

function assigned({ candidate, pay }: Winner, standby: Scored | undefined, units: bigint): AssignedLot {
  const rate = pay / units
  assert(rate >= candidate.bid, 'pay covers the bid')
  return { operator: candidate.operator, standby: standby?.candidate.operator, rate }
}

/** Hashes only what ties: most candidates never do. */
function tieBreaker(lot: number, { leaseId }: AuctionContext): (a: Candidate, b: Candidate) => number {
  const id = hexToBytes(leaseId)
  const digests = new Map<AccountId, Uint8Array>()
  const digestOf = ({ operator }: Candidate): Uint8Array => {
    const digest = digests.get(operator) ?? hashTie(id, Uint8Array.of(lot), hexToBytes(operator))
    digests.set(operator, digest)
    return digest
  }
  return (a, b) => compareBytes(digestOf(a), digestOf(b))
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, index) => byte !== b[index])
  return at === -1 ? 0 : a[at]! - b[at]!
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
