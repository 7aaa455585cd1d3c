/** How leases are opened, over a real node: what is on disk at each moment, what is asked for when, and without a full node. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ChainAccess } from '../../src/app/chain/chain-access.ts'
import { createLeaseBook, type LeaseBook } from '../../src/app/market/client-book.ts'
import { createLeaseOpener, type LeaseOpener } from '../../src/app/market/client-opener.ts'
import type { LeaseWish } from '../../src/app/market/client-plan.ts'
import { createSystem } from '../../src/app/system.ts'
import { type AccountId, hash } from '../../src/base/brand.ts'
import { Writer } from '../../src/base/codec.ts'
import { type KeyPair, keyPairFromSecret } from '../../src/core/ed25519.ts'
import { accountOf } from '../../src/core/fields.ts'
import { voucherKeyOf } from '../../src/core/market/voucher-key.ts'
import { provePeerKey } from '../../src/core/peer-key-proof.ts'
import { leaseIdOf } from '../../src/core/state/leases.ts'
import { contractOf } from '../../src/core/transaction/contracts.ts'
import { signTransaction } from '../../src/core/transaction/transaction.ts'
import { DLLM, type OneNode, startOneNode } from './one-node.ts'

const MODEL = hash('a1'.repeat(32))
const { clock, log } = createSystem({ level: 'silent' })
const NEED = { promptRows: 10, decodeRows: 50 }
const signal = new AbortController().signal

let one: OneNode
let root: string
let book: LeaseBook
const keysOf = (account: number): KeyPair => one.keys({ role: 'owner', account })
const idOf = (account: number): AccountId => accountOf(keysOf(account).publicKey)
/** Account 0 pays; 1 to 3 are miners. */
const payer = (): AccountId => idOf(0)

async function call(account: number, type: number, body: unknown): Promise<void> {
  const { nonce } = await one.chain.account(idOf(account))
  const writer = new Writer()
  contractOf(type)!.write(writer, body)
  const draft = { type, nonce: BigInt(nonce), maxFee: 10_000n, tip: 1n, body: writer.finish() }
  await one.chain.waitFor(await one.chain.submit(signTransaction(one.network.networkId, draft, keysOf(account))))
}

beforeAll(async () => {
  one = await startOneNode({ commitMs: 100n, priceBlocks: 10_000n })
  const segments = [0, 1, 2].map(() => ({ linear: 2_000_000n, attention: 1_000n }))
  await call(0, 8, { model: MODEL, name: 'example', context: 1_024, price: 12n, segments })
  for (const [index, [first, end]] of [[0, 2] as const, [0, 2] as const, [2, 3] as const].entries()) {
    const account = index + 1
    await call(0, 1, { to: idOf(account), amount: 10n * DLLM, memo: new Uint8Array(0) })
    const { networkId } = one.network
    const keys = keyPairFromSecret(new Uint8Array(32).fill(account))
    const claim = provePeerKey({ networkId, operator: idOf(account) }, keys)
    await call(account, 10, { payout: idOf(account), device: 'cpu', deposit: 5n * DLLM, ...claim })
    const until = (await one.chain.head()).height + 290
    await call(account, 12, { model: MODEL, first, end, slots: 90, bid: 1n, until, incarnation: 1n })
  }
})
afterAll(() => one.stop())
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dllm-opener-'))
  book = createLeaseBook(root, { clock })
})
afterEach(() => rm(root, { recursive: true, force: true }))

function opener(change: Partial<ChainAccess> = {}, keys = async () => keysOf(0)): LeaseOpener {
  const chain = { ...one.chain, ...change }
  return createLeaseOpener({ chain, book, account: payer(), keys, onSlow: () => undefined }, { clock, log })
}

function wish(change: Partial<LeaseWish> = {}): LeaseWish {
  return {
    model: MODEL,
    need: NEED,
    cap: undefined,
    avoid: [],
    heard: async () => [],
    absent: async () => [],
    ...change,
  }
}

const killed = new Error('killed')

test('an opened lease is in the book as the chain has it, and its key follows from the payer and the nonce', async () => {
  const { nonce, balance } = await one.chain.account(payer())
  const { hold, kept, balance: left } = await opener().open(wish(), signal)
  const { networkId } = one.network
  expect(kept.id).toBe(leaseIdOf(networkId, payer(), BigInt(nonce)))
  expect(kept.secret).toEqual(voucherKeyOf(keysOf(0).secretKey, networkId, BigInt(nonce)).secretKey)
  const view = await one.chain.market.lease(kept.id)
  expect(kept.opened.lots.map(({ lastSegment }) => lastSegment)).toEqual(view.lots.map(({ end }) => end))
  expect([view.lots[0]!.end, view.cap, view.expiryHeight]).toEqual([2, String(kept.opened.cap), kept.expiryHeight])
  expect(BigInt(balance) - left).toBeGreaterThan(kept.opened.cap)
  expect(await book.hold(kept.id)).toBeUndefined()
  await hold.release()
  expect(await book.list()).toEqual([kept])
})

describe('who is killed', () => {
  test('before the transaction is handed in opens the same lease at the next try', async () => {
    const submit = () => Promise.reject(killed)
    await expect(opener({ submit }).open(wish(), signal)).rejects.toBe(killed)
    const [pending] = await book.list()
    expect(pending!.opened).toBeUndefined()
    await opener().recover(signal)
    expect(await book.list()).toEqual([pending])
    const { hold, kept } = await opener().open(wish(), signal)
    expect(kept.id).toBe(pending!.id)
    await hold.release()
  })

  test('after it was handed in finds the lease again', async () => {
    const submit: ChainAccess['submit'] = async (bytes) => {
      await one.chain.waitFor(await one.chain.submit(bytes))
      throw killed
    }
    await expect(opener({ submit }).open(wish(), signal)).rejects.toBe(killed)
    await opener().recover(signal)
    const [found] = await book.list()
    expect(found!.opened?.cap).toBe(BigInt((await one.chain.market.lease(found!.id)).cap))
  })

  test('forgets it when another transaction has taken its place', async () => {
    await expect(opener({ submit: () => Promise.reject(killed) }).open(wish(), signal)).rejects.toBe(killed)
    await call(0, 1, { to: idOf(5), amount: 1n, memo: new Uint8Array(0) })
    await opener().recover(signal)
    expect(await book.list()).toEqual([])
  })

  test('forgets one that somebody has closed meanwhile', async () => {
    const submit: ChainAccess['submit'] = async (bytes) => {
      await one.chain.waitFor(await one.chain.submit(bytes))
      throw killed
    }
    await expect(opener({ submit }).open(wish(), signal)).rejects.toBe(killed)
    await call(0, 14, { lease: (await book.list())[0]!.id })
    await opener().recover(signal)
    expect(await book.list()).toEqual([])
  })
})

test('those that are opened at once differ', async () => {
  // Two as of two processes, which do not know of each other.
  const [at, other] = [opener(), opener()]
  const opened = await Promise.all([at.open(wish(), signal), at.open(wish(), signal), other.open(wish(), signal)])
  expect(new Set(opened.map(({ kept }) => kept.id)).size).toBe(3)
  for (const { hold } of opened) await hold.release()
})

test('one that is of no more use is closed beside the next one', async () => {
  const at = opener()
  const first = await at.open(wish(), signal)
  await first.hold.forget()
  at.closeLater(first.kept)
  const second = await at.open(wish(), signal)
  await second.hold.release()
  await vi.waitUntil(async () => (await one.chain.market.lease(first.kept.id)).status === 'closing', { timeout: 5_000 })
})

describe('keys are not asked for', () => {
  const keys = vi.fn(() => Promise.reject<KeyPair>(new Error('somebody was asked')))
  const refused = async (change: Partial<LeaseWish>, code: string, chain: Partial<ChainAccess> = {}) => {
    await expect(opener(chain, keys).open(wish(change), signal)).rejects.toMatchObject({ code })
    expect(keys).not.toHaveBeenCalled()
    expect(await book.list()).toEqual([])
  }

  test('for a model that the chain does not know', () => refused({ model: hash('0f'.repeat(32)) }, 'NO_SUCH_MODEL'))
  test('for more than there is', () => refused({ cap: 10n ** 15n }, 'INSUFFICIENT_FUNDS'))
  test('where the only miner of a segment is avoided', () => refused({ avoid: [idOf(3)] }, 'NO_MINER'))
  test('where nobody was heard of', () => refused({}, 'NO_MINER', { source: 'light' }))
})

test('an avoided miner gets no lot where another could', async () => {
  const { hold, kept } = await opener().open(wish({ avoid: [idOf(1)] }), signal)
  expect(kept.opened.lots.map(({ operator }) => operator)).toEqual([idOf(2), idOf(3)])
  await hold.release()
})

test('a miner that is not there gets no lot where another could, and without it a ring is not possible', async () => {
  const without =
    (account: number): LeaseWish['absent'] =>
    async (miners) =>
      miners.filter(({ operator }) => operator === idOf(account))
  for (const gone of [1, 2]) {
    const { hold, kept } = await opener().open(wish({ absent: without(gone) }), signal)
    expect(kept.opened.lots.map(({ operator }) => operator)).toEqual([idOf(3 - gone), idOf(3)])
    await hold.release()
  }
  await expect(opener().open(wish({ absent: without(3) }), signal)).rejects.toMatchObject({ code: 'NO_MINER' })
})

test('without a full node it is cut by what miners say, with other cuts where nobody serves those', async () => {
  // All of the model by one miner, as that one says; the chain knows better.
  const heard = async () => [
    { owner: 'liar', first: 0, end: 3 },
    { owner: 'a', first: 0, end: 2 },
    { owner: 'b', first: 2, end: 3 },
  ]
  const refuse = () => Promise.reject(new Error('a light client has no lists'))
  const market = { ...one.chain.market, placements: refuse, quote: refuse }
  const { hold, kept } = await opener({ source: 'light', market }).open(wish({ heard }), signal)
  expect(kept.opened.lots.map(({ firstSegment }) => firstSegment)).toEqual([0, 2])
  await hold.release()
})
