/**
 * Theorem T4: leases opened by the auction until none fits reach the throughput that the swarm has at all. Each lot takes a slot of a miner
 * for as long as the lease lasts; the most leases at a time is a flow from lots to slots, and its minimum cut the bound.
 */
import { expect, test } from 'vitest'
import { assign } from '../../../../src/core/market/auction.ts'
import type { Candidate } from '../../../../src/core/market/lot-offer.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'
import { createDice, type Dice } from '../../../chain-random.ts'
import { PRICE, randomHash, testAccount } from '../../../market-random.ts'

interface SwarmMiner {
  readonly candidate: Candidate
  /** Lots that its placement covers. */
  readonly first: number
  readonly end: number
  readonly slots: number
  used: number
}

interface SwarmOptions {
  readonly lots: number
  readonly miners: number
  /** Lots that a miner may cover. */
  readonly runMax: number
  readonly slotsMax: number
}

const SWARMS: readonly (readonly [string, SwarmOptions])[] = [
  ['each miner in one lot', { lots: 6, miners: 60, runMax: 1, slotsMax: 8 }],
  ['miners over up to two of six lots', { lots: 6, miners: 60, runMax: 2, slotsMax: 8 }],
  ['miners over up to half of the model', { lots: 6, miners: 60, runMax: 3, slotsMax: 8 }],
  ['miners over up to all of it', { lots: 6, miners: 60, runMax: 6, slotsMax: 8 }],
  ['few miners with one slot', { lots: 3, miners: 12, runMax: 3, slotsMax: 1 }],
  ['seventeen lots', { lots: 17, miners: 170, runMax: 5, slotsMax: 4 }],
]

test.each(SWARMS)('T4: with %s the auction fills nine tenths of the minimum cut or more', (...[, options]) => {
  const dice = createDice(40n)
  let [opened, possible] = [0, 0]
  for (let round = 0; round < 20; round++) {
    const miners = randomSwarm(dice, options)
    const bound = minimumCut(miners, options.lots)
    const filled = fill(miners, options.lots, dice)
    expect(filled).toBeLessThanOrEqual(bound)
    opened += filled
    possible += bound
  }
  expect(possible).toBeGreaterThan(20)
  expect(opened / possible).toBeGreaterThanOrEqual(0.9)
})

function randomSwarm(dice: Dice, { lots, miners, runMax, slotsMax }: SwarmOptions): SwarmMiner[] {
  return Array.from({ length: miners }, (_, number) => {
    const run = Math.min(lots, 1 + dice.below(runMax))
    const first = dice.below(lots - run + 1)
    const bid = BigInt(dice.below(600))
    const rate = BigInt(1 + dice.below(100)) * (1_000n << 16n)
    const candidate = { operator: testAccount(number), payout: testAccount(number), bid, rate }
    return { candidate, first, end: first + run, slots: 1 + dice.below(slotsMax), used: 0 }
  })
}

/** Opens leases of one lot per `lots` until one does not fit; how many there are then. */
function fill(miners: readonly SwarmMiner[], lots: number, dice: Dice): number {
  for (let opened = 0; ; opened++) {
    const offers = Array.from({ length: lots }, (_, lot) => ({
      units: 1_000n,
      candidates: miners
        .filter(({ first, end, slots, used }) => first <= lot && lot < end && used < slots)
        .map(({ candidate }) => candidate),
    }))
    const assignment = assign(offers, { leaseId: randomHash(dice), price: PRICE, parameters: INITIAL_PARAMETERS })
    if (!assignment.ok) return opened
    for (const { operator } of assignment.lots) {
      miners.find(({ candidate }) => candidate.operator === operator)!.used += 1
    }
  }
}

/**
 * The most leases at a time: the largest t for which t slots of every lot can be had from miners that give at most t. Then there are t leases
 * with no miner twice in any (lots and miners are a bipartite graph of degree t at most, and its edges have t colours).
 */
function minimumCut(miners: readonly SwarmMiner[], lots: number): number {
  let leases = 0
  while (flow(miners, lots, leases + 1) === lots * (leases + 1)) leases += 1
  return leases
}

/** Ford and Fulkerson's: one slot at a time along an augmenting path. */
function flow(miners: readonly SwarmMiner[], lots: number, leases: number): number {
  const given = miners.map(() => new Array<number>(lots).fill(0))
  const total = (miner: number): number => given[miner]!.reduce((sum, count) => sum + count, 0)
  const augment = (lot: number, seen: Set<number>): boolean => {
    for (const [miner, { first, end, slots }] of miners.entries()) {
      if (lot < first || lot >= end || seen.has(miner)) continue
      seen.add(miner)
      if (total(miner) < Math.min(slots, leases)) {
        given[miner]![lot]! += 1
        return true
      }
      for (let other = first; other < end; other++) {
        if (other === lot || given[miner]![other] === 0) continue
        if (!augment(other, seen)) continue
        given[miner]![other]! -= 1
        given[miner]![lot]! += 1
        return true
      }
    }
    return false
  }
  let sum = 0
  for (let lot = 0; lot < lots; lot++) {
    for (let slot = 0; slot < leases; slot++) {
      if (!augment(lot, new Set())) return sum
      sum += 1
    }
  }
  return sum
}
