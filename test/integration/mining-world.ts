/**
 * Mining for pay in this process: a node of one validator with a model that costs something, miners as `dllm mine` composes them but for engine,
 * wire and wallet, and a client that pays. Knows nothing of what tests assert.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transferCall } from '../../src/app/chain/calls.ts'
import type { ChainAccess, HeadView } from '../../src/app/chain/chain-access.ts'
import type { LeaseView } from '../../src/app/chain/market-access.ts'
import type { BatchRunner } from '../../src/app/engine-host.ts'
import { openLeaseOf } from '../../src/app/market/chain-leases.ts'
import { type ChainSender, createChainSender } from '../../src/app/market/chain-sender.ts'
import { openRingPayer, type RingPayer } from '../../src/app/market/ring-payer.ts'
import { createVoucherStore } from '../../src/app/market/voucher-store.ts'
import { createMiner, type Miner } from '../../src/app/miner.ts'
import { createSegmentChooser } from '../../src/app/mining/choose-segments.ts'
import type { MiningEvent } from '../../src/app/mining/duty.ts'
import { type Mining, type MiningOptions, openMining } from '../../src/app/mining/open-mining.ts'
import type { StoredModel } from '../../src/app/model-store.ts'
import { genesisModel } from '../../src/app/model-work.ts'
import { createNodeIdentity, type NodeIdentity, peerOfPublicKey } from '../../src/app/node-identity.ts'
import { createEngines, type EnginesOptions } from '../../src/app/posts/open-engine.ts'
import { createPostKeeper, type PostKeeper } from '../../src/app/posts/post-keeper.ts'
import type { VersionFiles } from '../../src/app/posts/version-files.ts'
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { RingSession } from '../../src/app/ring/ring-session.ts'
import type { Route } from '../../src/app/ring/route.ts'
import { openDisk } from '../../src/app/store/disk.ts'
import { createSystem } from '../../src/app/system.ts'
import { type AccountId, type Hash, milliseconds } from '../../src/base/brand.ts'
import type { Clock, Random } from '../../src/base/ports.ts'
import type { KeyPair } from '../../src/core/ed25519.ts'
import { accountOf, addressOfAccount } from '../../src/core/fields.ts'
import { voucherKeyOf } from '../../src/core/market/voucher-key.ts'
import type { Parameters } from '../../src/core/parameters.ts'
import { leaseIdOf } from '../../src/core/state/leases.ts'
import { openLease } from '../../src/core/transaction/open-lease.ts'
import type { Canary } from '../../src/ml/canary.ts'
import { CONFIG, MODEL, NEXT, OTHER, runnerOf, SEGMENTS } from './mining-models.ts'
import { DLLM, type OneNode, startOneNode } from './one-node.ts'

export interface MinerLife {
  readonly mining: Mining
  readonly miner: Miner
  readonly keeper: PostKeeper
  readonly events: MiningEvent[]
  /** Models whose files it threw away. */
  readonly removed: string[]
  /** Resolves with the first event of this kind, from the life's beginning, that `isWanted`. */
  said(type: MiningEvent['type'], isWanted?: (event: MiningEvent) => boolean): Promise<MiningEvent>
  end(): Promise<void>
  /** Its wires are cut: nobody hears from it, and the chain hears of no end. */
  crash(): Promise<void>
}

export interface MinerToStart {
  /** Account of the wallet: role operator earns for role payout. */
  readonly account: number
  /** Another machine with the same account: another peer and folder. */
  readonly machine?: string
  readonly first?: number
  readonly end?: number
  readonly options?: Partial<Pick<MiningOptions, 'bid' | 'deposit' | 'isFree'>> & { readonly slots?: number }
  /** It moves to where it is needed, and looks so many blocks beyond the fewest after its start; default: it stays. */
  readonly moves?: number
  /** What peers would send it as the canary of a model. */
  readonly canary?: (model: StoredModel) => Promise<Canary>
  /** Puts something around the engine. */
  readonly around?: (runner: BatchRunner) => BatchRunner
}

export interface LeaseChange {
  readonly cuts?: readonly number[]
  readonly avoid?: readonly AccountId[]
  readonly model?: Hash
  /** From now; 10,000 if left out. */
  readonly blocks?: number
}

export interface MiningWorld {
  readonly one: OneNode
  /** Pays for leases and has the money of the network. */
  readonly payer: ChainSender
  operator(account: number): AccountId
  payout(account: number): AccountId
  /** Data folder of an account's miner: the same in all its lives. */
  folder(account: number): string
  /** Gives an operator account money. */
  fund(account: number, amount: string): Promise<void>
  start(wish: MinerToStart): Promise<MinerLife>
  /** `cuts`: none if left out; `model`: MODEL. */
  openLease(cap?: bigint, change?: LeaseChange): Promise<LeaseView>
  /** A session that is paid with the lease. */
  open(lease: LeaseView): Promise<{ session: RingSession; payer: RingPayer; close(): Promise<void> }>
  close(): Promise<void>
}

export const SYSTEM = createSystem({ level: 'silent' })
const NEVER = new AbortController().signal

/** Posts that leave look so often: a minute of theirs is a third of a second. */
const KEEPING: Clock = { ...SYSTEM.clock, sleep: (ms, signal) => SYSTEM.clock.sleep(milliseconds(ms / 200), signal) }

/** `price`: of the models, grains per unit; undefined: nobody registered them. */
export async function createMiningWorld(
  parameters: Partial<Parameters>,
  price: bigint | undefined,
): Promise<MiningWorld> {
  const one = await startOneNode(parameters, {
    models: price === undefined ? [] : [MODEL, OTHER].map((model) => genesisModel(model, price)),
  })
  const root = await mkdtemp(join(tmpdir(), 'dllm-mining-'))
  const keys = (role: 'owner' | 'operator' | 'payout', account: number): KeyPair => one.keys({ role, account })
  const payer = createChainSender({ chain: one.chain, keys: keys('owner', 0) }, SYSTEM)
  const identities = new Map<string, NodeIdentity>()
  const lives = new Set<MinerLife>()
  const disk = await openDisk(join(root, 'vouchers'))
  const vouchers = createVoucherStore(disk)
  const secrets = new Map<Hash, Uint8Array>()
  const operator = (account: number): AccountId => accountOf(keys('operator', account).publicKey)
  const payout = (account: number): AccountId => accountOf(keys('payout', account).publicKey)
  const folder = (account: number): string => join(root, `miner-${account}`)

  /** Of a machine with room for two segments. */
  const chooserOf =
    (account: number): NonNullable<MiningOptions['chooser']> =>
    (posts) => {
      const address = (id: AccountId): string => addressOfAccount(id, 'local')
      const own = { operator: address(operator(account)), payout: address(payout(account)) }
      const weightBytesMax = 2 * MODEL.manifest.segments[0]!.shard.bytes
      return createSegmentChooser({ chain: one.chain, own, weightBytesMax, posts, mayMove: () => true })
    }

  const start = async ({
    account,
    machine = '',
    first = 0,
    end = SEGMENTS,
    options = {},
    moves,
    canary = () => Promise.reject(new Error('no canary')),
    around = (runner) => runner,
  }: MinerToStart) => {
    const identity = identities.get(`${account}${machine}`) ?? (await createNodeIdentity(SYSTEM.random))
    identities.set(`${account}${machine}`, identity)
    const heard = listener()
    const line = lineTo(one.chain)
    const { slots = 2, ...wish } = options
    const runs = [{ model: MODEL.hash, name: MODEL.manifest.name, first, end, slots }]
    const mining = await openMining(
      {
        ...{ folder: folder(account) + machine, chain: line.chain, network: 'one', identity, runs },
        ...{ keys: keys('operator', account), payout: payout(account), notes: heard, journalBytes: 1 << 28 },
        ...{ slotsOf: () => slots, bid: 0n, deposit: undefined, isFree: false, audits: true, ...wish },
        chooser: moves === undefined ? undefined : chooserOf(account),
      },
      moves === undefined ? SYSTEM : { ...SYSTEM, random: drawing(moves) },
    )
    const wire = one.memory.createMemoryWire({ listen: true, peer: identity.peer })
    const createRunner: EnginesOptions['createRunner'] = async ({ firstSegment, lastSegment }) =>
      around(runnerOf(firstSegment, lastSegment))
    const memory = { cacheBytesMax: 1 << 26, memoryBytesMax: Number.MAX_SAFE_INTEGER }
    const engines = createEngines({ home: root, engine: 'reference', threads: 1, createRunner, ...memory }, SYSTEM)
    const posts = [await engines.open({ model: MODEL, firstSegment: first, lastSegment: end })]
    const miner = await createMiner(
      { identity, networkId: 'one', bootstrap: [], posts, market: mining.desk },
      { wire, ...SYSTEM },
    )
    const files = { ensure: async () => undefined }
    const removed: string[] = []
    const versions: VersionFiles = {
      canary,
      find: async (model) => [MODEL, OTHER, NEXT].find(({ hash: own }) => own === model)!,
      remove: async ({ manifest }) => removed.push(manifest.name),
    }
    const keeper = createPostKeeper({ miner, engines, files, first: posts }, { ...SYSTEM, clock: KEEPING })
    await mining.start({ miner, wire, keeper, files, versions })
    const life: MinerLife = {
      ...{ mining, miner, keeper, removed, events: heard.events, said: heard.said },
      async crash() {
        line.cut()
        one.memory.kill(identity.peer)
        await life.end()
      },
      async end() {
        if (!lives.delete(life)) return
        await mining.close()
        await keeper.close()
        await miner.close()
      },
    }
    lives.add(life)
    return life
  }

  const openOne: MiningWorld['openLease'] = async (
    cap = DLLM,
    { cuts = [], avoid = [], model = MODEL.hash, blocks = 10_000 } = {},
  ) => {
    const nonce = await payer.nextNonce(NEVER)
    const voucher = voucherKeyOf(keys('owner', 0).secretKey, one.network.networkId, nonce)
    const head = await one.chain.head()
    const body = {
      ...{ model, voucherKey: voucher.publicKey, cuts, avoid, rows: 100, cap, priceMax: 1n << 40n },
      expiryHeight: head.height + blocks,
    }
    await payer.send({ contract: openLease, body, spends: cap, lines: [] }, NEVER)
    const id = leaseIdOf(one.network.networkId, payer.id, nonce)
    secrets.set(id, voucher.secretKey)
    return one.chain.market.lease(id)
  }

  return {
    ...{ one, payer, operator, payout, folder, start, openLease: openOne },
    async fund(account, amount) {
      const to = addressOfAccount(operator(account), 'local')
      await payer.send(transferCall({ amount, address: to }, 'local'), NEVER)
    },
    async open(view) {
      const head: HeadView = await one.chain.head()
      const lease = openLeaseOf(view, { network: one.chain.network, head, commitMs: 50 })
      const paying = await openRingPayer(
        { lease, secret: secrets.get(view.id)!, store: vouchers, onLow: () => undefined },
        SYSTEM,
      )
      const stages = lease.lots.map(({ peerKey, firstSegment, lastSegment }) => {
        const peer = peerOfPublicKey(peerKey)
        return { peer, addresses: [`/memory/${peer}`], firstSegment, lastSegment }
      })
      const route: Route = { model: lease.model, stages, expectedStepMs: milliseconds(1) }
      const wire = one.memory.createMemoryWire({ listen: false })
      const session = await openRing({ route, capacity: CONFIG.contextLength, payer: paying }, { wire, ...SYSTEM })
      return {
        session,
        payer: paying,
        async close() {
          await session.close()
          await wire.stop()
        },
      }
    },
    async close() {
      for (const life of [...lives]) await life.end()
      await disk.close()
      await one.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** A chain that can be lost. */
function lineTo(chain: ChainAccess): { readonly chain: ChainAccess; cut(): void } {
  let isCut = false
  const through = <Target extends object>(target: Target): Target =>
    new Proxy(target, {
      get(of, name) {
        const member: unknown = Reflect.get(of, name)
        if (name === 'market') return through(member as object)
        if (typeof member !== 'function' || !isCut) return member
        return () => Promise.reject(new Error('the line is cut'))
      },
    })
  return {
    chain: through(chain),
    cut() {
      isCut = true
    },
  }
}

/** Numbers of four bytes are this one. */
function drawing(number: number): Random {
  const bytes = Uint8Array.of(0, 0, number >> 8, number & 0xff)
  return { bytes: (length) => (length === bytes.length ? bytes.slice() : SYSTEM.random.bytes(length)) }
}

function listener(): Pick<MinerLife, 'events' | 'said'> & { say(event: MiningEvent): void } {
  const events: MiningEvent[] = []
  const waiting = new Set<() => void>()
  return {
    events,
    say(event) {
      events.push(event)
      for (const look of waiting) look()
    },
    said: (type, isWanted = () => true) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = events.find((event) => event.type === type && isWanted(event))
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}
