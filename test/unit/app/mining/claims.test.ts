/** The duty that claims: which leases it looks at, what it sends, and what it says of those that are settled. */
import { expect, test } from 'vitest'
import type { ChainCall } from '../../../../src/app/chain/calls.ts'
import type { ChainAccess } from '../../../../src/app/chain/chain-access.ts'
import type { SettlementView } from '../../../../src/app/chain/earnings-access.ts'
import type { LeaseView } from '../../../../src/app/chain/market-access.ts'
import { WaitError } from '../../../../src/app/chain/wait-for-block.ts'
import type { ChainSender } from '../../../../src/app/market/chain-sender.ts'
import type { LeaseDesk } from '../../../../src/app/market/lease-desk.ts'
import type { OpenLease } from '../../../../src/app/market/lease-source.ts'
import type { LotFolder } from '../../../../src/app/market/lot-folder.ts'
import { createClaims } from '../../../../src/app/mining/claims.ts'
import type { MiningEvent } from '../../../../src/app/mining/duty.ts'
import { StoreError } from '../../../../src/app/store/store-error.ts'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { ZERO_COUNTERS } from '../../../../src/core/market/counters.ts'
import { TransactionError } from '../../../../src/core/transaction/contract.ts'
import { head, lease, lot, OWN, PEER_KEY } from './views.ts'

const NEVER = new AbortController().signal
const id = (digit: number): Hash => hash(String(digit).repeat(64))
const MINE = lot({ operator: OWN, peerKey: PEER_KEY })
const CLOSING = { status: 'closing', dueHeight: 500, lots: [MINE] } as const
/** Prompts of ten rows, three CU each: 24,000 grains. */
const TEN = { ...ZERO_COUNTERS, promptRows: 10n, promptPositions: 45n }

function world(views: Readonly<Record<Hash, LeaseView>>, settlements: Readonly<Record<Hash, SettlementView>> = {}) {
  const events: MiningEvent[] = []
  const asked: Hash[] = []
  const sent: { readonly lease: Hash; readonly closes: boolean | undefined }[] = []
  const forgotten: Hash[] = []
  let kept = [...Object.keys(views), ...Object.keys(settlements)].map(hash)
  const state = { broken: undefined as Hash | undefined, isFull: false, wallMs: 0, views }
  const market: Partial<ChainAccess['market']> = {
    async lease(which) {
      asked.push(which)
      const view = state.views[which]
      if (view === undefined) throw new TransactionError('NO_SUCH_LEASE', 'It is gone.')
      return view
    },
    settlement: async (which) => settlements[which],
  }
  let closes: boolean | undefined
  const desk: Partial<LeaseDesk> = {
    async paid(open) {
      if (open.id === state.broken) throw new StoreError('STORE_CORRUPT', 'The journal is damaged.')
      return { counters: TEN, receipted: ZERO_COUNTERS }
    },
    async claim(_open, given) {
      closes = given
      return { voucher: {} as never, rows: 10n, root: id(0) }
    },
    async forget(which) {
      forgotten.push(which)
      kept = kept.filter((each) => each !== which)
    },
  }
  const duty = createClaims({
    chain: { market } as ChainAccess,
    desk: desk as LeaseDesk,
    lots: { leases: async () => kept } as Partial<LotFolder> as LotFolder,
    sender: {
      async send({ body }: ChainCall) {
        if (state.isFull) throw new WaitError('CHAIN_STILL_WAITING', 'It waits.')
        sent.push({ lease: (body as { lease: Hash }).lease, closes })
      },
    } as unknown as ChainSender,
    notes: { say: (event) => void events.push(event) },
    own: { operator: OWN, peerKey: PEER_KEY },
    leaseOf: async (view) => ({ id: view.id }) as OpenLease,
    disputeBlocks: () => 1_800,
    wallMs: () => state.wallMs,
  })
  return {
    ...{ duty, events, asked, sent, forgotten, state },
    look: (height: number) => duty.look(head(height), NEVER),
  }
}

function settlement(which: Hash, state: 'claimed' | 'unclaimed' | 'faulted', pay: string): SettlementView {
  const settledLot = { operator: OWN, payout: 'ldllm1pay', first: 0, end: 3, state, units: '30', pay }
  const sums = { charge: '0', treasury: '0', stakers: '0', burnt: '0', refund: '0' }
  return {
    ...{ type: 'settled', height: 9, position: 0, timeMs: 0, lease: which, payer: 'p', model: id(7) },
    ...{ lots: [settledLot], ...sums },
  }
}

test('a lease that closes is claimed with all of its work, and not looked at again for a while', async () => {
  const { look, sent, asked, events } = world({ [id(1)]: lease({ id: id(1), ...CLOSING }) })
  for (const height of [100, 101, 119]) await look(height)
  expect(sent).toEqual([{ lease: id(1), closes: true }])
  expect(asked).toHaveLength(1)
  expect(events).toMatchObject([{ type: 'claimed', details: { lease: id(1), lot: 0, gain: '24000', fee: '600' } }])
})

test('an open lease is claimed as far as its receipts are full, here not at all', async () => {
  const { look, sent } = world({ [id(1)]: lease({ id: id(1), lots: [MINE] }) })
  await look(990)
  expect(sent).toEqual([])
})

test('a lease of other miners, one that is audited, and one whose time is over are left alone', async () => {
  const { look, sent } = world({
    [id(1)]: lease({ id: id(1), ...CLOSING, lots: [lot()] }),
    [id(2)]: lease({ id: id(2), ...CLOSING, status: 'auditing' }),
    [id(3)]: lease({ id: id(3), ...CLOSING, dueHeight: 101 }),
  })
  await look(100)
  expect(sent).toEqual([])
})

test('a fee above the pay is told once, and nothing is sent', async () => {
  const { look, sent, events } = world({
    [id(1)]: lease({ id: id(1), ...CLOSING, lots: [{ ...MINE, rate: '1' }] }),
  })
  for (const height of [100, 130]) await look(height)
  expect(sent).toEqual([])
  expect(events.map(({ text }) => text)).toEqual([
    '0.00000003 DLLM of lease 111111111111… stay unclaimed: the fee is 0.0000006 DLLM.',
  ])
})

test('a lease whose journal is damaged keeps no other from being claimed', async () => {
  const { look, sent, state } = world({
    [id(1)]: lease({ id: id(1), ...CLOSING }),
    [id(2)]: lease({ id: id(2), ...CLOSING }),
  })
  state.broken = id(1)
  await expect(look(100)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  expect(sent).toMatchObject([{ lease: id(2) }])
})

test('a claim that did not come into a block is sent again at the next one', async () => {
  const { look, sent, state } = world({ [id(1)]: lease({ id: id(1), ...CLOSING }) })
  state.isFull = true
  await expect(look(100)).rejects.toMatchObject({ code: 'CHAIN_STILL_WAITING' })
  state.isFull = false
  await look(101)
  expect(sent).toMatchObject([{ lease: id(1) }])
})

test('the last blocks before the due height are each looked at', async () => {
  const { look, asked } = world({ [id(1)]: lease({ id: id(1), ...CLOSING }) })
  for (let height = 496; height < 500; height++) await look(height)
  expect(asked).toHaveLength(4)
})

test('a lease that a node which catches up does not know yet keeps its journal', async () => {
  const { look, forgotten, events, state } = world({ [id(1)]: lease({ id: id(1), ...CLOSING }) })
  state.views = {}
  state.wallMs = 3_600_000
  await look(5)
  expect([forgotten, events]).toEqual([[], []])
  // And goes when it knows all and there still is none.
  state.wallMs = 1_000
  await look(700)
  expect(forgotten).toEqual([id(1)])
})

test('what was settled is told as it was, and its journal goes', async () => {
  const { look, events, forgotten } = world(
    {},
    {
      [id(1)]: settlement(id(1), 'claimed', '24000'),
      [id(2)]: settlement(id(2), 'faulted', '0'),
      [id(3)]: settlement(id(3), 'unclaimed', '0'),
    },
  )
  await look(100)
  expect(events.map(({ type, details }) => [type, details?.['grains']])).toEqual([
    ['paid', '24000'],
    ['job-unpaid', '0'],
    ['job-unpaid', '0'],
  ])
  expect(events[1]!.text).toContain('audits found it at fault')
  expect(forgotten).toEqual([id(1), id(2), id(3)])
})

test('where the price is 0 nothing is claimed, and nothing is missed', async () => {
  const free = lease({ id: id(1), ...CLOSING, lots: [{ ...MINE, rate: '0' }] })
  const { look, events, forgotten, state } = world({ [id(1)]: { ...free, terms: { ...free.terms, price: '0' } } })
  await look(100)
  state.views = {}
  await look(600)
  expect(events).toEqual([])
  expect(forgotten).toEqual([id(1)])
})
