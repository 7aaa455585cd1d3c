/** What the end of a block does: leases expire and are settled, in bounded numbers; prices follow the use of slots. */
import { beforeEach, describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { getAccount, TREASURY } from '../../../../src/core/state/accounts.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { leaseDues } from '../../../../src/core/state/lease-dues.ts'
import { getLease, leases, putLease } from '../../../../src/core/state/leases.ts'
import { getMiner, putMiner } from '../../../../src/core/state/miners.ts'
import { getModel, putModel } from '../../../../src/core/state/models.ts'
import { getPlacement, putPlacement } from '../../../../src/core/state/placements.ts'
import { getSupply } from '../../../../src/core/state/supply.ts'
import { DLLM, type Person, person } from '../../../chain-accounts.ts'
import {
  call,
  change,
  claimBody,
  endBlocks,
  type LeaseWorld,
  leaseWorld,
  MINERS,
  MODEL,
  open,
  PAYERS,
  PRICE,
  SEGMENTS,
  serve,
  voucherOf,
} from '../../../lease-world.ts'

const [ann, ben] = [1, 2].map(person) as [Person, Person]
const [first, second] = MINERS as [Person, Person]
let world: LeaseWorld

beforeEach(() => {
  world = leaseWorld()
})

const balance = ({ id }: Pick<Person, 'id'>) => getAccount(world.state, id).balance

describe('a settlement', () => {
  beforeEach(() => {
    serve(world, [
      { miner: first.id, payout: ben.id, placement: { end: 3 } },
      { miner: second.id, deposit: 3n * DLLM, placement: { first: 3 } },
    ])
  })

  /** 256 rows of 6 million each: 1,536 units of each lot, 30,720 grains of both. */
  const paid = (claims: { readonly by: Person; readonly lot: number; readonly rows: number }[]) => {
    const id = open(world, ann, { cuts: [3], cap: 30_720n })
    const voucher = voucherOf(world, id, { promptRows: 256n })
    for (const { by, lot, rows } of claims) call(world, by, { type: 15, body: claimBody(id, { voucher, lot, rows }) })
    const { lots } = getLease(world.state, id)!
    call(world, ann, { type: 14, body: { lease: id } })
    const before = { ann: balance(ann), ben: balance(ben), second: balance(second), supply: getSupply(world.state) }
    const [settlement] = endBlocks(world, 5)
    return { id, rates: lots.map(({ rate }) => rate), before, settlement: settlement! }
  }

  test('pays claimed lots at their rates, treasury and stakers their shares, and burns the rest', () => {
    const { rates, before, settlement } = paid([
      { by: first, lot: 0, rows: 256 },
      { by: second, lot: 1, rows: 256 },
    ])
    expect(settlement).toMatchObject({
      payer: ann.id,
      model: MODEL,
      charge: 30_720n,
      treasury: 3_072n,
      stakers: 2_150n,
    })
    expect(settlement.lots.map(({ units, pay }) => [units, pay])).toEqual(rates.map((rate) => [1_536n, rate * 1_536n]))
    expect(settlement.refund).toBe(0n)
    expect(balance(ben) - before.ben).toBe(rates[0]! * 1_536n)
    expect(balance(second) - before.second).toBe(rates[1]! * 1_536n)
    expect(balance(ann)).toBe(before.ann)
    expect(balance({ id: TREASURY })).toBe(3_072n)
    const { pool, burnt } = getSupply(world.state)
    expect(pool - before.supply.pool).toBe(2_150n)
    expect(burnt - before.supply.burnt).toBe(30_720n - 5_222n - (rates[0]! + rates[1]!) * 1_536n)
    expect([...leases(world.state)]).toEqual([])
    expect([...leaseDues(world.state)]).toEqual([])
    expect(stateFaults(world.state)).toEqual([])
  })

  test('charges nothing for a lot that nobody claimed, and the rest comes back', () => {
    const { before, settlement } = paid([{ by: second, lot: 1, rows: 256 }])
    expect(settlement).toMatchObject({
      charge: 15_360n,
      refund: 15_360n,
      lots: [{ units: 0n, pay: 0n }, { units: 1_536n }],
    })
    expect(balance(ann) - before.ann).toBe(15_360n)
    expect(balance(ben)).toBe(before.ben)
  })

  test('charges a lot for the rows that its receipts cover', () => {
    const { settlement } = paid([{ by: second, lot: 1, rows: 100 }])
    expect(settlement).toMatchObject({ charge: 6_000n, refund: 24_720n, lots: [{ units: 0n }, { units: 600n }] })
  })

  test('charges nothing for a lot that was found faulty', () => {
    const id = open(world, ann, { cuts: [3], cap: DLLM })
    const voucher = voucherOf(world, id, { promptRows: 256n })
    call(world, first, { type: 15, body: claimBody(id, { voucher, rows: 256 }) })
    call(world, ann, { type: 14, body: { lease: id } })
    change(world.state, (state) => {
      const lease = getLease(state, id)!
      const { task } = lease.lots[0]!
      const lots = lease.lots.map((lot, index) => (index === 0 ? { ...lot, state: 'faulted' as const, task: 0n } : lot))
      putLease(state, id, { ...lease, lots })
      putMiner(state, first.id, { ...getMiner(state, first.id)!, locked: 0n })
      expect(task).toBeGreaterThan(0n)
    })
    expect(endBlocks(world, 5)).toMatchObject([{ charge: 0n, refund: DLLM }])
    expect(getMiner(world.state, first.id)).toMatchObject({ openLots: 0, locked: 0n })
  })

  test('of a lease without work needs no claim', () => {
    expect(paid([]).settlement).toMatchObject({ charge: 0n, treasury: 0n, stakers: 0n, burnt: 0n, refund: 30_720n })
  })

  test('finds a miner that left, and a placement that ended, meanwhile', () => {
    const id = open(world, ann, { cuts: [3] })
    const ending = { model: MODEL, first: 3, end: SEGMENTS, slots: 0, bid: 1n, until: 0, incarnation: 0n }
    call(world, second, { type: 12, body: ending })
    expect(getPlacement(world.state, { model: MODEL, operator: second.id })).toMatchObject({ slots: 0, used: 1 })
    call(world, ann, { type: 14, body: { lease: id } })
    expect(getPlacement(world.state, { model: MODEL, operator: second.id })).toBeUndefined()
    call(world, second, { type: 11, body: { amount: 2n * DLLM } })
    expect(stateFaults(world.state)).toEqual([])
    expect(endBlocks(world, 5)).toMatchObject([{ lease: id }])
    expect(stateFaults(world.state)).toEqual([])
  })
})

describe('leases that are due', () => {
  beforeEach(() => {
    serve(world, [{ miner: first.id, placement: { slots: 1_000 } }])
  })

  test('close when they expire, and are settled when disputes are over', () => {
    const id = open(world, ann, { expiryHeight: 7 })
    expect(endBlocks(world, 2)).toEqual([])
    expect(getLease(world.state, id)?.status).toBe('open')
    expect(endBlocks(world)).toEqual([])
    expect(getLease(world.state, id)).toMatchObject({ status: 'closing', dueHeight: 11 })
    expect(endBlocks(world, 3)).toEqual([])
    expect(endBlocks(world)).toMatchObject([{ lease: id }])
  })

  test('wait for the next block when they are too many, the oldest first, and nothing is lost', () => {
    const { dueLeasesPerBlock, leasesPerAccountMax } = MARKET_LIMITS
    const ids = PAYERS.flatMap((payer) =>
      Array.from({ length: leasesPerAccountMax }, () => open(world, payer, { cap: 1_000n, expiryHeight: 6 })),
    )
    expect(ids.length).toBeGreaterThan(2 * dueLeasesPerBlock)
    const late = open(world, person(4), { cap: 1_000n, expiryHeight: 7 })
    endBlocks(world, 2)
    const open1 = [...leases(world.state)].filter(([, { status }]) => status === 'open')
    expect(open1).toHaveLength(ids.length + 1 - dueLeasesPerBlock)
    endBlocks(world, 2)
    // Three blocks closed all of the first height; the one that expired a block later comes after them.
    expect([...leases(world.state)].filter(([, { status }]) => status === 'open').map(([id]) => id)).toEqual([late])
    expect(stateFaults(world.state)).toEqual([])
    const settled = endBlocks(world, 10).map(({ lease }) => lease)
    expect(settled.toSorted()).toEqual([...ids, late].toSorted())
    expect(settled.at(-1)).toBe(late)
    for (const payer of [...PAYERS, person(4)]) {
      expect(balance(payer) % 1_000n).toBe(0n)
    }
    expect(getMiner(world.state, first.id)).toMatchObject({ locked: 0n, openLots: 0 })
  })
})

describe('prices', () => {
  /** Blocks until the model's price has had its step. */
  const step = () => {
    endBlocks(world, Number(world.context.parameters.priceBlocks))
    return getModel(world.state, MODEL)!.price
  }

  test.each([
    ['rises when all slots are used', 100n, [{ slots: 2, used: 2 }], 112n],
    ['stays when half of them are', 100n, [{ slots: 2, used: 1 }], 100n],
    ['falls when none are', 100n, [{ slots: 2, used: 0 }], 88n],
    [
      'follows the scarcest segment',
      100n,
      [
        { slots: 8, used: 0 },
        { slots: 2, used: 2, first: 3 },
      ],
      93n,
    ],
    ['stays when a segment is not served', 100n, [{ slots: 2, used: 2, end: 3 }], 100n],
    ['stays when nobody serves', 100n, [], 100n],
    ['stays 0', 0n, [{ slots: 2, used: 2 }], 0n],
  ])('%s', (_case, price, placed, expected) => {
    change(world.state, (state) => putModel(state, MODEL, { ...getModel(state, MODEL)!, price }))
    serve(
      world,
      placed.map((placement, index) => ({ miner: MINERS[index]!.id, placement })),
    )
    expect(step()).toBe(expected)
  })

  test('do not count placements that ended, nor miners that are not active', () => {
    serve(world, [
      { miner: first.id, placement: { used: 2 } },
      { miner: second.id, placement: { slots: 100, until: 4 } },
      { miner: MINERS[2]!.id, placement: { slots: 100 } },
    ])
    change(world.state, (state) => {
      putMiner(state, MINERS[2]!.id, { ...getMiner(state, MINERS[2]!.id)!, status: 'slashed-out' })
    })
    expect(step()).toBe(PRICE + 1n)
  })

  test('move once in so many blocks, each model in a block of its own', () => {
    const models = ['b2', 'b3', 'b5'].map((byte) => hash(byte.repeat(32)))
    change(world.state, (state) => {
      for (const model of models) {
        putModel(state, model, getModel(state, MODEL)!)
        putPlacement(state, { model, operator: first.id }, { ...full, used: 1 })
      }
    })
    serve(world, [{ miner: first.id }])
    const steps = Array.from({ length: 20 }, () => {
      const before = models.map((model) => getModel(world.state, model)!.price)
      endBlocks(world)
      return models.map((model, index) => Number(getModel(world.state, model)!.price !== before[index]))
    })
    const sums = models.map((_, index) => steps.reduce((sum, moved) => sum + moved[index]!, 0))
    expect(sums).toEqual([2, 2, 2])
    expect(steps.slice(0, 10)).toEqual(steps.slice(10))
    expect(Math.max(...steps.map((moved) => moved.reduce((sum, one) => sum + one, 0)))).toBeLessThan(3)
  })

  test('of retired models stay', () => {
    serve(world, [{ miner: first.id, placement: { used: 2 } }])
    change(world.state, (state) => putModel(state, MODEL, { ...getModel(state, MODEL)!, status: 'retired' }))
    expect(step()).toBe(PRICE)
  })
})

const full = { first: 0, end: SEGMENTS, slots: 1, bid: 1n, until: 300, incarnation: 0n }
