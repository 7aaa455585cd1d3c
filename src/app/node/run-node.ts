/**
 * The node command's work: identity, wire, store, node, control server; then waiting until it is told to end.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { Wire } from '../../net/wire.ts'
import { leaveSoon, lockNode, tellStarter, untilAborted, withBootstrap } from '../background.ts'
import type { HeadView } from '../chain/chain-access.ts'
import { type ChainMethods, chainMethods } from '../chain/chain-methods.ts'
import { chainOf, type NetworkChain } from '../chain/network-chain.ts'
import { loadConfig } from '../config.ts'
import { createControlServer } from '../control/control-server.ts'
import { localAddresses } from '../devnet/local-chain-state.ts'
import type { Home } from '../home.ts'
import { rememberAccepted } from '../known-signatures.ts'
import { type Checkpoint, checkpointFrom } from '../light/checkpoint.ts'
import { LOCAL_NETWORK, loadNetwork } from '../networks.ts'
import { loadNodeIdentity } from '../node-identity.ts'
import { createSigner } from '../openssl-sign.ts'
import { opensslAccepts } from '../openssl-verify.ts'
import { createProgress } from '../progress.ts'
import { openDisk } from '../store/disk.ts'
import type { KeyValueStore } from '../store/key-value.ts'
import { openLevelStore } from '../store/level-store.ts'
import type { ShardService } from '../swarm/shard-service.ts'
import type { System } from '../system.ts'
import { beginFromSnapshot } from './begin-from-snapshot.ts'
import { reportShortage } from './evidence-report.ts'
import { createNode, type FullNode } from './node.ts'
import { type NodeFolder, nodeFolder } from './node-folders.ts'
import { blockLine, headingLines, shortageLines } from './node-text.ts'
import { repairNode } from './repair-node.ts'
import { createSeedThread } from './seed-thread.ts'
import { loadValidatorKeys } from './validator-keys.ts'

export interface NodeFlags {
  readonly network?: string | undefined
  readonly listen?: string | undefined
  readonly bootstrap?: string[] | undefined
  readonly name: string
  readonly 'new-key': boolean
  readonly repair: boolean
  readonly 'keep-blocks'?: number | undefined
  readonly snapshot: boolean
  readonly 'trust-height'?: number | undefined
  readonly 'trust-hash'?: string | undefined
}

export interface NodeRun {
  readonly home: Home
  readonly flags: NodeFlags
  readonly system: System
  readonly signal: AbortSignal
  /** Blocks without transactions are told too. */
  readonly tellsAll: boolean
  readonly print: (line: string) => void
  readonly emit: (value: object) => void
}

export interface NodeResult {
  readonly type: 'ended'
  readonly height: number
  readonly hash: Hash
}

/** What a node tells the process that started it in the background. */
export interface NodeReady {
  readonly peer: string
  readonly addresses: readonly string[]
  readonly height: number
}

/** Of one part of a snapshot, about: for a progress bar. */
const PART_BYTES = NODE_LIMITS.snapshotPartBytes

/** Runs until the signal fires. @throws what keeps it from starting, or from going on. */
export async function runNode(run: NodeRun): Promise<NodeResult> {
  const { home, flags } = run
  const { settings } = await loadConfig({
    home,
    env: process.env,
    flags: { network: flags.network, listen: flags.listen },
  })
  const isLocal = settings.network === LOCAL_NETWORK.id
  const known = isLocal ? await localAddresses(home, flags.name) : []
  const network = withBootstrap(await loadNetwork(home, settings.network), [...known, ...(flags.bootstrap ?? [])])
  const chain = await chainOf(home, network)
  const lock = await lockNode(home, flags.name)
  try {
    return await serve(run, chain, { listen: settings.listen, isListenGiven: flags.listen !== undefined })
  } finally {
    await lock.release()
    leaveSoon(run.system)
  }
}

async function serve(
  run: NodeRun,
  network: NetworkChain,
  { listen, isListenGiven }: { readonly listen: string; readonly isListenGiven: boolean },
): Promise<NodeResult> {
  const { home, flags, system } = run
  const { createLibp2pWire } = await import('../../net/libp2p-wire.ts')
  const identity = await loadNodeIdentity(home.file('nodes', `${flags.name}.key`), system.random)
  const { id: networkId, bootstrap, mdns, dht, allow } = network.network
  const own = bootstrap.find((address) => address.endsWith(`/p2p/${identity.peer}`))
  const wire = await createLibp2pWire(
    {
      ...{ networkId, privateKey: identity.privateKey, mdns, dht, news: true },
      // A node that the network file names listens where the file says, unless told otherwise.
      listen: [own === undefined || isListenGiven ? listen : own.replace(/\/p2p\/.*$/, '')],
      bootstrap: bootstrap.filter((address) => address !== own),
      ...(allow === undefined ? {} : { allow }),
    },
    system,
  )
  try {
    const folder = nodeFolder(home, flags.name)
    await home.folder('nodes', flags.name)
    const node = await openNode(run, network, { folder, wire })
    const shards = await serveShards(run, { wire, networkId, listen })
    try {
      return await control(run, network, { node, folder })
    } finally {
      await shards?.close()
      await node.stop()
    }
  } finally {
    await wire.stop()
  }
}

/** A node has its own work to do: uploads never take all of its line. All of the local network have their models from one disk. */
async function serveShards(
  { home, system }: NodeRun,
  { wire, networkId, listen }: { readonly wire: Wire; readonly networkId: string; readonly listen: string },
): Promise<ShardService | undefined> {
  if (networkId === LOCAL_NETWORK.id) return undefined
  const [{ openShardService }, { openShardStore }] = await Promise.all([
    import('../swarm/shard-service.ts'),
    import('../shards/shard-store.ts'),
  ])
  const store = openShardStore({ home: home.path })
  const upBytesPerSecond = SHARD_LIMITS.uploadBytesPerSecond
  return openShardService(wire, { home: home.path, store, listen, upBytesPerSecond }, system)
}

async function openNode(
  run: NodeRun,
  network: NetworkChain,
  { folder, wire }: { readonly folder: NodeFolder; readonly wire: Wire },
): Promise<FullNode> {
  const { flags, system } = run
  const keys = await loadValidatorKeys(folder.validatorKey)
  if (flags.repair) await repair(run, network, folder)
  const store = await openLevelStore(folder.store)
  try {
    if (flags.snapshot) await fillFromSnapshot(run, network, { store, wire })
    const disk = await openDisk(folder.disk)
    const { name, 'new-key': isNewKey, 'keep-blocks': keepBlocks } = flags
    const accepts = rememberAccepted(opensslAccepts)
    // Its own votes and proposals, which is all that a node signs so.
    const sign = keys && createSigner(keys.consensus.secretKey)
    return await createNode(
      { network, name, keys, isNewKey, keepBlocks, checkpoint: checkpointOf(flags) },
      { wire, store, disk, ...system, accepts, sign, seedScheme: createSeedThread() },
    )
  } catch (error) {
    await store.close()
    throw error
  }
}

async function repair({ print, emit }: NodeRun, { genesis }: NetworkChain, folder: NodeFolder): Promise<void> {
  const done = await repairNode(folder, { genesis, accepts: rememberAccepted(opensslAccepts) })
  for (const line of done) print(line)
  emit({ type: 'repaired', done })
}

function checkpointOf(flags: NodeFlags): Checkpoint | undefined {
  return checkpointFrom(flags['trust-height'], flags['trust-hash'])
}

async function fillFromSnapshot(
  { flags, system, signal, print }: NodeRun,
  network: NetworkChain,
  { store, wire }: { readonly store: KeyValueStore; readonly wire: Wire },
): Promise<void> {
  const checkpoint = checkpointOf(flags)
  const progress = createProgress('snapshot', process.stderr, system)
  const onProgress = (done: number, total: number): void => progress.update(done * PART_BYTES, total * PART_BYTES)
  const height = await beginFromSnapshot({ network, checkpoint, store, wire, system, signal, onProgress }).finally(() =>
    progress.end(),
  )
  print(
    height === undefined
      ? 'The store holds a chain already; no snapshot is needed.'
      : `Begun from the state at block ${height}.`,
  )
}

/** Answers commands until it is told to end, or the node fails. */
async function control(
  run: NodeRun,
  network: NetworkChain,
  { node, folder }: { readonly node: FullNode; readonly folder: NodeFolder },
): Promise<NodeResult> {
  const { system, signal, print, emit } = run
  const server = createControlServer<ChainMethods>(
    { folder: folder.path, network: network.networkId, methods: chainMethods(node.access) },
    system,
  )
  await server.start()
  try {
    const status = node.access.status()
    const keys = await loadValidatorKeys(folder.validatorKey)
    for (const line of headingLines(status, keys !== undefined)) print(line)
    emit({ type: 'started', ...status })
    if (keys !== undefined) warnOfShortage(run, network, { node, operator: keys.consensus })
    const ready: NodeReady = { peer: status.peer, addresses: status.addresses, height: status.height }
    tellStarter(ready)
    const ended = new AbortController()
    const telling = tellBlocks(run, node, ended.signal)
    const failure = await Promise.race([node.failed, untilAborted(signal)])
    ended.abort()
    await telling
    if (failure !== undefined) throw failure
    const { height, hash } = node.chain.head()
    print(`Ended at block ${height}.`)
    return { type: 'ended', height, hash }
  } finally {
    await server.stop()
  }
}

/** A validator without money there would see a double sign and could not report it. */
function warnOfShortage(
  { print, emit, system }: NodeRun,
  { genesis: { kind } }: NetworkChain,
  { node, operator }: { readonly node: FullNode; readonly operator: KeyPair },
): void {
  const shortage = reportShortage(node.chain.place(), operator)
  if (shortage === undefined) return
  const [account, balance, needed] = [
    addressOfAccount(shortage.account, kind),
    String(shortage.balance),
    String(shortage.needed),
  ]
  for (const line of shortageLines(shortage, kind)) print(line)
  emit({ type: 'warning', code: 'OPERATOR_CANNOT_REPORT', account, balance, needed })
  system.log.write('warn', 'node.operator-cannot-report', { account, balance, needed })
}

async function tellBlocks({ print, emit, tellsAll }: NodeRun, node: FullNode, signal: AbortSignal): Promise<void> {
  let before: HeadView | undefined
  for await (const head of node.access.watch(signal)) {
    if (before !== undefined && head.height > before.height) {
      const applied = node.chain.lastApplied()
      const transactions = applied?.height === head.height ? applied.transactions.length : 0
      if (tellsAll || transactions > 0) print(blockLine(head, { transactions, before }))
      emit({ type: 'block', height: head.height, hash: head.hash, timeMs: head.timeMs, transactions })
    }
    before = head
  }
}
