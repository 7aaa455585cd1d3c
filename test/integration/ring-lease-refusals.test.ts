import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { OpenLease } from '../../src/app/market/lease-source.ts'
import { encodeVoucher } from '../../src/app/market/voucher-store.ts'
import { hash, milliseconds, type SessionId, sessionId } from '../../src/base/brand.ts'
import { sign } from '../../src/core/ed25519.ts'
import { type Counters, ZERO_COUNTERS } from '../../src/core/market/counters.ts'
import { leaseOpeningDigest } from '../../src/core/market/lease-opening.ts'
import { signVoucher } from '../../src/core/market/voucher.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { StageMessageOf } from '../../src/net/protocols/stage.ts'
import type { LeaseOpening } from '../../src/net/protocols/stage-open.ts'
import type { Channel } from '../../src/net/wire.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { createFakeClock, type FakeClock, until } from '../fake-clock.ts'
import { dial, hear, say } from './fault-world.ts'
import { createMarket, LEASE_ID, leaseFor, type Market, minerKeys, NETWORK_ID, VOUCHER_KEYS } from './lease-world.ts'
import { createRingWorld, GREEDY, MODEL, type RingWorld } from './ring-world.ts'

const CONFIG = smallConfig({ contextLength: 256 })
const PROMPT = Int32Array.from({ length: 20 }, (_, index) => index)
/** Two windows: a prompt of 20 rows and 30 rows of decoding are 500 of 512 units. */
const ROWS_ON_TRUST = 20 + 30

let market: Market
let world: RingWorld
let clock: FakeClock
let sessions = 0

beforeEach(() => start())
afterEach(async () => {
  await world.close()
  await market.close()
})

async function start(isRequired = false): Promise<void> {
  clock = createFakeClock()
  market = await createMarket({ clock, isRequired })
  const network = createMemoryNetwork()
  world = await createRingWorld({
    config: CONFIG,
    weights: randomWeights({ config: CONFIG, format: 'q8', seed: 3 }),
    split: [3],
    createWire: async (listen, index) =>
      network.createMemoryWire(index === undefined ? { listen } : { listen, peer: minerKeys(index).peer }),
    engine: createReferenceEngine,
    clock,
    desk: (index) => market.desk(index),
  })
  grant()
}

/** The lease is on the chain. */
function grant(change: Partial<OpenLease> = {}): OpenLease {
  const lease = leaseFor(world, change)
  market.leases.set(LEASE_ID, { ok: true, lease })
  return lease
}

const proofFor = (session: SessionId, stageIndex = 0): Uint8Array =>
  sign(leaseOpeningDigest(NETWORK_ID, { lease: LEASE_ID, session, stageIndex }), VOUCHER_KEYS.secretKey)

type OpeningChange = (opening: LeaseOpening, session: SessionId) => LeaseOpening | undefined

async function openRaw(change: OpeningChange = (opening) => opening): Promise<Channel> {
  const session = sessionId((++sessions).toString(16).padStart(32, '0'))
  const control = await dial(world.client, world.miners[0]!.wire)
  const lease = change({ id: LEASE_ID, proof: proofFor(session), voucher: undefined }, session)
  const { stages } = world.route
  say(control, { type: 'open', session, model: MODEL, stageIndex: 0, stages, capacity: CONFIG.contextLength, lease })
  return control
}

/** Of the latest session: those that were computed, and those of an earlier prompt that were not computed again. */
function servedRows(): number {
  const { rows, recalled } = world.miners[0]!.server.statistics().latest
  return rows + recalled
}

/** A session in which everything on trust was computed. */
async function serveOnTrust(): Promise<Channel> {
  const control = await openRaw()
  await hear(control, 'ready')
  say(control, promptOf(1))
  await until(() => servedRows() === ROWS_ON_TRUST, 'two windows are computed')
  return control
}

function promptOf(turn: number): StageMessageOf<'prompt'> {
  const generation = { ...GREEDY, maxTokens: 200 }
  return { type: 'prompt', turn, position: 0, tokens: PROMPT, chunkTokens: 256, draftsMax: 0, generation }
}

/** After the prompt and so many rows of decoding. */
function counted(decodeRows: number): Counters {
  const decodePositions = Array.from({ length: decodeRows }, (_, index) => 20 + index).reduce((sum, at) => sum + at, 0)
  return {
    promptRows: 20n,
    promptPositions: 190n,
    decodeRows: BigInt(decodeRows),
    decodePositions: BigInt(decodePositions),
  }
}

function voucherOf(seq: number, counters: Counters, lease = LEASE_ID, secret = VOUCHER_KEYS.secretKey): Uint8Array {
  const transcript = hash('cd'.repeat(32))
  return encodeVoucher(signVoucher(NETWORK_ID, { lease, seq: BigInt(seq), counters, transcript }, secret))
}

const STRANGER = new Uint8Array(32).fill(99)

describe('a session is not opened', () => {
  test.each<[string, OpeningChange, string]>([
    ['with a lease that nobody knows', (opening) => ({ ...opening, id: hash('ee'.repeat(32)) }), 'LEASE_UNKNOWN'],
    ['with a proof of somebody else', (opening) => ({ ...opening, proof: new Uint8Array(64) }), 'LEASE_NOT_YOURS'],
    [
      'with the proof of another stage',
      (opening, session) => ({ ...opening, proof: proofFor(session, 1) }),
      'LEASE_NOT_YOURS',
    ],
    [
      'with the proof of another session',
      (opening) => ({ ...opening, proof: proofFor(sessionId('ff'.repeat(16))) }),
      'LEASE_NOT_YOURS',
    ],
    [
      'with a voucher of another lease',
      (opening) => ({ ...opening, voucher: voucherOf(1, counted(0), hash('ee'.repeat(32))) }),
      'VOUCHER_OF_ANOTHER_LEASE',
    ],
    [
      'with a voucher that another key has signed',
      (opening) => ({ ...opening, voucher: voucherOf(1, counted(0), LEASE_ID, STRANGER) }),
      'VOUCHER_BAD_SIGNATURE',
    ],
    [
      'with vouchers for work of which this miner knows nothing',
      (opening) => ({ ...opening, voucher: voucherOf(1, counted(0)) }),
      'LEASE_BEHIND',
    ],
  ])('%s', async (_case, change, code) => {
    expect(await hear(await openRaw(change), 'failed')).toMatchObject({ code })
  })

  test.each<[string, (lease: OpenLease) => Partial<OpenLease>]>([
    ['of another model', () => ({ model: hash('cd'.repeat(32)) })],
    ['with other miners', ({ lots }) => ({ lots: [{ ...lots[0]!, peerKey: minerKeys(5).secretKey }] })],
    ['with other segments', ({ lots }) => ({ lots: [{ ...lots[0]!, lastSegment: 2 }] })],
    ['with more lots', ({ lots }) => ({ lots: [lots[0]!, lots[0]!] })],
  ])('with a lease %s', async (_case, change) => {
    grant(change(leaseFor(world)))
    expect(await hear(await openRaw(), 'failed')).toMatchObject({ code: 'LEASE_OTHER_ROUTE' })
  })

  test('with a lease that is over', async () => {
    market.leases.set(LEASE_ID, { ok: false, why: 'expired' })
    expect(await hear(await openRaw(), 'failed')).toMatchObject({ code: 'LEASE_EXPIRED' })
  })

  test('without a lease where miners ask for one', async () => {
    await world.close()
    await market.close()
    await start(true)
    expect(await hear(await openRaw(() => undefined), 'failed')).toMatchObject({ code: 'LEASE_REQUIRED' })
    await hear(await openRaw(), 'ready')
  })
})

describe('a voucher ends the session', () => {
  test.each<[string, readonly Uint8Array[], string]>([
    ['that came before', [voucherOf(1, counted(16)), voucherOf(1, counted(16))], 'VOUCHER_REPLAYED'],
    ['of an older number', [voucherOf(5, counted(16)), voucherOf(4, counted(20))], 'VOUCHER_REPLAYED'],
    ['that pays for less', [voucherOf(1, counted(16)), voucherOf(2, counted(15))], 'VOUCHER_RECEDES'],
    ['that pays for nothing new', [voucherOf(1, counted(16)), voucherOf(2, counted(16))], 'VOUCHER_EMPTY'],
    ['for nothing', [voucherOf(1, ZERO_COUNTERS)], 'VOUCHER_EMPTY'],
    ['for work that was not done', [voucherOf(1, counted(100))], 'VOUCHER_TOO_EARLY'],
    [
      'that moves rows to lower positions',
      [voucherOf(1, { ...counted(16), decodePositions: 16n })],
      'VOUCHER_MISCOUNTED',
    ],
    ['that ends within a chunk', [voucherOf(1, { ...counted(0), promptRows: 19n })], 'VOUCHER_MISCOUNTED'],
    ['of another lease', [voucherOf(1, counted(16), hash('ee'.repeat(32)))], 'VOUCHER_OF_ANOTHER_LEASE'],
    ['signed by another key', [voucherOf(1, counted(16), LEASE_ID, STRANGER)], 'VOUCHER_BAD_SIGNATURE'],
    ['with a byte changed', [voucherOf(1, counted(16)).with(167, 0)], 'VOUCHER_BAD_SIGNATURE'],
  ])('%s', async (_case, vouchers, code) => {
    const control = await serveOnTrust()
    for (const voucher of vouchers) say(control, { type: 'voucher', voucher })
    expect(await hear(control, 'failed')).toMatchObject({ code })
    await until(() => world.miners[0]!.server.sessionCount === 0, 'the miner is free')
  })

  test('in a session without a lease', async () => {
    const control = await openRaw(() => undefined)
    await hear(control, 'ready')
    say(control, { type: 'voucher', voucher: voucherOf(1, counted(0)) })
    expect(await hear(control, 'failed')).toMatchObject({ code: 'RING_BAD_MESSAGE' })
  })
})

describe('who does not pay', () => {
  test('gets two windows, and after ten seconds the session ends', async () => {
    const control = await serveOnTrust()
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(servedRows()).toBe(ROWS_ON_TRUST)
    clock.advance(9_000)
    expect(world.miners[0]!.server.sessionCount).toBe(1)
    clock.advance(1_001)
    expect(await hear(control, 'failed')).toMatchObject({ code: 'LEASE_UNPAID' })
  })

  test('gets less in each further session, and four windows at most in all', async () => {
    const rows: number[] = []
    for (let session = 0; session < 8; session++) {
      const control = await openRaw()
      await hear(control, 'ready')
      say(control, promptOf(1))
      for (let turn = 0; turn < 60; turn++) await new Promise((resolve) => setImmediate(resolve))
      rows.push(servedRows())
      await control.close()
      await until(() => world.miners[0]!.server.sessionCount === 0, 'the miner is free')
    }
    expect(rows[0]).toBe(ROWS_ON_TRUST)
    expect(rows.slice(0, 4)).toEqual([50, 35, 27, 22])
    const units = rows.map((count) => Math.min(count, 20) + 16 * Math.max(0, count - 20))
    expect(units.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(4 * 256)
    expect(rows.at(-1)).toBe(0)
  })

  test('cannot pay for a session when another one has begun without a word of it', async () => {
    for (let session = 0; session < 2; session++) {
      const control = session === 0 ? await serveOnTrust() : await openRaw()
      if (session === 1) await hear(control, 'ready')
      await control.close()
      await until(() => world.miners[0]!.server.sessionCount === 0, 'the miner is free')
    }
    const late = await openRaw((opening) => ({ ...opening, voucher: voucherOf(1, counted(30)) }))
    expect(await hear(late, 'failed')).toMatchObject({ code: 'LEASE_BEHIND' })
  })

  test('may still pay in the next session for the one before', async () => {
    const first = await serveOnTrust()
    await first.close()
    await until(() => world.miners[0]!.server.sessionCount === 0, 'the miner is free')
    const voucher = voucherOf(1, counted(30))
    const second = await openRaw((opening) => ({ ...opening, voucher }))
    await hear(second, 'ready')
    say(second, promptOf(1))
    await until(() => servedRows() === ROWS_ON_TRUST, 'work goes on')
  })
})

test('no step begins when the lease is over', async () => {
  grant({ openUntilMs: milliseconds(clock.wallMs() + 5_000) })
  const control = await openRaw()
  await hear(control, 'ready')
  clock.advance(5_001)
  say(control, promptOf(1))
  expect(await hear(control, 'failed')).toMatchObject({ code: 'LEASE_EXPIRED' })
  expect(servedRows()).toBe(0)
})

test('a chain that does not answer holds no session open', async () => {
  let asked = false
  market.source.find = () => {
    asked = true
    return new Promise(() => undefined)
  }
  const control = await openRaw()
  await until(() => asked, 'the lease is looked up')
  clock.advance(10_001)
  expect(await hear(control, 'failed')).toMatchObject({ code: 'RING_STEP_DEADLINE' })
})

test('a newer session of the client takes the lease over', async () => {
  const first = await serveOnTrust()
  const second = await openRaw()
  expect(await hear(first, 'failed')).toMatchObject({ code: 'LEASE_TAKEN_OVER' })
  await hear(second, 'ready')
})
