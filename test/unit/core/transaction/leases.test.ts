/** Contracts 13 and 14, open-lease and close-lease: what each changes when accepted, and by which code each refusal is known. */
import { beforeEach, describe, expect, test } from 'vitest'
import { accountId, hash } from '../../../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { getAccount } from '../../../../src/core/state/accounts.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { getLease, type LeaseRecord, openLeases } from '../../../../src/core/state/leases.ts'
import { getMiner, putMiner } from '../../../../src/core/state/miners.ts'
import { getModel, putModel } from '../../../../src/core/state/models.ts'
import { getPlacement } from '../../../../src/core/state/placements.ts'
import type { OpenLease } from '../../../../src/core/transaction/open-lease.ts'
import { DLLM, type Person, person } from '../../../chain-accounts.ts'
import {
  call,
  change,
  claimBody,
  endBlocks,
  expectRefused,
  type LeaseWorld,
  leaseWorld,
  MINERS,
  MODEL,
  open,
  openBody,
  PRICE,
  SEGMENTS,
  serve,
  twoLotWorld,
  voucherOf,
} from '../../../lease-world.ts'

const [ann, ben] = [1, 2].map(person) as [Person, Person]
const [first, second, third] = MINERS as [Person, Person, Person]
const NOBODY = hash('ee'.repeat(32))
let world: LeaseWorld

beforeEach(() => {
  world = twoLotWorld()
})

const sound = () => expect(stateFaults(world.state)).toEqual([])

function refuses(by: Person, type: number, body: unknown, code: string): void {
  expectRefused(world, by, { type, body, code })
}

describe('open-lease', () => {
  test('names a miner for each lot, locks its task and a slot, and sets the cap aside', () => {
    const id = open(world, ann, { cuts: [3], cap: 5n * DLLM })
    const lease = getLease(world.state, id)!
    expect(lease).toMatchObject({ payer: ann.id, model: MODEL, cap: 5n * DLLM, escrow: 5n * DLLM, status: 'open' })
    expect(lease).toMatchObject({ openedHeight: 5, expiryHeight: 25, dueHeight: 25, seq: 0n, openAudits: 0 })
    expect(lease.terms).toEqual({
      price: PRICE,
      decodeWeight: 4n,
      treasuryShare: 100n,
      stakerShare: 70n,
      receiptRows: 256n,
    })
    expect(lease.lots.map(({ operator, end, state }) => [operator, end, state])).toEqual([
      [first.id, 3, 'unclaimed'],
      [second.id, SEGMENTS, 'unclaimed'],
    ])
    const [one] = lease.lots as [LeaseRecord['lots'][0]]
    expect(one).toMatchObject({ work: { linear: 6_000_000n, attention: 300n }, incarnation: 7n, rows: 0 })
    expect(one.rate).toBeGreaterThanOrEqual(1n)
    expect(one.task).toBeGreaterThan(0n)
    expect(getMiner(world.state, first.id)).toMatchObject({ locked: one.task, openLots: 1, deposit: DLLM })
    expect(getPlacement(world.state, { model: MODEL, operator: first.id })).toMatchObject({ used: 1, slots: 2 })
    expect(getAccount(world.state, ann.id).balance).toBe(995n * DLLM - 425n * 10n)
    expect([...openLeases(world.state, ann.id)]).toEqual([id])
    sound()
  })

  test('keeps its terms when prices and parameters change', () => {
    const id = open(world, ann, { cuts: [3] })
    const { terms } = getLease(world.state, id)!
    change(world.state, (state) => putModel(state, MODEL, { ...getModel(state, MODEL)!, price: 99n }))
    const parameters = { ...world.context.parameters, decodeWeight: 9n, treasuryShare: 300n, receiptRows: 16n }
    world.context = { ...world.context, parameters }
    const voucher = voucherOf(world, id, { decodeRows: 8n })
    call(world, first, { type: 15, body: claimBody(id, { voucher, rows: 32 }) })
    expect(getLease(world.state, id)!.terms).toEqual(terms)
    // 8 rows of 6 million, four times: 192 units, at the price of the opening.
    call(world, ann, { type: 14, body: { lease: id } })
    const [settled] = endBlocks(world, 5)
    expect(settled).toMatchObject({ charge: 192n * PRICE, treasury: 192n, stakers: 134n })
  })

  test.each<[string, Partial<OpenLease>, string]>([
    ['for no rows', { rows: 0 }, 'ZERO_AMOUNT'],
    ['with an empty lot', { cuts: [3, 3] }, 'BAD_CUTS'],
    ['with cuts that fall', { cuts: [3, 2] }, 'BAD_CUTS'],
    ['with a lot before the first', { cuts: [0] }, 'BAD_CUTS'],
    ['with a lot after the last segment', { cuts: [3, SEGMENTS] }, 'BAD_CUTS'],
    ['that avoids somebody twice', { cuts: [3], avoid: [third.id, third.id] }, 'BAD_AVOID'],
    ['that avoids in falling order', { cuts: [3], avoid: [first.id, third.id].sort().reverse() }, 'BAD_AVOID'],
    ['of no model', { model: NOBODY }, 'NO_SUCH_MODEL'],
    ['that may cost nothing', { cuts: [3], cap: 0n }, 'ZERO_AMOUNT'],
    ['below the price', { cuts: [3], priceMax: PRICE - 1n }, 'PRICE_ABOVE_MAX'],
    ['that ends in its block', { cuts: [3], expiryHeight: 5 }, 'ALREADY_PAST'],
    ['that lasts too long', { cuts: [3], expiryHeight: 46 }, 'TOO_LONG_AHEAD'],
    ['of more than there is', { cuts: [3], cap: 1_000n * DLLM }, 'INSUFFICIENT_FUNDS'],
    ['of a lot that nobody serves', { cuts: [2] }, 'NO_MINER'],
  ])('%s is refused', (_case, terms, code) => {
    refuses(ann, 13, openBody(world, terms), code)
  })

  test('of the longest time, with no cap at a price of 0, is accepted', () => {
    change(world.state, (state) => {
      putModel(state, MODEL, { ...getModel(state, MODEL)!, price: 0n })
    })
    serve(world, [{ miner: third.id, placement: { bid: 0n } }])
    const id = open(world, ann, { cap: 0n, priceMax: 0n, expiryHeight: 45 })
    expect(getLease(world.state, id)).toMatchObject({ escrow: 0n, lots: [{ operator: third.id, rate: 0n, task: 0n }] })
    sound()
  })

  test('of a retired model is refused', () => {
    change(world.state, (state) => putModel(state, MODEL, { ...getModel(state, MODEL)!, status: 'retired' }))
    refuses(ann, 13, openBody(world, { cuts: [3] }), 'MODEL_RETIRED')
  })

  test.each([
    ['has no free slot', { placement: { slots: 1, used: 1 } }],
    ['has ended its placement', { placement: { until: 4 } }],
    ['has too small a deposit', { deposit: 100_000n }],
    ['bids more than the miners can get', { placement: { bid: 9n } }],
  ])('does not name who %s', (_case, served) => {
    world = leaseWorld()
    serve(world, [{ miner: first.id, ...served }])
    refuses(ann, 13, openBody(world), 'NO_MINER')
  })

  test('does not name who was slashed out', () => {
    change(world.state, (state) => {
      putMiner(state, second.id, { ...getMiner(state, second.id)!, status: 'slashed-out' })
    })
    refuses(ann, 13, openBody(world, { cuts: [3] }), 'NO_MINER')
  })

  test('names nobody who is to be avoided, neither as miner nor as standby', () => {
    world = leaseWorld()
    serve(
      world,
      [first, second, third].map(({ id: miner }, rank) => ({ miner, placement: { bid: BigInt(rank) } })),
    )
    const named = (avoid: readonly (string | undefined)[]) => {
      const ids = [first, second, third].map(({ id }) => id).filter((id) => avoid.includes(id))
      const id = open(world, ann, { cap: 1_000n, avoid: ids.sort() })
      return getLease(world.state, id)!.lots[0]!
    }
    const { operator: winner, standby } = named([])
    const last = [first, second, third].find(({ id }) => id !== winner && id !== standby)!.id
    // Each lease draws anew who of equals comes first.
    const without = named([winner])
    expect(new Set([without.operator, without.standby])).toEqual(new Set([standby, last]))
    expect(named([standby, last])).toMatchObject({ operator: winner, standby: undefined })
    refuses(ann, 13, openBody(world, { avoid: [first, second, third].map(({ id }) => id).sort() }), 'NO_MINER')
    sound()
  })

  test('avoids the operator that is named, not another one of its owner', () => {
    world = leaseWorld()
    serve(world, [
      { miner: first.id, payout: third.id },
      { miner: second.id, payout: third.id },
    ])
    const id = open(world, ann, { avoid: [first.id] })
    expect(getLease(world.state, id)!.lots).toMatchObject([{ operator: second.id, standby: undefined }])
  })

  test('costs two units for each that is to be avoided, eight at most, whoever they are', () => {
    const avoid = Array.from({ length: MARKET_LIMITS.leaseAvoidMax }, (_, index) => person(50 + index).id).sort()
    const before = getAccount(world.state, ann.id).balance
    open(world, ann, { cuts: [3], avoid })
    expect(getAccount(world.state, ann.id).balance).toBe(before - DLLM - (425n + 16n) * 10n)
    refuses(ann, 13, openBody(world, { cuts: [3], avoid: [...avoid, accountId('ff'.repeat(20))] }), 'BAD_BODY')
  })

  test('takes the last slot, which a closed lease gives back at once', () => {
    const ids = [open(world, ann, { cuts: [3] }), open(world, ben, { cuts: [3] })]
    refuses(ann, 13, openBody(world, { cuts: [3] }), 'NO_MINER')
    call(world, ann, { type: 14, body: { lease: ids[0] } })
    open(world, ann, { cuts: [3] })
    sound()
  })

  test('is refused to who has as many as there may be', () => {
    world = leaseWorld()
    serve(world, [{ miner: first.id, placement: { slots: 1_000 } }])
    for (let count = 0; count < MARKET_LIMITS.leasesPerAccountMax; count++) open(world, ann, { cap: 1_000n })
    refuses(ann, 13, openBody(world), 'LEASES_FULL')
    const [id] = openLeases(world.state, ann.id)
    call(world, ann, { type: 14, body: { lease: id } })
    open(world, ann)
    open(world, ben)
    sound()
  })

  test('can have sixteen lots and not one more', () => {
    const cuts = Array.from({ length: MARKET_LIMITS.leaseLotsMax }, (_, at) => at + 1)
    refuses(ann, 13, openBody(world, { cuts }), 'BAD_BODY')
    refuses(ann, 13, openBody(world, { cuts: cuts.slice(1) }), 'BAD_CUTS')
  })
})

describe('close-lease', () => {
  test('frees slots at once, tasks and escrow when it is settled', () => {
    const id = open(world, ann, { cuts: [3] })
    const { task } = getLease(world.state, id)!.lots[0]!
    call(world, ann, { type: 14, body: { lease: id } })
    expect(getLease(world.state, id)).toMatchObject({ status: 'closing', dueHeight: 9, escrow: DLLM })
    expect(getPlacement(world.state, { model: MODEL, operator: first.id })?.used).toBe(0)
    expect(getMiner(world.state, first.id)).toMatchObject({ locked: task, openLots: 1 })
    expect([...openLeases(world.state)]).toEqual([])
    sound()
    expect(endBlocks(world, 4)).toEqual([])
    expect(endBlocks(world)).toMatchObject([{ lease: id, charge: 0n, refund: DLLM }])
    expect(getLease(world.state, id)).toBeUndefined()
    expect(getMiner(world.state, first.id)).toMatchObject({ locked: 0n, openLots: 0 })
    expect(getAccount(world.state, ann.id).balance).toBe(1_000n * DLLM - 445n * 10n)
    sound()
  })

  test('is refused for no lease, to others than its payer, and twice', () => {
    const lease = open(world, ann, { cuts: [3] })
    refuses(ann, 14, { lease: NOBODY }, 'NO_SUCH_LEASE')
    refuses(ben, 14, { lease }, 'NOT_THE_PAYER')
    refuses(first, 14, { lease }, 'NOT_THE_PAYER')
    call(world, ann, { type: 14, body: { lease } })
    refuses(ann, 14, { lease }, 'LEASE_CLOSED')
  })
})
