/** Theorems T1 to T3 of the auctions (docs/spec/market.md §6), over random instances. */
import { expect, test } from 'vitest'
import type { AccountId } from '../../src/base/brand.ts'
import { allot } from '../../src/core/market/allotment.ts'
import { assign, payFloorOf, slownessOf } from '../../src/core/market/auction.ts'
import type { Latency } from '../../src/core/market/auction-pairs.ts'
import type { Assignment, AuctionContext, Candidate } from '../../src/core/market/lot-offer.ts'
import { budgetOf } from '../../src/core/market/price.ts'
import { createDice, type Dice } from '../chain-random.ts'
import { type Instance, type InstanceOptions, PRICE, randomInstance, withBids } from '../market-random.ts'

type Mechanism = (instance: Instance) => Assignment

/** Up to a quarter of a budget of 100,000 grains; not the same in both directions. */
const latency: Latency = (from, to) =>
  BigInt((Number.parseInt(from.operator.slice(0, 7), 16) * 31 + Number.parseInt(to.operator.slice(0, 7), 16)) % 25_000)

const bySecondScore: Mechanism = ({ lots, context }) => assign(lots, context)
const byRing: Mechanism = ({ lots, context }) => assign(lots, { ...context, latency })

const ONE_LOT: InstanceOptions = { lotsMax: 3, operatorsMax: 9, runMax: 1, shared: false, pairs: false }
const SOME_LOTS: InstanceOptions = { lotsMax: 4, operatorsMax: 9, runMax: 4, shared: false, pairs: false }
const MECHANISMS = [
  ['second score', bySecondScore, false],
  ['cheapest ring', byRing, true],
] as const

test.each(MECHANISMS)(
  'T1, %s: no ring is cheaper, over all of them where owners stand in one lot',
  (_name, mechanism, pairs) => {
    const assigned = sweep(1n, { ...ONE_LOT, pairs }, (instance) => {
      const ring = cheapestOf(
        instance,
        instance.lots.map(({ candidates }) => candidates),
      )
      expect(costOf(instance, mechanism(instance))).toBe(ring)
      return ring !== undefined
    })
    expect(assigned).toBeGreaterThan(300)
  },
)

test.each(MECHANISMS)('T1, %s: no ring is cheaper of those that the allotment leaves', (_name, mechanism, pairs) => {
  const assigned = sweep(2n, { ...SOME_LOTS, pairs }, (instance) => {
    const { lots, context } = instance
    const allotted = allot(
      lots.map(({ candidates }) => candidates),
      context.leaseId,
    )
    const ring = cheapestOf(instance, allotted)
    expect(costOf(instance, mechanism(instance))).toBe(ring)
    return ring !== undefined
  })
  expect(assigned).toBeGreaterThan(300)
})

test('the allotment finds an owner for every lot whenever there is a way, and one lot for every owner', () => {
  sweep(3n, { ...SOME_LOTS, lotsMax: 5, operatorsMax: 7, shared: true }, ({ lots, context }) => {
    const all = lots.map(({ candidates }) => candidates)
    const owners = allot(all, context.leaseId).map((candidates) => new Set(candidates.map(({ payout }) => payout)))
    const everyone = owners.flatMap((set) => [...set])
    expect(new Set(everyone).size).toBe(everyone.length)
    expect(new Set(everyone)).toEqual(new Set(all.flat().map(({ payout }) => payout)))
    const possible = hasRing(all.map((candidates) => [...new Set(candidates.map(({ payout }) => payout))]))
    expect(owners.every((set) => set.size > 0)).toBe(possible)
    return possible
  })
})

test.each(MECHANISMS)('T2, %s: no owner gains by bidding anything else than its costs', (_name, mechanism, pairs) => {
  for (const shared of [false, true]) {
    const instances = [ONE_LOT, SOME_LOTS].map((options) => gains(mechanism, { ...options, shared, pairs }, 1_000))
    for (const { deviations, gaining } of instances) {
      expect(deviations).toBeGreaterThan(10_000)
      expect(gaining).toBe(0)
    }
  }
})

test.each(MECHANISMS)(
  'T2, %s: nor does one when the payer avoids some, who get nothing whatever they bid',
  (_name, mechanism, pairs) => {
    const { deviations, gaining } = gains(avoiding(mechanism), { ...SOME_LOTS, shared: true, pairs }, 500)
    expect(deviations).toBeGreaterThan(5_000)
    expect(gaining).toBe(0)
  },
)

test('were lots assigned in turn, owners of several would gain by false bids: why an owner bids for one', () => {
  const several = gains(inTurn, SOME_LOTS, 1_000)
  expect(several.gaining).toBeGreaterThan(20)
  expect(gains(inTurn, ONE_LOT, 1_000).gaining).toBe(0)
})

test.each(MECHANISMS)(
  'T3, %s: pay covers the bid and stays within the budget of its lot',
  (_name, mechanism, pairs) => {
    const options = { ...SOME_LOTS, shared: true, pairs }
    const assigned = sweep(4n, options, (instance) => {
      const assignment = mechanism(instance)
      if (!assignment.ok) return false
      for (const [lot, { operator, rate, standby }] of assignment.lots.entries()) {
        const { units, candidates } = instance.lots[lot]!
        const winner = candidates.find((candidate) => candidate.operator === operator)!
        expect(rate >= winner.bid).toBe(true)
        expect(rate * units <= budgetOf(units, PRICE, instance.context.parameters)).toBe(true)
        expect(standby === undefined || candidates.some((candidate) => candidate.operator === standby)).toBe(true)
      }
      const owners = assignment.lots.map(({ operator }, lot) => ownerOf(instance, lot, operator))
      expect(new Set(owners).size).toBe(owners.length)
      return true
    })
    expect(assigned).toBeGreaterThan(300)
  },
)

/** Of about every third operator the payer wants nothing. Whom, hangs on the lease and on who they are, as a payer's list does: never on bids. */
function avoiding(mechanism: Mechanism): Mechanism {
  return ({ lots, context }) => {
    const shuffle = Number.parseInt(context.leaseId.slice(0, 8), 16)
    const isWanted = ({ operator }: Candidate) =>
      (Number.parseInt(operator.slice(0, 8), 16) ^ shuffle) >>> 0 > 2 ** 32 / 3
    return mechanism({
      context,
      lots: lots.map(({ units, candidates }) => ({ units, candidates: candidates.filter(isWanted) })),
    })
  }
}

/** Runs 1,000 instances; how many `check` says yes to. */
function sweep(seed: bigint, options: InstanceOptions, check: (instance: Instance) => boolean): number {
  const dice = createDice(seed)
  let count = 0
  for (let round = 0; round < 1_000; round++) if (check(randomInstance(dice, options))) count += 1
  return count
}

/** Instances in which some owner gains by one of twelve deviations, or more with several operators. */
function gains(mechanism: Mechanism, options: InstanceOptions, count: number): { deviations: number; gaining: number } {
  const dice = createDice(5n)
  let deviations = 0
  let gaining = 0
  for (let round = 0; round < count; round++) {
    const instance = randomInstance(dice, options)
    const costs = new Map(
      instance.lots.flatMap(({ candidates }) => candidates.map(({ operator, bid }) => [operator, bid] as const)),
    )
    const honest = mechanism(instance)
    const owners = new Map(
      instance.lots.flatMap(({ candidates }) => candidates.map((one) => [one.payout, one] as const)),
    )
    let gained = false
    for (const owner of owners.keys()) {
      const before = utilityOf(instance, honest, { owner, costs })
      for (let attempt = 0; attempt < 12; attempt++) {
        const lied = mechanism(withBids(instance, deviationOf(instance, owner, dice)))
        deviations += 1
        if (utilityOf(instance, lied, { owner, costs }) > before) gained = true
      }
    }
    if (gained) gaining += 1
  }
  return { deviations, gaining }
}

/** Other bids for all operators of an owner, or for one: anything, a little more or less, nothing, or out of the auction. */
function deviationOf({ lots }: Instance, owner: AccountId, dice: Dice): Map<string, bigint> {
  const own = new Map(lots.flatMap(({ candidates }) => candidates.map((one) => [one.operator, one] as const)))
  const bids = new Map<string, bigint>()
  const onlyOne = dice.chance(0.3)
  for (const { operator, payout, bid } of own.values()) {
    if (payout !== owner || (onlyOne && bids.size > 0)) continue
    const near = bid + BigInt(dice.below(100)) - 50n
    bids.set(operator, dice.pick([BigInt(dice.below(Number(PRICE))), near < 0n ? 0n : near, 0n, 2n * PRICE]))
  }
  return bids
}

interface Owned {
  readonly owner: AccountId
  /** True costs by operator, grains per CU. */
  readonly costs: ReadonlyMap<AccountId, bigint>
}

function utilityOf(instance: Instance, assignment: Assignment, { owner, costs }: Owned): bigint {
  if (!assignment.ok) return 0n
  let utility = 0n
  for (const [lot, { operator, rate }] of assignment.lots.entries()) {
    if (ownerOf(instance, lot, operator) !== owner) continue
    utility += (rate - costs.get(operator)!) * instance.lots[lot]!.units
  }
  return utility
}

function ownerOf({ lots }: Instance, lot: number, operator: AccountId): AccountId {
  return lots[lot]!.candidates.find((candidate) => candidate.operator === operator)!.payout
}

/** Bids, slowness and latency of the ring that an auction chose. */
function costOf(instance: Instance, assignment: Assignment): bigint | undefined {
  if (!assignment.ok) return undefined
  const ring = assignment.lots.map(
    ({ operator }, lot) => instance.lots[lot]!.candidates.find((one) => one.operator === operator)!,
  )
  return ringCost(instance, ring)
}

function ringCost({ lots, context }: Instance, ring: readonly Candidate[]): bigint {
  let cost = 0n
  for (const [lot, candidate] of ring.entries()) {
    const { units } = lots[lot]!
    const budget = budgetOf(units, context.price, context.parameters)
    cost += askedOf(candidate, context) * units + slownessOf(candidate.rate, budget, context)
    if (lot > 0 && context.parameters.auctionPairs === 1n) cost += latency(ring[lot - 1]!, candidate)
  }
  return cost
}

/** By trying every ring of these candidates that are within the reserve. */
function cheapestOf(instance: Instance, columns: readonly (readonly Candidate[])[]): bigint | undefined {
  const { lots, context } = instance
  const admissible = columns.map((candidates, lot) => {
    const { units } = lots[lot]!
    const budget = budgetOf(units, context.price, context.parameters)
    return candidates.filter((one) => askedOf(one, context) * units + slownessOf(one.rate, budget, context) <= budget)
  })
  let least: bigint | undefined
  const extend = (ring: readonly Candidate[]): void => {
    const next = admissible[ring.length]
    if (next !== undefined) {
      for (const candidate of next) extend([...ring, candidate])
      return
    }
    const cost = ringCost(instance, ring)
    if (least === undefined || cost < least) least = cost
  }
  extend([])
  return least
}

function askedOf({ bid }: Candidate, context: AuctionContext): bigint {
  const floor = payFloorOf(context)
  return bid > floor ? bid : floor
}

/** Whether every lot can have an owner of its own. */
function hasRing(columns: readonly (readonly AccountId[])[], taken: readonly AccountId[] = []): boolean {
  const column = columns[taken.length]
  if (column === undefined) return true
  return column.some((owner) => !taken.includes(owner) && hasRing(columns, [...taken, owner]))
}

/** The rule that this one took the place of: lots with the fewest candidates first, and who won is no candidate any more. */
function inTurn({ lots, context }: Instance): Assignment {
  const order = lots
    .map((_, lot) => lot)
    .sort((a, b) => lots[a]!.candidates.length - lots[b]!.candidates.length || a - b)
  const taken = new Set<AccountId>()
  const assigned: { operator: AccountId; standby: undefined; rate: bigint }[] = []
  for (const lot of order) {
    const left = lots[lot]!.candidates.filter(({ payout }) => !taken.has(payout))
    const alone = assign([{ units: lots[lot]!.units, candidates: left }], context)
    if (!alone.ok) return { ok: false, lot }
    const { operator, rate } = alone.lots[0]!
    taken.add(ownerOf({ lots, context }, lot, operator))
    assigned[lot] = { operator, standby: undefined, rate }
  }
  return { ok: true, lots: assigned }
}
