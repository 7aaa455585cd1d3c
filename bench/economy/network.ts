/**
 * A simulated network: leases are opened by the real auction, priced by the real rule and settled by the real shares of core/market, one
 * price period after the other. Demand falls with the price, miners come and leave. Time is counted in periods.
 * @module
 */

import { assert } from '../../src/base/assert.ts'
import { type AccountId, hash } from '../../src/base/brand.ts'
import { assign } from '../../src/core/market/auction.ts'
import { taskOf } from '../../src/core/market/incentive.ts'
import { bidWithin, nextPrice, type PlacementUse, splitCharge, utilisation } from '../../src/core/market/price.ts'
import { nominalCounters, type SegmentWork, unitsOf } from '../../src/core/market/work.ts'
import type { Parameters } from '../../src/core/parameters.ts'
import { candidateOf, createMiners, earn, enter, type Miner, marginOf, passPeriod } from './miners.ts'
import { type Chance, createChance } from './random.ts'

/** Two seconds a block. */
export const PERIOD_SECONDS = 20
/** A model of 0.4·10⁹ weights in four segments, a context of 4,096. */
const SEGMENTS: readonly SegmentWork[] = Array.from({ length: 4 }, () => ({ linear: 100_000_000n, attention: 20_000n }))
const CONTEXT = 4_096n
const STARTS = [0, 2]
/** Five tokens a second. */
const ROWS_PER_PERIOD = 100
/** Mean life of a lease: 100 s. */
const LEASE_PERIODS = 5
const PRICE_FIRST = 200n
const MINERS_FIRST = 45
const OUTLOOK_WEIGHT = 1 / 30
const DEMAND_MOST = 8
const SETTLED_PERIODS = 60

export interface NetworkOptions {
  readonly seed: number
  readonly parameters: Parameters
  /** How many there could be, those that are not there included. */
  readonly minersMax: number
  /** Leases per period that would be asked for at the first price. */
  readonly demand: number
  /** By how many per cent demand falls when the price rises by one. */
  readonly elasticity: number
}

/** What one period looked like. */
export interface Sample {
  readonly price: number
  /** Part of the slots in use at the scarcest segment. */
  readonly use: number
  readonly miners: number
  /** 10⁶ CU settled in the period. */
  readonly served: number
  readonly asked: number
  readonly refused: number
  /** The fewest miners with a free slot on a segment. */
  readonly choice: number
  /** Grains per CU that miners got, of those settled in the period. */
  readonly paidRate: number
  readonly treasury: number
  readonly stakers: number
  readonly burnt: number
  readonly charged: number
  /** Grains locked behind open lots. */
  readonly locked: number
}

export interface Levers {
  demandFactor: number
  /** Leases that the owner of the marked miners opens itself, as a part of the demand. */
  washShare: number
}

export interface Wash {
  charged: number
  /** Pay of marked miners, less what their work cost. */
  gained: number
}

interface OpenLease {
  readonly isWash: boolean
  readonly price: bigint
  readonly endPeriod: number
  readonly rows: number
  readonly lots: readonly {
    readonly miner: Miner
    readonly rate: bigint
    readonly units: bigint
    readonly task: bigint
  }[]
}

export interface Network {
  readonly miners: readonly Miner[]
  readonly chance: Chance
  /** What a scenario turns. */
  readonly levers: Levers
  /** What those miners gain who have been there for a while, as parts of their pay, rising. */
  margins(): number[]
  /** What came of leases that the owner of the marked miners opened itself, in grains. */
  readonly wash: Wash
  /** Plays one period. */
  step(): Sample
}

export function createNetwork(options: NetworkOptions): Network {
  const chance = createChance(options.seed)
  const miners = createMiners(options.minersMax, { segments: SEGMENTS.length, starts: STARTS }, chance)
  for (const miner of miners.slice(0, MINERS_FIRST)) enter(miner)
  const state: State = {
    ...options,
    ...{
      chance,
      miners,
      period: 0,
      price: PRICE_FIRST,
      leases: [],
      outlook: { rate: 150, use: 0.5, slotUnits: slotUnits(options.parameters) },
    },
    byOperator: new Map(miners.map((miner) => [miner.operator, miner])),
    levers: { demandFactor: 1, washShare: 0 },
    wash: { charged: 0, gained: 0 },
  }
  return {
    miners,
    chance,
    levers: state.levers,
    wash: state.wash,
    margins: () => marginsOf(state),
    step: () => step(state),
  }
}

interface State extends NetworkOptions {
  readonly chance: Chance
  readonly miners: readonly Miner[]
  readonly byOperator: ReadonlyMap<AccountId, Miner>
  readonly levers: Levers
  readonly wash: Wash
  period: number
  price: bigint
  leases: OpenLease[]
  outlook: { rate: number; use: number; slotUnits: number }
}

/** CU per period of a lot in work. */
function slotUnits({ decodeWeight }: Parameters): number {
  return Number(unitsOf(SEGMENTS, nominalCounters(BigInt(ROWS_PER_PERIOD)), decodeWeight)) / STARTS.length
}

function step(state: State): Sample {
  const settled = settle(state)
  const { asked, refused } = openLeases(state)
  const live = state.miners.filter(({ status }) => status !== 'out')
  const use = utilisation(live.map(placementOf), SEGMENTS.length, bidWithin(state.price, state.parameters))
  state.price = nextPrice(state.price, use, state.parameters)
  const part = use === undefined ? 1 : use.used / Math.max(1, use.slots)
  learn(state, part, settled)
  passPeriod(state.miners, state.outlook, state.chance)
  state.period += 1
  return {
    ...settled,
    ...{ price: Number(state.price), use: part, miners: live.length, asked, refused, choice: choiceOf(state) },
    locked: state.leases.reduce((sum, { lots }) => sum + lots.reduce((all, { task }) => all + Number(task), 0), 0),
  }
}

/** Who leaves offers no slots, but its leases still count as they do on the chain. */
function placementOf(miner: Miner): PlacementUse {
  const { first, end, slots, used, status } = miner
  return { first, end, used, slots: status === 'leaving' ? used : slots, bid: candidateOf(miner).bid }
}

function learn(
  state: State,
  use: number,
  { served, paidRate }: { readonly served: number; readonly paidRate: number },
): void {
  state.outlook.use += OUTLOOK_WEIGHT * (Math.min(1, use) - state.outlook.use)
  if (served > 0) state.outlook.rate += OUTLOOK_WEIGHT * (paidRate - state.outlook.rate)
}

function openLeases(state: State): { asked: number; refused: number } {
  const { demand, levers, elasticity, chance } = state
  const relative = Number(state.price) / Number(PRICE_FIRST)
  // However cheap it is, there are only so many people.
  const asked = chance.poisson(demand * levers.demandFactor * Math.min(DEMAND_MOST, relative ** -elasticity))
  let refused = 0
  for (let index = 0; index < asked; index++) if (!openLease(state, false)) refused += 1
  const washed = levers.washShare === 0 ? 0 : chance.poisson(demand * levers.washShare)
  for (let index = 0; index < washed; index++) openLease(state, true)
  return { asked, refused }
}

function openLease(state: State, isWash: boolean): boolean {
  const { chance, parameters, price } = state
  const periods = 1 + chance.poisson(LEASE_PERIODS - 1)
  const rows = BigInt(periods * ROWS_PER_PERIOD)
  const spans = STARTS.map((first, lot) => ({ first, end: STARTS[lot + 1] ?? SEGMENTS.length }))
  const offers = spans.map(({ first, end }) => ({
    units: unitsOf(SEGMENTS.slice(first, end), nominalCounters(rows), parameters.decodeWeight),
    candidates: state.miners.filter((miner) => covers(miner, first, end)).map(candidateOf),
  }))
  const leaseId = hash(
    Math.floor(chance.uniform() * 2 ** 48)
      .toString(16)
      .padStart(12, '0')
      .repeat(6)
      .slice(0, 64),
  )
  const assignment = assign(offers, { leaseId, price, parameters })
  if (!assignment.ok) return false
  const lots = assignment.lots.map(({ operator, rate }, lot) => {
    const miner = state.byOperator.get(operator)!
    miner.used += 1
    const segments = SEGMENTS.slice(spans[lot]!.first, spans[lot]!.end)
    return { miner, rate, units: offers[lot]!.units, task: taskOf({ price, segments, context: CONTEXT }, parameters) }
  })
  state.leases.push({ isWash, price, endPeriod: state.period + periods, rows: Number(rows), lots })
  return true
}

function covers({ status, first, end, slots, used }: Miner, from: number, to: number): boolean {
  return status === 'active' && used < slots && first <= from && to <= end
}

interface Settled {
  readonly served: number
  readonly paidRate: number
  readonly treasury: number
  readonly stakers: number
  readonly burnt: number
  readonly charged: number
}

/** The leases that end now, with the rounding of the chain. */
function settle(state: State): Settled {
  let [units, paid, treasury, stakers, charged] = [0n, 0n, 0n, 0n, 0n]
  for (const { isWash, lots, price } of state.leases.filter(({ endPeriod }) => endPeriod === state.period)) {
    const charge = price * lots.reduce((sum, lot) => sum + lot.units, 0n)
    const parts = splitCharge(charge, state.parameters)
    const pays = lots.reduce((sum, lot) => sum + lot.rate * lot.units, 0n)
    assert(parts.treasury + parts.stakers + pays <= charge, 'what is paid out was charged')
    for (const lot of lots) {
      lot.miner.used -= 1
      earn(lot.miner, Number(lot.rate * lot.units), Number(lot.units))
      if (isWash && lot.miner.isMarked) state.wash.gained += Number(lot.units) * (Number(lot.rate) - lot.miner.cost)
      units += lot.units
    }
    paid += pays
    treasury += parts.treasury
    stakers += parts.stakers
    charged += charge
    if (isWash) state.wash.charged += Number(charge)
  }
  state.leases = state.leases.filter(({ endPeriod }) => endPeriod !== state.period)
  return {
    served: Number(units) / 1e6,
    paidRate: units === 0n ? 0 : Number(paid) / Number(units),
    ...{ treasury: Number(treasury), stakers: Number(stakers), charged: Number(charged) },
    burnt: Number(charged - treasury - stakers - paid),
  }
}

/** The fewest miners over the lots that could take one more lease at this price. */
function choiceOf({ miners, price, parameters }: State): number {
  const most = (Number(price) * Number(1_000n - parameters.treasuryShare - parameters.stakerShare)) / 1_000
  return Math.min(
    ...STARTS.map((first, lot) => {
      const end = STARTS[lot + 1] ?? SEGMENTS.length
      return miners.filter((miner) => covers(miner, first, end) && miner.cost * miner.bidFactor <= most).length
    }),
  )
}

function marginsOf({ miners, outlook }: State): number[] {
  const settled = miners.filter(({ status, age }) => status === 'active' && age > SETTLED_PERIODS)
  return settled.map((miner) => marginOf(miner, outlook)).sort((a, b) => a - b)
}
