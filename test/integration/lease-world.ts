/**
 * A ring whose miners take leases: the ring of ring-world.ts with a desk at every miner, a table of leases in the place of a chain, and a client
 * that pays. Knows nothing of what tests assert.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLeaseDesk, type LeaseDesk } from '../../src/app/market/lease-desk.ts'
import type { LeaseLookup, LeaseSource, OpenLease } from '../../src/app/market/lease-source.ts'
import { type LotFolder, openLotFolder } from '../../src/app/market/lot-folder.ts'
import { openRingPayer, type RingPayer } from '../../src/app/market/ring-payer.ts'
import { createVoucherStore, type VoucherStore } from '../../src/app/market/voucher-store.ts'
import { peerOfPublicKey, publicKeyOfPeer } from '../../src/app/node-identity.ts'
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { openDisk } from '../../src/app/store/disk.ts'
import { createSystem } from '../../src/app/system.ts'
import { accountId, type Hash, hash, milliseconds, type PeerId } from '../../src/base/brand.ts'
import type { Clock, Log } from '../../src/base/ports.ts'
import { keyPairFromSecret } from '../../src/core/ed25519.ts'
import { voucherKeyOf } from '../../src/core/market/voucher-key.ts'
import { MODEL, type RingWorld, silent } from './ring-world.ts'

export const NETWORK_ID: Hash = hash('11'.repeat(32))
export const LEASE_ID: Hash = hash('22'.repeat(32))
export const VOUCHER_KEYS = voucherKeyOf(new Uint8Array(32).fill(7), NETWORK_ID, 3n)

/** Grains per unit 1, weights of the genesis of a network. */
export const TERMS: OpenLease['terms'] = {
  price: 1n,
  decodeWeight: 4n,
  treasuryShare: 100n,
  stakerShare: 70n,
  receiptRows: 256n,
}

export interface Market {
  readonly root: string
  readonly leases: Map<Hash, LeaseLookup>
  readonly source: LeaseSource
  /** Vouchers of the client. */
  readonly store: VoucherStore
  /** The desk of a miner; the journals of its lots are in `lots`. */
  desk(index: number): Promise<LeaseDesk>
  readonly lots: LotFolder[]
  readonly desks: LeaseDesk[]
  readonly clock: Clock
  close(): Promise<void>
}

export interface MarketOptions {
  readonly clock?: Clock
  readonly log?: Log
  readonly isRequired?: boolean
}

export async function createMarket(options: MarketOptions = {}): Promise<Market> {
  const { clock: real, random } = createSystem()
  const { clock = real, log = silent, isRequired = false } = options
  const root = await mkdtemp(join(tmpdir(), 'dllm-market-'))
  const leases = new Map<Hash, LeaseLookup>()
  const source: LeaseSource = { find: async (id) => leases.get(id) ?? { ok: false, why: 'unknown' } }
  const lots: LotFolder[] = []
  const desks: LeaseDesk[] = []
  const vouchers = await openDisk(join(root, 'vouchers'))
  return {
    root,
    leases,
    source,
    clock,
    lots,
    desks,
    store: createVoucherStore(vouchers),
    async desk(index) {
      const peerSecret = minerKeys(index).secretKey
      const folder = await openLotFolder(join(root, `miner-${index}`), 1e9)
      lots[index] = folder
      const desk = createLeaseDesk(
        { source, lots: folder, peerSecret, isRequired: () => isRequired },
        { clock, log, random },
      )
      desks[index] = desk
      return desk
    },
    close: async () => {
      for (const desk of desks) await desk.close()
      await vouchers.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** Keys of a miner's peer, by its place. */
export function minerKeys(index: number): { secretKey: Uint8Array; privateKey: Uint8Array; peer: PeerId } {
  const { secretKey, publicKey } = keyPairFromSecret(new Uint8Array(32).fill(0x40 + index))
  const privateKey = Uint8Array.of(0x08, 0x01, 0x12, 0x40, ...secretKey, ...publicKey)
  return { secretKey, privateKey, peer: peerOfPublicKey(publicKey) }
}

/** A lease for the miners of a world, one segment each. */
export function leaseFor(world: RingWorld, change: Partial<OpenLease> = {}): OpenLease {
  const lots = world.route.stages.map(({ peer, firstSegment, lastSegment }, index) => ({
    operator: accountId((index + 1).toString(16).padStart(40, '0')),
    peerKey: keyOf(peer),
    firstSegment,
    lastSegment,
    work: { linear: 6_000_000_000n, attention: 10_000n },
    rate: 1n,
  }))
  const openUntilMs = milliseconds(Number.MAX_SAFE_INTEGER)
  const payer = accountId('ee'.repeat(20))
  const base = {
    id: LEASE_ID,
    networkId: NETWORK_ID,
    model: MODEL,
    payer,
    terms: TERMS,
    lots,
    cap: 10n ** 12n,
    openUntilMs,
  }
  return { ...base, voucherKey: VOUCHER_KEYS.publicKey, ...change }
}

function keyOf(peer: PeerId): Uint8Array {
  const key = publicKeyOfPeer(peer)
  if (key === undefined) throw new Error('a miner of a market has an Ed25519 key')
  return key
}

/** A client that pays with the lease. */
export function payerFor(market: Market, lease: OpenLease, onLow: () => void = () => undefined): Promise<RingPayer> {
  const { store, clock } = market
  return openRingPayer({ lease, secret: VOUCHER_KEYS.secretKey, store, onLow }, { clock })
}

/** Opens a session that is paid. */
export async function openPaid(
  world: RingWorld,
  market: Market,
  { lease, capacity, payer }: { lease: OpenLease; capacity: number; payer?: RingPayer },
): Promise<RingSession> {
  const paying = payer ?? (await payerFor(market, lease))
  const { random } = createSystem()
  return openRing({ route: world.route, capacity, payer: paying }, { wire: world.client, clock: market.clock, random })
}

/** What each miner has of a lease, but for its time and what it drew by chance. */
export async function paidIn(market: Market, { id }: OpenLease) {
  return Promise.all(
    market.lots.map(async (folder) => {
      const journal = await folder.open(id)
      const steps: string[] = []
      for await (const entry of journal.entries())
        steps.push(...entry.steps.map((step) => Buffer.from(step).toString('hex')))
      const receipts = (await journal.receipts()).map(({ receipt, outDigest }) => {
        const { before, after, inDigest, window } = receipt
        return { before, after, inDigest, outDigest, window }
      })
      const counters = journal.newest?.voucher.counters
      await journal.close()
      return { counters, steps, receipts }
    }),
  )
}
