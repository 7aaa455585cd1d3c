/**
 * Which lot of a lease each owner may bid for, and with which operator: one, chosen without a look at bids, so that no bid buys its way into a better lot and every
 * lot is an auction of its own. Lots get as equal numbers of owners as the placements allow (an optimal semi-matching: every owner is
 * put where the fewest are, others being moved along a path where that helps). Spec: docs/spec/market.md §6.
 * @module
 */
import { AssertionError, assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import type { Candidate } from './lot-offer.ts'

interface Owner {
  readonly payout: AccountId
  /** In the order of owners, which each lease shuffles. */
  readonly place: number
  /** One bit per lot in which it has a candidate. */
  mask: number
}

/** Bits of a mask. */
const LOTS_MAX = 31

/** Owners of one lot by their masks: those with the same mask are alike. */
type AllottedLot = Map<number, Owner[]>

/** The candidates of each lot whose owner was allotted to it, one per owner. The outcome hangs on the lease's id and the placements, never on bids. */
export function allot(lots: readonly (readonly Candidate[])[], leaseId: Hash): Candidate[][] {
  assert(lots.length <= LOTS_MAX, 'a lot has a bit')
  const allotted: AllottedLot[] = lots.map(() => new Map())
  const sizes = lots.map(() => 0)
  for (const owner of ownersOf(lots, leaseId)) insert(owner, allotted, sizes)
  return lots.map((candidates, lot) => {
    const owners = new Set<AccountId>()
    for (const alike of allotted[lot]!.values()) for (const { payout } of alike) owners.add(payout)
    return onePerOwner(candidates.filter(({ payout }) => owners.has(payout)))
  })
}

/**
 * The faster, then the lesser operator of each owner. With several, an owner would want the one that costs it least, and the auction the one
 * that is best for the payer: it would bid the other out.
 */
function onePerOwner(candidates: readonly Candidate[]): Candidate[] {
  const byOwner = new Map<AccountId, Candidate>()
  for (const candidate of candidates) {
    const other = byOwner.get(candidate.payout)
    if (other === undefined || stands(candidate, other)) byOwner.set(candidate.payout, candidate)
  }
  return [...byOwner.values()]
}

function stands(one: Candidate, other: Candidate): boolean {
  return one.rate === other.rate ? one.operator < other.operator : one.rate > other.rate
}

/** In an order that each lease shuffles: who is moved about is nobody's choice. */
function ownersOf(lots: readonly (readonly Candidate[])[], leaseId: Hash): Owner[] {
  const owners = new Map<AccountId, Owner>()
  const shuffle = first32Bits(leaseId)
  for (const [lot, candidates] of lots.entries()) {
    for (const { payout } of candidates) {
      let owner = owners.get(payout)
      if (owner === undefined) {
        owner = { payout, place: (first32Bits(payout) ^ shuffle) >>> 0, mask: 0 }
        owners.set(payout, owner)
      }
      owner.mask |= 1 << lot
    }
  }
  return [...owners.values()].sort((a, b) => a.place - b.place || (a.payout < b.payout ? -1 : 1))
}

/** Puts an owner into one of its lots; along the shortest path of moves to a lot with fewer owners, if there is one. */
function insert(owner: Owner, allotted: AllottedLot[], sizes: number[]): void {
  const least = Math.min(...sizes)
  const queue = lotsOf(owner.mask)
  const cameFrom = new Map<number, number | undefined>(queue.map((lot) => [lot, undefined]))
  let best = queue[0]!
  for (let at = 0; at < queue.length && sizes[best]! > least; at++) {
    const lot = queue[at]!
    if (sizes[lot]! < sizes[best]!) best = lot
    for (const mask of allotted[lot]!.keys()) {
      for (const next of lotsOf(mask)) {
        if (cameFrom.has(next)) continue
        cameFrom.set(next, lot)
        queue.push(next)
      }
    }
  }
  sizes[best]! += 1
  let to = best
  for (let from = cameFrom.get(to); from !== undefined; from = cameFrom.get(to)) {
    add(allotted[to]!, takeOne(allotted[from]!, 1 << to))
    to = from
  }
  add(allotted[to]!, owner)
}

/** Ascending. */
function lotsOf(mask: number): number[] {
  const lots: number[] = []
  for (let lot = 0; mask >> lot > 0; lot++) if ((mask >> lot) & 1) lots.push(lot)
  return lots
}

function add(lot: AllottedLot, owner: Owner): void {
  const alike = lot.get(owner.mask)
  if (alike === undefined) lot.set(owner.mask, [owner])
  else alike.push(owner)
}

/** The last one that came among those who may go to the lot with this bit. */
function takeOne(lot: AllottedLot, bit: number): Owner {
  for (const [mask, owners] of lot) {
    if ((mask & bit) === 0) continue
    const owner = owners.pop()!
    if (owners.length === 0) lot.delete(mask)
    return owner
  }
  throw new AssertionError('a path of moves goes over owners that may make them')
}

/** Of lower-case hexadecimal. */
function first32Bits(text: string): number {
  return Number.parseInt(text.slice(0, 8), 16)
}
