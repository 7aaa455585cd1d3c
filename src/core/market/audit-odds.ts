/**
 * How sure audits are when a part of the deposits lies: exact fractions of the binomial distribution, for the rules of tally.ts.
 * Pure arithmetic. Spec: docs/spec/market.md §7, §8.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { MAJORITY } from './tally.ts'

export interface Fraction {
  readonly numerator: bigint
  /** Above 0. */
  readonly denominator: bigint
}

/** The part of all deposits that the rules are made for: less of them lies. */
export const LIARS: Fraction = { numerator: 1n, denominator: 3n }

/** The probability that at least `least` of `count` independent draws hit a part of all. */
export function oddsOfAtLeast(least: bigint, count: bigint, part: Fraction): Fraction {
  const { numerator: hit, denominator } = part
  const miss = denominator - hit
  assert(hit >= 0n && miss >= 0n, 'a part is at most the whole')
  let sum = 0n
  let choices = 1n // count choose hits
  for (let hits = 0n; hits <= count; hits++) {
    if (hits >= least) sum += choices * hit ** hits * miss ** (count - hits)
    choices = (choices * (count - hits)) / (hits + 1n)
  }
  return { numerator: sum, denominator: denominator ** count }
}

/** Seats that have the majority of the last round when all speak. */
export const SEATS_FOR_MAJORITY: bigint =
  (BigInt(MARKET_LIMITS.auditSeatsMax) * MAJORITY.numerator + MAJORITY.denominator - 1n) / MAJORITY.denominator

/**
 * That an honest miner which opens is found at fault, at most: liars have the majority of the last round. Where all candidates vote, by
 * deposit, it cannot be while fewer than `MAJORITY` of the deposits lie; this is for drawn seats.
 */
export function oddsOfFalseFault(liars: Fraction): Fraction {
  return oddsOfAtLeast(SEATS_FOR_MAJORITY, BigInt(MARKET_LIMITS.auditSeatsMax), liars)
}

/** That the honest have the majority of the last round when all speak. */
function majorityOfHonest({ numerator, denominator }: Fraction): Fraction {
  const honest = { numerator: denominator - numerator, denominator }
  return oddsOfAtLeast(SEATS_FOR_MAJORITY, BigInt(MARKET_LIMITS.auditSeatsMax), honest)
}

/** Whenever parameters are read it is asked whether they fit this. */
const HONEST_MAJORITY: Fraction = majorityOfHonest(LIARS)

export interface CommitteeSizes {
  readonly auditors: bigint
  readonly auditorsMin: bigint
}

/**
 * That a cheat whose receipt is audited is found out, at least, when the liars are with it. It escapes when all of the first committee are
 * liars and let it pass, or when of two committees fewer than `auditorsMin` are honest and the liars keep silent. Else the last round
 * decides, and there the honest have to have the majority.
 */
export function oddsOfCatching({ auditors, auditorsMin }: CommitteeSizes, liars: Fraction = LIARS): Fraction {
  const { numerator: bad, denominator } = liars
  const majority = liars === LIARS ? HONEST_MAJORITY : majorityOfHonest(liars)
  const silent = oddsOfAtLeast(2n * auditors - auditorsMin + 1n, 2n * auditors, liars)
  // Both have the denominator of the larger power.
  const escapes = bad ** auditors * denominator ** auditors + silent.numerator
  const kept = silent.denominator - escapes
  return {
    numerator: kept > 0n ? kept * majority.numerator : 0n,
    denominator: silent.denominator * majority.denominator,
  }
}
