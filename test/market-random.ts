/**
 * Random lots for tests of the auctions: owners with one or several operators, each over a run of lots.
 * @module
 */
import { accountId, type Hash, hash } from '../src/base/brand.ts'
import type { AuctionContext, Candidate, LotOffer } from '../src/core/market/lot-offer.ts'
import { INITIAL_PARAMETERS } from '../src/core/parameters.ts'
import type { Dice } from './chain-random.ts'

export interface Instance {
  readonly lots: readonly LotOffer[]
  readonly context: AuctionContext
}

export interface InstanceOptions {
  readonly lotsMax: number
  readonly operatorsMax: number
  /** Lots that one operator may cover. */
  readonly runMax: number
  /** Whether some operators share a payout account. */
  readonly shared: boolean
  readonly pairs: boolean
}

export const PRICE = 1_000n

export function randomInstance(dice: Dice, options: InstanceOptions): Instance {
  const count = 1 + dice.below(options.lotsMax)
  const lots = Array.from({ length: count }, () => ({
    units: BigInt(1 + dice.below(1_000)),
    candidates: [] as Candidate[],
  }))
  const operators = 1 + dice.below(options.operatorsMax)
  for (let number = 0; number < operators; number++) {
    const candidate = {
      operator: testAccount(dice.below(2 ** 31)),
      payout: testAccount(options.shared ? dice.below(operators) : dice.below(2 ** 31)),
      bid: BigInt(dice.below(Number(PRICE))),
      rate: dice.chance(0.3) ? 0n : BigInt(1 + dice.below(200)) * (1_000n << 16n),
    }
    const first = dice.below(count)
    const end = Math.min(count, first + 1 + dice.below(options.runMax))
    for (const lot of lots.slice(first, end)) lot.candidates.push(candidate)
  }
  const payFloor = dice.pick([0n, 0n, 500n, 800n])
  const parameters = { ...INITIAL_PARAMETERS, payFloor, auctionPairs: options.pairs ? 1n : 0n }
  return { lots, context: { leaseId: randomHash(dice), price: PRICE, parameters } }
}

/** The same account for the same number; those of near numbers are not near. */
export function testAccount(number: number): Candidate['operator'] {
  const mixed = Math.imul(number + 1, 0x9e3779b1) >>> 0
  return accountId(mixed.toString(16).padStart(8, '0') + number.toString(16).padStart(32, '0'))
}

export function randomHash(dice: Dice): Hash {
  return hash(Array.from({ length: 64 }, () => dice.below(16).toString(16)).join(''))
}

/** The instance as it is when these operators bid something else. */
export function withBids({ lots, context }: Instance, bids: ReadonlyMap<string, bigint>): Instance {
  const changed = (candidate: Candidate): Candidate => ({
    ...candidate,
    bid: bids.get(candidate.operator) ?? candidate.bid,
  })
  return { context, lots: lots.map(({ units, candidates }) => ({ units, candidates: candidates.map(changed) })) }
}
