/**
 * A lease that is opened on the contracts of a chain, served by a ring of real miners with desks, claimed, closed and drawn for audits; and
 * auditors that have the whole model in an engine. Knows nothing of what tests assert.
 * @module
 */

import type { ChainAccess, HeadView } from '../../src/app/chain/chain-access.ts'
import { type BatchRunner, createEngineHost, type EngineHost } from '../../src/app/engine-host.ts'
import { createInlineRunner } from '../../src/app/inline-runner.ts'
import { openLeaseOf } from '../../src/app/market/chain-leases.ts'
import type { LotClaim } from '../../src/app/market/lease-account.ts'
import type { OpenLease } from '../../src/app/market/lease-source.ts'
import type { KeptReceipt } from '../../src/app/market/lot-entry.ts'
import { createFullMarket } from '../../src/app/node/full-market.ts'
import type { ServedSegments } from '../../src/app/ring/check-open.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import { createSystem } from '../../src/app/system.ts'
import type { Hash } from '../../src/base/brand.ts'
import type { Chain } from '../../src/core/chain.ts'
import { keyPairFromSecret } from '../../src/core/ed25519.ts'
import type { Parameters as ChainParameters } from '../../src/core/parameters.ts'
import type { AuditId } from '../../src/core/state/audits.ts'
import { type AuditRecord, audits } from '../../src/core/state/audits.ts'
import { newMiner, putMiner } from '../../src/core/state/miners.ts'
import { newModel, putModel } from '../../src/core/state/models.ts'
import { move } from '../../src/core/state/money.ts'
import { putPlacement } from '../../src/core/state/placements.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import { DLLM, type Person, person } from '../chain-accounts.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { call, change, endBlocks, type LeaseWorld, leaseWorld, open } from '../lease-world.ts'
import { createMarket, type Market, minerKeys, openPaid, VOUCHER_KEYS } from './lease-world.ts'
import { createRingWorld, MODEL, type RingWorld } from './ring-world.ts'

export const CONFIG = smallConfig({ contextLength: 1_024 })
export const WEIGHTS = randomWeights({ config: CONFIG, format: 'q8', seed: 3 })
/** Receipts of 8 tokens; every one of them is audited, by all who can. */
export const PARAMETERS: Partial<ChainParameters> = {
  ...{ receiptRows: 32n, auditShare: 1_000n, auditShareNew: 1_000n, auditFee: 20n, auditors: 3n, auditorsMin: 3n },
  ...{ auditCommitBlocks: 20n, auditRevealBlocks: 10n, disputeBlocks: 2n },
}
const LOTS = 3
const AUDITORS = 4
/** Places of auditors' keys: after those of the miners. */
const FIRST_AUDITOR = 10

/** A wire for the peer at this place, or for a stranger. */
export type Wiring = (listen: boolean, index?: number) => Promise<Wire>

export interface LabMiner {
  readonly who: Person
  readonly peerKey: Uint8Array
  readonly wire: Wire
}

export interface AuditLab {
  readonly core: LeaseWorld
  readonly chain: ChainAccess
  readonly market: Market
  readonly ring: RingWorld
  readonly lease: OpenLease
  /** In the order of their lots. */
  readonly miners: readonly LabMiner[]
  readonly auditors: readonly LabMiner[]
  /** The whole model, in an engine that all auditors share. */
  readonly served: ServedSegments
  session(capacity?: number): Promise<RingSession>
  /** When all sessions are over: every miner claims; its receipts up to now. */
  claim(): Promise<KeptReceipt[][]>
  /** The payer closes, auditors come, and audits are drawn. */
  draw(): (readonly [AuditId, AuditRecord])[]
  head(): HeadView
  addressesOf(peer: string): Promise<readonly string[]>
  close(): Promise<void>
}

export interface LabOptions {
  readonly wiring?: Wiring
  readonly around?: (runner: BatchRunner, index: number) => BatchRunner
  readonly parameters?: Partial<ChainParameters>
}

export function memoryWiring(): Wiring {
  const network = createMemoryNetwork()
  return async (listen, index) =>
    network.createMemoryWire(index === undefined ? { listen } : { listen, peer: minerKeys(index).peer })
}

export async function createAuditLab({
  wiring = memoryWiring(),
  around,
  parameters,
}: LabOptions = {}): Promise<AuditLab> {
  const { clock } = createSystem()
  const core = coreWorld({ ...PARAMETERS, ...parameters })
  const market = await createMarket()
  const ring = await createRingWorld({
    ...{ config: CONFIG, weights: WEIGHTS, split: [1, 1, 1], createWire: wiring, engine: createReferenceEngine },
    ...{ desk: (index: number) => market.desk(index), ...(around ? { around } : {}) },
  })
  const miners = ring.miners.map(({ wire }, lot) => labMiner(11 + lot, lot, wire))
  for (const [first, miner] of miners.entries()) place(core, miner, { first, end: first + 1 })
  const id = open(core, person(1), {
    ...{
      model: MODEL,
      voucherKey: VOUCHER_KEYS.publicKey,
      cuts: [1, 2],
      rows: 1_000,
      expiryHeight: core.context.height + 40,
    },
  })
  const auditors = await Promise.all(
    Array.from({ length: AUDITORS }, async (_, index) => {
      const place = FIRST_AUDITOR + index
      return labMiner(20 + index, place, await wiring(true, place))
    }),
  )
  const chain = chainOf(core)
  const lease = openLeaseOf(await chain.market.lease(id), {
    network: chain.network,
    head: chain.now(),
    commitMs: 1_000,
  })
  market.leases.set(id, { ok: true, lease: { ...lease, openUntilMs: Number.MAX_SAFE_INTEGER as never } })
  const served = wholeModel()
  return {
    ...{ core, chain, market, ring, lease, miners, auditors, served, head: chain.now },
    session: (capacity = CONFIG.contextLength) => openPaid(ring, market, { lease, capacity }),
    async claim() {
      while (ring.miners.some(({ server }) => server.sessionCount > 0)) await clock.sleep(1 as never)
      return Promise.all(
        market.desks.map((desk, lot) => claimLot(core, { desk, lease, lot, miner: miners[lot]! }, market)),
      )
    },
    draw() {
      call(core, person(1), { type: 14, body: { lease: id } })
      for (const auditor of auditors) place(core, auditor, { first: 0, end: LOTS })
      endBlocks(core, Number(core.context.parameters.disputeBlocks) + 1)
      return [...audits(core.state)]
    },
    addressesOf: async (peer) =>
      [...ring.miners, ...auditors].find(({ wire }) => wire.peer === peer)?.wire.addresses() ?? [],
    async close() {
      for (const { wire } of auditors) await wire.stop()
      await served.host.close()
      await ring.close()
      await market.close()
    },
  }
}

/** Of the lot's work units as if a row had a million MACs. */
function coreWorld(parameters: Partial<ChainParameters>): LeaseWorld {
  const world = leaseWorld(parameters)
  change(world.state, (overlay) => {
    const segments = Array.from({ length: LOTS }, () => ({ linear: 1_000_000n, attention: 1_000n }))
    const terms = { name: 'ring', context: 1_024, price: 10n, segments }
    putModel(overlay, MODEL, newModel(terms, { publisher: person(4).id, height: 1 }))
  })
  return world
}

function labMiner(number: number, index: number, wire: Wire): LabMiner {
  const { secretKey } = minerKeys(index)
  return { who: person(number), peerKey: keyPairFromSecret(secretKey).publicKey, wire }
}

function place(core: LeaseWorld, { who, peerKey }: LabMiner, run: { first: number; end: number }): void {
  change(core.state, (overlay) => {
    const from = { type: 'account', id: person(4).id } as const
    putMiner(overlay, who.id, newMiner({ payout: who.id, peerKey, device: 'cpu' }, 1))
    move(overlay, { amount: DLLM, from, to: { type: 'collateral', operator: who.id } })
    move(overlay, { amount: DLLM, from, to: { type: 'account', id: who.id } })
    const rest = { slots: 2, used: 0, bid: 1n, until: 300, incarnation: 0n }
    putPlacement(overlay, { model: MODEL, operator: who.id }, { ...run, ...rest })
  })
}

interface LotToClaim {
  readonly desk: Market['desks'][number]
  readonly lease: OpenLease
  readonly lot: number
  readonly miner: LabMiner
}

async function claimLot(
  core: LeaseWorld,
  { desk, lease, lot, miner }: LotToClaim,
  market: Market,
): Promise<KeptReceipt[]> {
  const claim: LotClaim | undefined = await desk.claim(lease)
  if (claim === undefined) return []
  const shown = { key: VOUCHER_KEYS.publicKey, voucher: claim.voucher }
  call(core, miner.who, { type: 15, body: { lease: lease.id, shown, lot, rows: Number(claim.rows), root: claim.root } })
  const receipts: KeptReceipt[] = []
  for await (const entry of market.lots[lot]!.read(lease.id)) receipts.push(...entry.receipts)
  return receipts
}

const NO_RECORDS: Parameters<typeof createFullMarket>[0]['records'] = {
  since: async () => 0,
  records: () => Promise.reject(new Error('a lab keeps no records')),
  settlement: () => Promise.reject(new Error('a lab keeps no records')),
}

/** The contracts' state as a node would tell of it. */
export function chainOf(core: LeaseWorld): ChainAccess & { now(): HeadView } {
  const network = { networkId: core.networkId, name: 'lab', kind: 'local' } as const
  const now = (): HeadView => {
    const height = core.context.height - 1
    const hash = height.toString(16).padStart(64, '0') as Hash
    const supply = { genesis: '0', issued: '0', burnt: '0', total: '0', rewardPool: '0' }
    return { ...network, source: 'node', height, hash, timeMs: 0, baseFee: '1', epoch: 0, validators: 1, supply }
  }
  const state = {
    state: core.state,
    get header() {
      return { height: core.context.height - 1 }
    },
    get parameters() {
      return core.context.parameters
    },
  }
  const unused = async (): Promise<never> => {
    throw new Error('a lab has no such thing')
  }
  const values = (): Record<string, string> =>
    Object.fromEntries(Object.entries(core.context.parameters).map(([name, value]) => [name, String(value)]))
  return {
    ...{
      source: 'node',
      network,
      market: createFullMarket({ chain: state as unknown as Chain, records: NO_RECORDS }, 'local'),
      now,
    },
    ...{ head: async () => now(), parameters: async () => ({ values: values() as never, nextProposalDeposit: '0' }) },
    ...{ account: unused, block: unused, transaction: unused, history: unused, validators: unused, submit: unused },
    ...{ waitFor: unused, close: async () => undefined },
    watch: () => {
      throw new Error('a lab tells no news')
    },
  }
}

function wholeModel(): ServedSegments {
  const segments = Array.from({ length: LOTS }, (_, index) => ({
    ...{ firstLayer: index, lastLayer: index + 1, hasEmbedding: index === 0, hasHead: index === LOTS - 1 },
  }))
  const part = { firstSegment: 0, lastSegment: LOTS }
  return { model: MODEL, config: CONFIG, segments, ...part, host: hostOf() }
}

function hostOf(): EngineHost {
  const { clock } = createSystem()
  const engine = createReferenceEngine()
  const range = { firstLayer: 0, lastLayer: LOTS, hasEmbedding: true, hasHead: true }
  const stage = engine.createStage({ config: CONFIG, range, weights: WEIGHTS, cacheBytesMax: 1 << 28 })
  return createEngineHost(createInlineRunner(engine.name, stage, { clock }), { clock })
}
