import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLeaseDesk } from '../../src/app/market/lease-desk.ts'
import { type OpenLease, paymentTermsOf } from '../../src/app/market/lease-source.ts'
import { openLotFolder } from '../../src/app/market/lot-folder.ts'
import type { RingPayer } from '../../src/app/market/ring-payer.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { createSystem } from '../../src/app/system.ts'
import type { Clock } from '../../src/base/ports.ts'
import { receiptHash } from '../../src/core/market/receipt.ts'
import { receiptsRoot } from '../../src/core/market/receipt-tree.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Channel, Wire } from '../../src/net/wire.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { createFakeClock, until } from '../fake-clock.ts'
import { createMarket, leaseFor, type Market, minerKeys, openPaid, payerFor } from './lease-world.ts'
import { collect, createRingWorld, GREEDY, type RingWorld, silent } from './ring-world.ts'

const CONFIG = smallConfig({ contextLength: 1_024 })
const PROMPT = Array.from({ length: 30 }, (_, index) => (index * 5) % CONFIG.vocabularySize)
const GENERATION = { ...GREEDY, maxTokens: 40, temperature: 0.9, seed: 3n }

let market: Market
let world: RingWorld
let lease: OpenLease

async function startWorld(clock?: Clock): Promise<RingWorld> {
  const network = createMemoryNetwork()
  return createRingWorld({
    config: CONFIG,
    weights: randomWeights({ config: CONFIG, format: 'q8', seed: 3 }),
    split: [1, 1, 1],
    createWire: async (listen, index) =>
      network.createMemoryWire(index === undefined ? { listen } : { listen, peer: minerKeys(index).peer }),
    engine: createReferenceEngine,
    desk: (index) => market.desk(index),
    ...(clock && { clock }),
  })
}

beforeEach(async () => {
  market = await createMarket()
  world = await startWorld()
  grant()
})
afterEach(async () => {
  await world.close()
  await market.close()
})

function grant(change: Partial<OpenLease> = {}): void {
  lease = leaseFor(world, change)
  market.leases.set(lease.id, { ok: true, lease })
}

const open = (payer?: RingPayer): Promise<RingSession> =>
  openPaid(world, market, { lease, capacity: CONFIG.contextLength, ...(payer ? { payer } : {}) })

async function allFree(): Promise<void> {
  while (world.miners.some(({ server }) => server.sessionCount > 0))
    await new Promise((resolve) => setImmediate(resolve))
}

/** What each miner has on disk. */
async function kept() {
  return Promise.all(
    market.lots.map(async (folder) => {
      const journal = await folder.open(lease.id)
      const steps = []
      for await (const entry of journal.entries()) steps.push(...entry.steps)
      const found = { newest: journal.newest, steps, receipts: await journal.receipts() }
      await journal.close()
      return found
    }),
  )
}

/** Turns of which some are broken off and some begin in the middle of what is held. */
async function story(session: RingSession): Promise<number[]> {
  const said: number[] = []
  for (let turn = 0; turn < 6; turn++) {
    let left = turn % 3 === 1 ? 7 + turn : 1_000
    for await (const event of session.generate(PROMPT, { generation: GENERATION, chunkTokens: 8 })) {
      if (event.type === 'token') said.push(event.token)
      if (--left === 0) break
    }
    if (turn % 2 === 1) session.rewind(session.tokens.length - 11)
  }
  return said
}

test('turns that are broken off, overtaken and rewound are counted alike by all, and say the same as without a lease', async () => {
  const free = await world.open(CONFIG.contextLength)
  const expected = await story(free)
  await free.close()
  const paid = await open()
  expect(await story(paid)).toEqual(expected)
  await paid.close()
  await allFree()
  const newest = await market.store.newest(lease.id)
  const lots = await kept()
  for (const lot of lots) expect(lot.newest?.voucher).toEqual(newest)
  expect(new Set(lots.map(({ steps }) => steps.length)).size).toBe(1)
  for (const [lot, { receipts }] of lots.entries()) {
    for (const [window, { outDigest }] of receipts.entries()) {
      const next = lots[lot + 1]?.receipts[window]
      if (next !== undefined) expect(next.receipt.inDigest).toBe(outDigest)
    }
  }
})

test('prompts that are cancelled before their first token are paid as far as they were computed', async () => {
  const session = await open()
  const long = Array.from({ length: 700 }, (_, index) => index % CONFIG.vocabularySize)
  for (let turn = 0; turn < 3; turn++) {
    const stopping = new AbortController()
    const turnEnds = collect(session, long, { generation: GENERATION, chunkTokens: 64, signal: stopping.signal })
    for (let wait = 0; wait < 5 * turn; wait++) await new Promise((resolve) => setImmediate(resolve))
    stopping.abort(new Error('enough'))
    await expect(turnEnds).rejects.toThrow('enough')
    session.rewind(0)
  }
  const { tokens } = await collect(session, long, { generation: GENERATION })
  expect(tokens).toHaveLength(40)
  await session.close()
  await allFree()
  const newest = await market.store.newest(lease.id)
  for (const lot of await kept()) expect(lot.newest?.voucher).toEqual(newest)
})

describe('after a restart of all miners', () => {
  test('each has the newest voucher to claim with, and the lease goes on where it was', async () => {
    const first = await open()
    await collect(first, PROMPT, { generation: GENERATION })
    await first.close()
    await allFree()
    const before = await market.store.newest(lease.id)
    await world.close()
    world = await startWorld()
    for (const lot of await kept()) expect(lot.newest?.voucher).toEqual(before)
    for (const desk of market.desks) expect((await desk.claim(lease))?.voucher).toEqual(before)
    const second = await open()
    await collect(second, PROMPT, { generation: { ...GENERATION, maxTokens: 90 } })
    await second.close()
    await allFree()
    const after = await market.store.newest(lease.id)
    expect(after!.counters.decodeRows).toBe(before!.counters.decodeRows + 89n)
    for (const { newest, receipts } of await kept()) {
      expect(newest?.voucher).toEqual(after)
      for (const [window, { receipt }] of receipts.entries()) {
        if (window > 0) expect(receipt.before).toEqual(receipts[window - 1]!.receipt.after)
      }
    }
    for (const [index, desk] of market.desks.entries()) {
      const claim = await desk.claim(lease)
      const { receipts } = (await kept())[index]!
      expect(receipts.at(-1)!.receipt.after).toEqual(after!.counters)
      const root = receiptsRoot(receipts.map(({ receipt }) => receiptHash(receipt)))
      expect(claim).toEqual({ voucher: after, rows: 60n + 4n * (39n + 89n), root })
      // Claiming again changes nothing.
      expect(await desk.claim(lease)).toEqual(claim)
    }
    const stranger = leaseFor(world, { lots: lease.lots.slice(1) })
    expect(await market.desks[0]!.claim(stranger)).toBeUndefined()
  })

  test('one that was killed in the middle of an answer claims with the newest voucher that it had taken', async () => {
    const session = await open()
    let taken = 0
    for await (const event of session.generate(PROMPT, { generation: { ...GENERATION, maxTokens: 200 } })) {
      if (event.type === 'token' && ++taken === 100) break
    }
    const [before] = await kept()
    // Nothing is closed or told: the files are what they are now.
    const folder = await openLotFolder(join(market.root, 'miner-0'), 1e9)
    const { clock, random } = createSystem()
    const { secretKey } = minerKeys(0)
    const options = { source: market.source, lots: folder, peerSecret: secretKey, isRequired: () => true }
    const desk = createLeaseDesk(options, { clock, random, log: silent })
    const claim = await desk.claim(lease)
    expect(claim!.voucher.seq).toBeGreaterThanOrEqual(before!.newest!.voucher.seq)
    expect(claim!.voucher.counters.decodeRows).toBeGreaterThanOrEqual(100n - 32n)
    await desk.close()
    await session.close()
  })
})

test('a client that starts again goes on from the voucher on its disk', async () => {
  const first = await open()
  await collect(first, PROMPT, { generation: GENERATION })
  await first.close()
  const payer = await payerFor(market, lease)
  const second = await open(payer)
  await collect(second, PROMPT, { generation: GENERATION })
  await second.close()
  expect((await market.store.newest(lease.id))!.counters).toMatchObject({ promptRows: 60n, decodeRows: 78n })
})

describe('the cap', () => {
  test('is warned of once and ends the answer', async () => {
    grant({ cap: 4_200_000n })
    let warned = 0
    const payer = await payerFor(market, lease, () => warned++)
    const session = await open(payer)
    const { tokens, reason } = await collect(session, PROMPT, { generation: { ...GENERATION, maxTokens: 500 } })
    expect(reason).toBe('lease-spent')
    expect(tokens.length).toBeGreaterThan(20)
    expect(warned).toBe(1)
    await expect(collect(session, PROMPT, { generation: GENERATION })).rejects.toMatchObject({ code: 'LEASE_SPENT' })
    await session.close()
    await allFree()
    const { charge } = paymentTermsOf(lease)
    const { counters } = (await market.store.newest(lease.id))!
    expect(charge(counters)).toBeLessThanOrEqual(4_200_000n)
    expect(charge({ ...counters, decodeRows: counters.decodeRows + 1n })).toBeGreaterThan(414_000n)
    for (const { newest } of await kept()) expect(newest?.voucher.counters).toEqual(counters)
  })
})

test('a client that does not pay gets two windows from every stage', async () => {
  const payer = await payerFor(market, lease)
  const session = await open({ ...payer, told: () => true, isSpent: false, settle: async () => undefined })
  const turn = collect(session, PROMPT, { generation: { ...GENERATION, maxTokens: 400 } })
  turn.catch(() => undefined)
  /** But for drafts that were wrong. */
  const rows = () =>
    world.miners.map(({ server }) => {
      const { rows: computed, drafts, draftsKept } = server.statistics().latest
      return computed - drafts + draftsKept
    })
  while (rows()[2]! < 60) await new Promise((resolve) => setImmediate(resolve))
  for (let wait = 0; wait < 500; wait++) await new Promise((resolve) => setImmediate(resolve))
  // 30 rows of the prompt and 30 of decoding are 510 of 512 units.
  expect(rows()).toEqual([60, 60, 60])
  await session.close()
  await expect(turn).rejects.toThrow()
})

/** A wire from which one peer hears nothing for a while. */
function holding(wire: Wire, peer: string): Wire & { isHeld: boolean; release(): void } {
  const held: (() => void)[] = []
  const around = (channel: Channel): Channel => {
    const send = (bytes: Uint8Array): void => void later(() => channel.send(bytes))
    const close = (): Promise<void> => later(() => channel.close())
    return new Proxy(channel, {
      get(target, key) {
        if (key === 'send') return send
        if (key === 'close') return close
        const value: unknown = Reflect.get(target, key, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  const later = async (act: () => void | Promise<void>): Promise<void> => {
    if (holder.isHeld) await new Promise<void>((resolve) => held.push(resolve))
    await act()
  }
  const holder = {
    ...wire,
    isHeld: false,
    open: async (...asked: Parameters<Wire['open']>) => {
      const channel = await wire.open(...asked)
      return channel.peer === peer ? around(channel) : channel
    },
    release() {
      holder.isHeld = false
      for (const resolve of held.splice(0)) resolve()
    },
  }
  return holder
}

test('a stage whose neighbours have ended first still takes what the client pays last', async () => {
  await world.close()
  await market.close()
  // Nobody's patience ends.
  const clock = createFakeClock()
  market = await createMarket({ clock })
  world = await startWorld(clock)
  grant()
  const wire = holding(world.client, world.miners[1]!.wire.peer)
  const session = await openPaid({ ...world, client: wire }, market, { lease, capacity: CONFIG.contextLength })
  wire.isHeld = true
  await collect(session, PROMPT, { generation: { ...GENERATION, maxTokens: 20 } })
  const closing = session.close()
  const counts = () => world.miners.map(({ server }) => server.sessionCount)
  await until(() => counts()[0] === 0 && counts()[2] === 0, 'its neighbours have ended')
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(counts()).toEqual([0, 1, 0])
  wire.release()
  await closing
  await allFree()
  const { counters } = (await market.store.newest(lease.id))!
  expect(counters.decodeRows).toBe(19n)
  for (const { newest } of await kept()) expect(newest?.voucher.counters).toEqual(counters)
})
