/** What a full node says of a market whose state a test made: amounts that agree with the settlement, quotes, pages with bounds. */
import { describe, expect, test } from 'vitest'
import type { LeaseView } from '../../../../src/app/chain/market-access.ts'
import { firstEntries } from '../../../../src/app/chain/market-pages.ts'
import { createFullMarket } from '../../../../src/app/node/full-market.ts'
import { createMarketIndex } from '../../../../src/app/node/market-index.ts'
import { accountId, hash } from '../../../../src/base/brand.ts'
import { NODE_LIMITS } from '../../../../src/base/chain-limits.ts'
import type { Chain } from '../../../../src/core/chain.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'
import { getAccount } from '../../../../src/core/state/accounts.ts'
import { audits } from '../../../../src/core/state/audits.ts'
import { getLease, putLease } from '../../../../src/core/state/leases.ts'
import { createStateStore, overlayOn, type StateKey } from '../../../../src/core/state/state.ts'
import { asked, auditWorld, commitBody, draw } from '../../../audit-world.ts'
import {
  call,
  claimBody,
  endBlocks,
  LEASE_PARAMETERS,
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
import { createMemoryStore } from '../../../sim/store.ts'

const payer = PAYERS[0]!
const [first, second] = [MINERS[0]!, MINERS[1]!]

/** The market of a node whose newest block is the one before the world's. */
function marketOf({ state, networkId, context }: LeaseWorld) {
  const chain = {
    ...{ state, networkId, parameters: context.parameters, header: { height: context.height - 1 } },
    mempool: { nextNonce: (id: typeof payer.id) => getAccount(state, id).nonce },
  } as unknown as Chain
  return createFullMarket({ chain, records: createMarketIndex(createMemoryStore()) }, 'local')
}

function world(): LeaseWorld {
  const made = leaseWorld(LEASE_PARAMETERS)
  serve(made, [{ miner: first.id }, { miner: second.id, placement: { bid: 2n } }])
  return made
}

describe('a lease', () => {
  test('says what was claimed of it: what its settlement then charges', async () => {
    const made = world()
    const id = open(made, payer, { cuts: [3] })
    const market = marketOf(made)
    expect((await market.lease(id)).charge).toBe('0')
    const voucher = voucherOf(made, id, { promptRows: 100n, promptPositions: 4_950n, decodeRows: 20n })
    for (const [lot, { operator }] of getLease(made.state, id)!.lots.entries()) {
      const miner = MINERS.find(({ id: one }) => one === operator)!
      call(made, miner, { type: 15, body: claimBody(id, { voucher, lot, rows: lot === 0 ? 180 : 90 }) })
    }
    const view = await market.lease(id)
    expect(view.lots.map(({ state, rows }) => [state, rows])).toEqual([
      ['claimed', 180],
      ['claimed', 90],
    ])
    expect(view).toMatchObject({ seq: '1', counters: { promptRows: '100', decodeRows: '20' } })
    call(made, payer, { type: 14, body: { lease: id } })
    const [settlement] = endBlocks(made, 10)
    expect(view.charge).toBe(String(settlement!.charge))
    await expect(market.lease(id)).rejects.toMatchObject({ code: 'NO_SUCH_LEASE' })
  })
})

describe('a quote', () => {
  test('names the lots that an opening by the same payer gets', async () => {
    const made = world()
    const market = marketOf(made)
    const quote = await market.quote({ model: MODEL, cuts: [2], rows: 100, payer: payer.id })
    const lease = await market.lease(open(made, payer, { cuts: [2] }))
    const facts = ({
      operator,
      rate,
      task,
      first: from,
      end,
    }: LeaseView['lots'][number] | (typeof quote.lots)[number]) => {
      return { operator, rate, task, from, end }
    }
    expect(quote.lots.map(facts)).toEqual(lease.lots.map(facts))
    expect(quote).toMatchObject({ price: String(PRICE), height: made.context.height })
  })

  test('leaves out whom the payer avoids, in whatever order they are named', async () => {
    const market = marketOf(world())
    const wish = { model: MODEL, cuts: [], rows: 100, payer: payer.id }
    const [free] = (await market.quote(wish)).lots
    const chosen = [first, second].find(({ id }) => addressOfAccount(id, 'local') === free!.operator)!
    const avoid = [chosen.id, MINERS[5]!.id].sort().reverse()
    const [other] = (await market.quote({ ...wish, avoid })).lots
    expect(other!.operator).toBe(free!.standby)
    expect(other).not.toHaveProperty('standby')
  })

  test.each([
    ['no rows', { rows: 0 }, 'ZERO_AMOUNT'],
    ['cuts that do not rise', { cuts: [3, 2] }, 'BAD_CUTS'],
    ['a cut at 0', { cuts: [0] }, 'BAD_CUTS'],
    ['a cut behind the model', { cuts: [SEGMENTS] }, 'BAD_CUTS'],
    ['somebody avoided twice', { avoid: [payer.id, payer.id] }, 'BAD_AVOID'],
    ['a model that nobody registered', { model: hash('0e'.repeat(32)) }, 'NO_SUCH_MODEL'],
    ['more lots than owners', { cuts: [1, 2] }, 'NO_MINER'],
  ])('is refused for %s', async (_what, wish, code) => {
    const asking = marketOf(world()).quote({ model: MODEL, cuts: [], rows: 1, ...wish })
    await expect(asking).rejects.toMatchObject({ code })
  })
})

describe('pages', () => {
  /** A world with so many copies of one lease. */
  function many(count: number): LeaseWorld {
    const made = world()
    const lease = getLease(made.state, open(made, payer))!
    const store = createStateStore([...made.state.entries('' as StateKey)])
    const overlay = overlayOn(store)
    for (let number = 0; number < count; number++) {
      putLease(overlay, hash(number.toString(16).padStart(64, '0')), { ...lease, status: 'closing' })
    }
    store.merge(overlay.changes())
    return { ...made, state: store }
  }

  test('have as many entries as the bound of a node, whatever was asked for', async () => {
    const page = await marketOf(many(NODE_LIMITS.marketPageMax + 5)).leases({ limit: 1_000 })
    expect(page.entries).toHaveLength(NODE_LIMITS.marketPageMax)
    expect(page.next).toBeDefined()
  })

  test('end after so many reads, found or not, and the next goes on', async () => {
    const market = marketOf(many(NODE_LIMITS.marketReadsMax + 5))
    const nobody = accountId('0d'.repeat(20))
    const page = await market.leases({ payer: nobody, limit: 5 })
    expect(page).toMatchObject({ entries: [], next: NODE_LIMITS.marketReadsMax.toString(16).padStart(64, '0') })
    const rest = await market.leases({ payer: nobody, limit: 5, from: page.next })
    expect(rest.entries).toEqual([])
    expect(rest.next).toBeUndefined()
    const found = await firstEntries((wish) => market.leases({ payer: nobody, ...wish }), 5)
    expect(found).toMatchObject({ entries: [], more: false })
  })

  test('are put together up to the limit', async () => {
    const market = marketOf(many(300))
    const found = await firstEntries((wish) => market.leases(wish), 290)
    expect(found.entries).toHaveLength(290)
    expect(found.more).toBe(true)
    expect(new Set(found.entries.map(({ id }) => id)).size).toBe(290)
    expect((await firstEntries((wish) => market.leases(wish), 400)).more).toBe(false)
  })

  test.each(['', '00', 'zz', 'not a key', 'ff'.repeat(37)])('begin where there is something after %j', async (from) => {
    const page = await marketOf(many(2)).leases({ limit: 1, from })
    expect(page.entries.length).toBe(from < 'ff' ? 1 : 0)
  })
})

describe('audits', () => {
  test('are told with their auditors, and who has committed', async () => {
    const made = auditWorld()
    const drawn = draw(made)
    const market = marketOf(made)
    const page = await market.audits({ limit: 128 })
    expect(page.entries.map(({ lease, lot, window }) => ({ lease, lot, window }))).toEqual(drawn.map(([id]) => id))
    const [id, audit] = [...audits(made.state)][0]!
    const auditor = asked(made, audit)[0]!
    call(made, auditor, { type: 16, body: commitBody(id, auditor, hash('0a'.repeat(32))) })
    const [entry] = (await market.audits({ lease: made.lease, limit: 1 })).entries
    expect(entry).toMatchObject({ ...id, round: 'first', stake: String(audit.stake) })
    expect(entry).not.toHaveProperty('opening')
    const committed = entry!.auditors.filter((one) => one.committed)
    expect(committed).toEqual([{ operator: addressOfAccount(auditor.id, 'local'), votes: '0', committed: true }])
  })
})
