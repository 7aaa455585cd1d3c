/** Whom a payer avoids is to a lease as if it were not placed: so what holds of auctions (auction.test.ts) holds with any list. */
import { expect, test } from 'vitest'
import { type LeasePlan, type LeaseRequest, planLease } from '../../src/core/market/open.ts'
import { getModel } from '../../src/core/state/models.ts'
import { putPlacement } from '../../src/core/state/placements.ts'
import { overlayOn, type ReadState, type WriteState } from '../../src/core/state/state.ts'
import { createDice, type Dice } from '../chain-random.ts'
import { type LeaseWorld, leaseWorld, MINERS, MODEL, SEGMENTS, type Served, serve } from '../lease-world.ts'
import { randomHash } from '../market-random.ts'

const INSTANCES = 400

test('who is avoided neither serves nor stands by, and changes nothing for the others, whatever it bids', () => {
  const dice = createDice(17n)
  const count = { assigned: 0, changed: 0, refused: 0 }
  for (let round = 0; round < INSTANCES; round++) {
    const served = randomServed(dice)
    const world = leaseWorld()
    serve(world, served)
    const avoid = MINERS.filter(() => dice.chance(0.3))
      .map(({ id }) => id)
      .sort()
    const request = { leaseId: randomHash(dice), model: MODEL, cuts: dice.pick([[], [3], [2, 4]]), rows: 100 }
    const plan = planOf(world, world.state, { ...request, avoid })
    const absent = overlayOn(world.state)
    for (const operator of avoid) putPlacement(absent, { model: MODEL, operator }, undefined)
    expect(planOf(world, absent, { ...request, avoid: [] })).toEqual(plan)
    const otherBids = overlayOn(world.state)
    for (const one of served) if (avoid.includes(one.miner)) bid(otherBids, one, BigInt(dice.below(9)))
    expect(planOf(world, otherBids, { ...request, avoid })).toEqual(plan)
    for (const { operator, standby } of plan.ok ? plan.lots : []) {
      expect(avoid).not.toContain(operator)
      expect(avoid).not.toContain(standby)
    }
    const free = planOf(world, world.state, { ...request, avoid: [] })
    if (plan.ok) count.assigned += 1
    else if (free.ok) count.refused += 1
    if (plan.ok && JSON.stringify(operators(plan)) !== JSON.stringify(operators(free))) count.changed += 1
  }
  for (const often of Object.values(count)) expect(often).toBeGreaterThan(INSTANCES / 20)
})

function planOf({ context }: LeaseWorld, state: ReadState, request: LeaseRequest): LeasePlan {
  return planLease(state, { request, record: getModel(state, MODEL)! }, context)
}

function operators(plan: LeasePlan): readonly string[] {
  return plan.ok ? plan.lots.map(({ operator }) => operator) : []
}

/** All miners, over a run of lots each, some with one payout account. */
function randomServed(dice: Dice): Served[] {
  return MINERS.map(({ id: miner }) => {
    const [first, end] = dice.pick([
      [0, SEGMENTS],
      [0, 3],
      [3, SEGMENTS],
      [0, 4],
      [2, SEGMENTS],
    ] as const)
    const payout = dice.chance(0.2) ? MINERS[0]!.id : miner
    return { miner, payout, placement: { first, end, bid: BigInt(dice.below(9)), used: dice.below(3) } }
  })
}

function bid(state: WriteState, { miner: operator, placement }: Served, amount: bigint): void {
  const whole = { first: 0, end: SEGMENTS, slots: 2, used: 0, until: 300, incarnation: 0n }
  putPlacement(state, { model: MODEL, operator }, { ...whole, ...placement, bid: amount })
}
