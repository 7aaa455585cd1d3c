/**
 * A full node: the chain in memory, its store, the replica and what feeds it, and the answers to others. The whole node, in the
 * command line and in the simulator alike: everything from outside is a port. Spec: docs/spec/consensus.md §2.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { messageOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { encodeBlock } from '../../core/block/block.ts'
import type { SeedVerifier } from '../../core/block/validate.ts'
import { type BlsSigned, blsSign } from '../../core/bls.ts'
import { type AppliedBlock, type Chain, type ChainPorts, createChain } from '../../core/chain.ts'
import { createReplica, type Replica } from '../../core/consensus/replica.ts'
import type { Effect, Message } from '../../core/consensus/replica-port.ts'
import { type ConsensusSummary, decodeSummary, encodeSummary } from '../../core/consensus/summary.ts'
import { type FastAcceptance, type SignedBytes, sign, verify } from '../../core/ed25519.ts'
import { addressOfAccount } from '../../core/fields.ts'
import { verdictOf } from '../../core/mempool-error.ts'
import { ownerOfConsensusKey } from '../../core/state/consensus-keys.ts'
import type { Verdict, Wire } from '../../net/wire.ts'
import { type NetworkChain, networkView } from '../chain/network-chain.ts'
import type { Checkpoint } from '../light/checkpoint.ts'
import type { Disk } from '../store/disk.ts'
import type { KeyValueStore } from '../store/key-value.ts'
import { createTurns, type Turns } from '../turns.ts'
import { indexOfBlock } from './block-index.ts'
import { type CatchUp, startCatchUp } from './catch-up.ts'
import { serveChain } from './chain-server.ts'
import { checkAgainst, checkAge } from './checkpoint-guard.ts'
import { type ConsensusDriver, createConsensusDriver } from './consensus-driver.ts'
import { reportOf } from './evidence-report.ts'
import { createFullAccess, type FullAccess } from './full-access.ts'
import { createLateNews, type LateNews } from './late-news.ts'
import { hearNews } from './news.ts'
import { createNodeStore, type NodeStore } from './node-store.ts'
import { createRecentStates, type RecentStates } from './recent-states.ts'
import { foresee, foreseeWork, foresign, type OwnForesight } from './seed-foresight.ts'
import { servedChain } from './served-chain.ts'
import { openStart } from './start.ts'
import { TOPICS } from './topics.ts'
import type { ValidatorKeys } from './validator-keys.ts'
import { openVoteKeeper, type VoteKeeper } from './vote-keeper.ts'

export interface NodeOptions {
  readonly network: NetworkChain
  readonly name: string
  /** With which it votes while they belong to a validator of the set; undefined: it follows. */
  readonly keys: ValidatorKeys | undefined
  /** The keys never signed anything anywhere. */
  readonly isNewKey: boolean
  /** Blocks to keep; undefined: all. */
  readonly keepBlocks?: number | undefined
  /** A snapshot for newcomers every so many blocks. Default NODE_LIMITS.snapshotBlocks. */
  readonly snapshotBlocks?: number | undefined
  /** A block that must be on the chain. */
  readonly checkpoint?: Checkpoint | undefined
}

export interface NodePorts {
  readonly wire: Wire
  readonly store: KeyValueStore
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  /** A faster check of signatures; core/ed25519.ts. */
  readonly accepts?: FastAcceptance | undefined
  /** A faster way to the same signatures as `sign` of core/ed25519.ts. */
  readonly sign?: typeof sign | undefined
  /** How seed signatures are made and checked: with core/bls.ts when left out, which is most of a simulation's work. */
  readonly seedScheme?: SeedScheme | undefined
  /** How many steps of long work make a turn; for simulations, see `createTurns`. */
  readonly stepsPerTurn?: number | undefined
}

export interface SeedScheme {
  sign(message: Uint8Array, keys: ValidatorKeys): Uint8Array
  readonly verify: SeedVerifier
  /** Does what `sign` will be asked for elsewhere than on this thread; resolves when it is done. */
  foresign?(message: Uint8Array, keys: ValidatorKeys): Promise<void>
  /** The same for `verify`. */
  foresee?(signed: BlsSigned): Promise<void>
}

export interface FullNode {
  readonly access: FullAccess
  readonly chain: Chain
  /** Resolves with the reason when the node cannot go on; it has stopped voting then. */
  readonly failed: Promise<unknown>
  /** Finishes what is under way and closes store and disk; the wire is the caller's. */
  stop(): Promise<void>
}

/** @throws StoreError, SignStateError, JournalError, NodeStoreError, ChainError: nothing runs then. */
export async function createNode(options: NodeOptions, ports: NodePorts): Promise<FullNode> {
  const { keys, network } = options
  const { accepts } = ports
  const turns = createTurns(ports.clock, ports.stepsPerTurn)
  const store = createNodeStore(ports.store, turns)
  const start = await openStart(store, network.genesis)
  const { height, timeMs } = start.header
  checkAge(network.genesis, { height, timeMs }, { nowMs: ports.clock.wallMs(), checkpoint: options.checkpoint })
  const chain = createChain(start, { ...seedPorts(keys, ports.seedScheme), accepts })
  const identity = keys && { networkId: network.networkId, publicKey: keys.consensus.publicKey }
  const keeper = await openVoteKeeper(ports.disk, identity, { isNewKey: options.isNewKey })
  const recent = createRecentStates(options.snapshotBlocks ?? NODE_LIMITS.snapshotBlocks)
  recent.add({ header: chain.header, hash: chain.head().hash, commit: chain.head().commit, tree: chain.tree })
  const replica = createReplica(
    { networkId: network.networkId, recovered: keeper.recovered },
    {
      ledger: chain,
      verify: (signed: SignedBytes) => verify(signed, accepts),
      signer: keys && {
        publicKey: keys.consensus.publicKey,
        sign: (digest) => (ports.sign ?? sign)(digest, keys.consensus.secretKey),
      },
    },
  )
  const node = new Node(options, { ...ports, turns, nodeStore: store, chain, keeper, replica, recent })
  await node.start()
  return node
}

function seedPorts(keys: ValidatorKeys | undefined, scheme: SeedScheme | undefined): ChainPorts {
  const sign = scheme?.sign ?? ((message: Uint8Array, { seedSecret }: ValidatorKeys) => blsSign(message, seedSecret))
  return { seedSigner: keys && ((message) => sign(message, keys)), seedVerifier: scheme?.verify }
}

interface Parts extends NodePorts {
  readonly turns: Turns
  readonly nodeStore: NodeStore
  readonly chain: Chain
  readonly keeper: VoteKeeper
  readonly replica: Replica
  readonly recent: RecentStates
}

class Node implements FullNode {
  readonly access: FullAccess
  readonly chain: Chain
  readonly failed: Promise<unknown>
  readonly #options: NodeOptions
  readonly #parts: Parts
  readonly #seeds: OwnForesight
  readonly #driver: ConsensusDriver
  readonly #catchUp: CatchUp
  readonly #lateNews: LateNews
  #fail: (error: unknown) => void = () => undefined
  #oldestHeight = 1

  constructor(options: NodeOptions, parts: Parts) {
    const { chain, replica, wire, clock, turns, log, nodeStore, recent, keeper } = parts
    this.#options = options
    this.#parts = parts
    this.#seeds = { ...parts, keys: options.keys }
    this.chain = chain
    this.failed = new Promise((resolve) => {
      this.#fail = resolve
    })
    const events = {
      save: (applied: AppliedBlock) => this.#save(applied),
      onFinal: (applied: AppliedBlock) => this.#onFinal(applied),
      onBehind: () => this.#catchUp.hurry(),
      onEvidence: (effect: Effect & { type: 'evidence' }) => this.#report(effect),
      // Told once, by whoever runs the node.
      onFatal: (error: unknown) => this.#fail(error),
    }
    this.#lateNews = createLateNews({ chain, wire, log })
    const { networkId } = options.network
    this.#driver = createConsensusDriver({
      ...{ networkId, replica, chain, keeper, events, wire, clock, turns, log },
      before: (work) => foreseeWork(this.#seeds, work),
    })
    this.#catchUp = startCatchUp({
      ...{ wire, chain, driver: this.#driver, clock, turns, log },
      summary: () => encodeSummary(replica.summary()),
      onTransaction: (bytes) => this.#offer(bytes),
      foresee: (proposal) => foresee(parts, proposal),
    })
    this.access = createFullAccess({
      ...{ network: networkView(options.network), chain, store: nodeStore, recent, turns },
      submit: (transaction) => this.#submit(transaction),
      self: () => this.#self(),
    })
  }

  async start(): Promise<void> {
    const { wire, chain, recent, nodeStore, turns, log } = this.#parts
    this.#oldestHeight = (await nodeStore.meta(chain.networkId))?.oldestHeight ?? 1
    void foresign(this.#seeds)
    await this.#driver.take({ type: 'start' })
    hearNews({
      ...{ wire, chain, driver: this.#driver },
      onTransaction: () => undefined,
      foresee: (proposal) => foresee(this.#parts, proposal),
    })
    const served = servedChain({
      ...{ chain, store: nodeStore, recent, turns },
      missing: (summary) => this.#missingFor(decodeSummary(summary)),
      submit: (transaction) => this.#submit(transaction),
      oldestHeight: () => this.#oldestHeight,
    })
    await serveChain(wire, served, { log })
  }

  async stop(): Promise<void> {
    await this.#catchUp.stop()
    await this.#driver.stop()
    await this.#parts.keeper.close()
    await this.#parts.nodeStore.close()
  }

  async #save(applied: AppliedBlock): Promise<void> {
    const { nodeStore } = this.#parts
    const { height, hash, block, commit, stateChanges, transactions, marketEvents, nextValidators } = applied
    checkAgainst(this.#options.checkpoint, height, hash)
    const stored = { height, hash, block: encodeBlock(block), timeMs: block.header.timeMs, commit }
    await nodeStore.save({ ...stored, stateChanges, transactions, marketEvents, nextValidators })
    const { keepBlocks } = this.#options
    if (keepBlocks === undefined || height <= keepBlocks) return
    this.#oldestHeight += await nodeStore.prune(height - keepBlocks + 1, indexOfBlock)
    await nodeStore.market.prune(height - Math.max(keepBlocks, NODE_LIMITS.marketRecordBlocks) + 1)
  }

  #onFinal(applied: AppliedBlock): void {
    const { recent, log } = this.#parts
    const { height, hash, commit, block, tree } = applied
    recent.add({ header: block.header, hash, commit, tree })
    log.write('info', 'chain.final', { height, round: commit.round, transactions: block.transactions.length })
    void foresign(this.#seeds)
    this.#lateNews.tell()
    this.access.announce()
  }

  /** A transaction from our own user: refusals are told; what is taken goes to everybody. */
  async #submit(transaction: Uint8Array): Promise<Hash> {
    const { chain, wire } = this.#parts
    const { isProven, transaction: taken } = chain.mempool.add(transaction)
    if (isProven) await wire.publish(TOPICS.transaction, transaction)
    else this.#lateNews.hold(taken.id)
    return taken.id
  }

  /** A transaction that waits elsewhere, and what it says of who gave it. */
  #offer(transaction: Uint8Array): Verdict {
    try {
      this.chain.mempool.add(transaction)
      return 'accept'
    } catch (error) {
      return verdictOf(error)
    }
  }

  #report(effect: Effect & { type: 'evidence' }): void {
    const { chain, log } = this.#parts
    log.write('warn', 'consensus.double-sign', { voter: effect.voter })
    const operator = this.#options.keys?.consensus
    const report = operator && reportOf(effect, { chain, operator })
    if (report === undefined) return
    this.#submit(report).catch((error) => {
      log.write('warn', 'consensus.unreported', { reason: messageOf(error) })
    })
  }

  /** What has not reached the disk is not told: after a crash we might sign something else in its place. */
  async #missingFor(summary: ConsensusSummary): Promise<readonly Message[]> {
    const { replica } = this.#parts
    return (await this.#driver.atRest(() => replica.missingFor(summary, NODE_LIMITS.missingMax))) ?? []
  }

  #self(): Omit<ReturnType<FullAccess['status']>, keyof Awaited<ReturnType<FullAccess['head']>>> {
    const { wire, chain, replica } = this.#parts
    const { height, round, step, self } = replica.snapshot()
    const owner = this.#options.keys && ownerOfConsensusKey(chain.state, this.#options.keys.consensus.publicKey)
    const { kind } = this.#options.network.genesis
    return {
      nodeName: this.#options.name,
      peer: wire.peer,
      addresses: wire.addresses(),
      peers: wire.connectedPeers().length,
      oldestHeight: this.#oldestHeight,
      waiting: chain.mempool.size,
      ...(owner === undefined || self < 0 ? {} : { validator: addressOfAccount(owner, kind) }),
      consensus: { height, round, step },
      syncing: this.#catchUp.isBehind,
    }
  }
}
