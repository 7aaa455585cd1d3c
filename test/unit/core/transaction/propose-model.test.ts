/** Publishing a version and asking for its place: what is refused, and what a vote decides. */
import { describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { CHAIN_LIMITS, MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { getProposal, openProposals } from '../../../../src/core/state/proposals.ts'
import { proposalDepositOf } from '../../../../src/core/transaction/open-proposal.ts'
import { DLLM, type Person, person } from '../../../chain-accounts.ts'
import {
  ann,
  approved,
  balanceOf,
  ben,
  CANARY,
  cleo,
  dan,
  endBlocks,
  endUntil,
  leasing,
  lifeWorld,
  MINERS,
  placing,
  proposing,
  publishing,
  recordOf,
  refuses,
  retiring,
  run,
  statusOf,
  V1,
  V2,
  V3,
  vote,
} from '../../../life-world.ts'

const [first] = MINERS as [Person]
const nothing = hash('00'.repeat(32))

describe('register-model with a predecessor', () => {
  test('publishes: nobody serves or leases it, and its price stays', () => {
    const world = lifeWorld({ priceBlocks: 1n })
    run(world, dan, publishing(V2, { predecessor: V1, canary: CANARY }))
    expect(recordOf(world, V2)).toMatchObject({
      status: 'published',
      predecessor: V1,
      canary: CANARY,
      registeredHeight: 1,
    })
    expect(refuses(world, first, placing(V2)).code).toBe('MODEL_NOT_APPROVED')
    expect(refuses(world, dan, leasing(V2, 9)).code).toBe('MODEL_NOT_ACTIVE')
    endBlocks(world, 5)
    expect(recordOf(world, V2).price).toBe(10n)
    expect(refuses(world, cleo, publishing(V2, { predecessor: V1 })).code).toBe('MODEL_EXISTS')
  })

  test.each([
    ['that is unknown', publishing(V2, { predecessor: nothing }), 'NO_SUCH_MODEL'],
    ['that is the model itself', publishing(V2, { predecessor: V2 }), 'NO_SUCH_MODEL'],
    ['and a canary of no bytes', publishing(V2, { predecessor: V1, canary: { ...CANARY, bytes: 0 } }), 'BAD_CANARY'],
    [
      'and a canary that is too large',
      publishing(V2, { predecessor: V1, canary: { ...CANARY, bytes: MARKET_LIMITS.canaryBytesMax + 1 } }),
      'BAD_CANARY',
    ],
  ])('%s is refused', (_case, called, code) => {
    expect(refuses(lifeWorld(), dan, called).code).toBe(code)
  })

  test('takes the largest canary there can be', () => {
    const world = lifeWorld()
    run(world, dan, publishing(V2, { predecessor: V1, canary: { ...CANARY, bytes: MARKET_LIMITS.canaryBytesMax } }))
    expect(statusOf(world, V2)).toBe('published')
  })

  test('that is not active is refused', () => {
    const world = lifeWorld()
    run(world, dan, publishing(V2, { predecessor: V1 }))
    expect(refuses(world, dan, publishing(V3, { predecessor: V2 })).code).toBe('PREDECESSOR_NOT_ACTIVE')
  })
})

describe('propose-model', () => {
  const published = () => {
    const world = lifeWorld()
    run(world, cleo, publishing(V2, { predecessor: V1 }))
    return world
  }

  test('is for anybody with a deposit, and names when its vote ends and when it is looked at', () => {
    const world = published()
    const before = balanceOf(world, dan)
    run(world, dan, proposing(V2))
    expect(balanceOf(world, dan)).toBe(before - 5n * DLLM - 100n * 12n)
    expect(getProposal(world.state, 0)).toEqual({
      ...{ proposer: dan.id, deposit: 5n * DLLM, endHeight: 10 },
      subject: { type: 'model', model: V2, registeredHeight: 1, activationHeight: 20 },
    })
    run(world, ben, proposing(V2, 37))
    expect(getProposal(world.state, 1)?.subject).toMatchObject({ activationHeight: 37 })
  })

  test.each([
    ['of no model', proposing(nothing), 'NO_SUCH_MODEL'],
    ['of an active model', proposing(V1), 'MODEL_ACTIVE'],
    ['before miners had time', proposing(V2, 19), 'ACTIVATION_TOO_SOON'],
    ['too far ahead', proposing(V2, 21 + MARKET_LIMITS.activationAheadMax), 'TOO_LONG_AHEAD'],
  ])('%s is refused', (_case, called, code) => {
    expect(refuses(published(), dan, called).code).toBe(code)
  })

  test('names the first block that there can be, and the last one is taken', () => {
    const world = published()
    expect(refuses(world, dan, proposing(V2, 1)).details).toEqual({ first: 20 })
    run(world, dan, proposing(V2, 20 + MARKET_LIMITS.activationAheadMax))
  })

  test('deposits twice as much for every eight that are open', () => {
    const world = published()
    const paid = (by: Person) => {
      const before = balanceOf(world, by)
      run(world, by, proposing(V2))
      return before - balanceOf(world, by) - 100n * 12n
    }
    const deposits = Array.from({ length: 17 }, (_, index) => paid(index % 2 === 0 ? dan : ben))
    expect(deposits.map((grains) => grains / DLLM)).toEqual([
      ...Array.from({ length: 8 }, () => 5n),
      ...Array.from({ length: 8 }, () => 10n),
      20n,
    ])
    const { proposalDeposit } = world.context.parameters
    expect(proposalDepositOf(CHAIN_LIMITS.openProposalsMax - 1, { proposalDeposit })).toBe(128n * proposalDeposit)
  })

  test('without the deposit is refused', () => {
    expect(refuses(published(), first, proposing(V2)).code).toBe('INSUFFICIENT_FUNDS')
    expect(refuses(published(), person(9), proposing(V2)).code).toBe('INSUFFICIENT_FUNDS')
  })

  test('of an approved model, and of one whose place another version took, is refused', () => {
    const world = lifeWorld()
    run(world, cleo, publishing(V3, { predecessor: V1 }))
    approved(world, V2)
    expect(refuses(world, dan, proposing(V2)).code).toBe('MODEL_APPROVED')
    for (const miner of MINERS) run(world, miner, placing(V2))
    endUntil(world, recordOf(world, V2).dueHeight!)
    expect(refuses(world, dan, proposing(V3)).code).toBe('PREDECESSOR_NOT_ACTIVE')
  })
})

describe('a vote on a model', () => {
  const proposed = () => {
    const world = lifeWorld()
    run(world, cleo, publishing(V2, { predecessor: V1 }))
    run(world, cleo, proposing(V2, 40))
    return world
  }

  test('approves it with the epoch, and the deposit returns', () => {
    const world = proposed()
    vote(world, true)
    const before = balanceOf(world, cleo)
    expect(endUntil(world, 10)).toEqual([
      { type: 'model', model: V2, publisher: cleo.id, change: 'approved', height: 40 },
    ])
    expect(recordOf(world, V2)).toMatchObject({ status: 'approved', dueHeight: 40 })
    expect([balanceOf(world, cleo) - before, [...openProposals(world.state)]]).toEqual([5n * DLLM, []])
  })

  test.each([
    ['says no', (world: ReturnType<typeof proposed>) => vote(world, false)],
    ['has half of the stake for it and no more', (world: ReturnType<typeof proposed>) => run(world, ann, yes(0))],
    ['says nothing', () => {}],
  ])('that %s leaves it published', (_case, cast) => {
    const world = proposed()
    cast(world)
    expect(endUntil(world, 10)).toEqual([])
    expect(statusOf(world, V2)).toBe('published')
  })

  test('decides nothing when the model is retired meanwhile, or published anew on other terms', () => {
    const world = proposed()
    vote(world, true)
    run(world, cleo, retiring(V2))
    endBlocks(world, 1)
    run(world, cleo, publishing(V3))
    for (const miner of MINERS) run(world, miner, placing(V3))
    run(world, dan, publishing(V2, { predecessor: V3 }))
    expect(endUntil(world, 10)).toEqual([])
    expect(statusOf(world, V2)).toBe('published')
  })

  test('decides once when the model stands in two proposals', () => {
    const world = proposed()
    vote(world, true)
    run(world, dan, proposing(V2, 50))
    vote(world, true)
    expect(endUntil(world, 10)).toMatchObject([{ change: 'approved', height: 40 }])
    expect([recordOf(world, V2).dueHeight, [...openProposals(world.state)]]).toEqual([40, []])
  })

  test('for a place that another version took meanwhile approves nothing', () => {
    const world = lifeWorld()
    run(world, cleo, publishing(V3, { predecessor: V1 }))
    approved(world, V2)
    for (const miner of MINERS) run(world, miner, placing(V2))
    endUntil(world, recordOf(world, V2).dueHeight! - 1)
    run(world, dan, proposing(V3))
    vote(world, true)
    expect(endUntil(world, 30).at(-1)).toMatchObject({ model: V3, change: 'given-up', lack: 'overtaken' })
    expect(statusOf(world, V3)).toBe('published')
  })

  test('is enough of one owner where one is asked for', () => {
    const world = lifeWorld({ readyOwners: 1n })
    const due = approved(world, V2)
    run(world, first, placing(V2))
    endUntil(world, due)
    expect(statusOf(world, V2)).toBe('active')
  })
})

function yes(proposal: number) {
  return { type: 7, body: { proposal, yes: true } }
}
