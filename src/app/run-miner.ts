/**
 * The mine command's work: identity, market, posts, wire, miner; then waiting until it is told to end.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Wire } from '../net/wire.ts'
import { leaveSoon, lockNode, tellStarter, untilAborted, withBootstrap } from './background.ts'
import { localGenesisFile } from './chain/genesis-text.ts'
import { loadConfig } from './config.ts'
import type { MinerReady } from './devnet/devnet.ts'
import type { EngineWish } from './engines.ts'
import type { Home } from './home.ts'
import { compileHotCodeSoon } from './hot-code.ts'
import { createMiner } from './miner.ts'
import { type JoinedMarket, joinMarket, type MarketToJoin } from './mining/join-market.ts'
import { type MarketFlags, marketWish, requireWalletFor } from './mining/mining-flags.ts'
import { withNodeForNames } from './mining/node-for-names.ts'
import { chosenPosts, mayMoveBy, memoryBytesOf, type PlanPlace, weightBytesMaxOf } from './mining/plan-posts.ts'
import { LOCAL_NETWORK, loadNetwork, type Network } from './networks.ts'
import { loadNodeIdentity, type NodeIdentity } from './node-identity.ts'
import { announcePosts } from './posts/announce.ts'
import { type Drafter, findDrafter } from './posts/drafter.ts'
import type { ModelFiles } from './posts/model-files.ts'
import { createEngines, type Engines, type OpenEngine } from './posts/open-engine.ts'
import type { PostWish } from './posts/post.ts'
import { modelTexts, type PostFlags } from './posts/post-flags.ts'
import { createPostKeeper } from './posts/post-keeper.ts'
import { createVersionFiles, type VersionFiles } from './posts/version-files.ts'
import { openHomeStore } from './shards/home-store.ts'
import type { DamagedFile } from './shards/served-store.ts'
import type { ShardStore } from './shards/shard-store.ts'
import { createPullTeller } from './swarm/pull-teller.ts'
import { bytesPerSecondOf } from './swarm/rate-flag.ts'
import type { ShardService } from './swarm/shard-service.ts'
import { createSwarmFiles, type SwarmFiles } from './swarm/swarm-files.ts'
import type { System } from './system.ts'
import { createWorkerRunner } from './worker-runner.ts'

export interface MineFlags extends MarketFlags, PostFlags {
  readonly network?: string | undefined
  readonly threads?: number | undefined
  readonly engine: EngineWish
  readonly listen?: string | undefined
  readonly bootstrap?: string[] | undefined
  readonly name: string
  readonly 'draft-model'?: string | undefined
  readonly 'memory-mib'?: number | undefined
  readonly 'down-mib-s'?: number | undefined
  readonly 'up-mib-s'?: number | undefined
}

export interface MineRun {
  readonly home: Home
  readonly flags: MineFlags
  readonly system: System
  readonly signal: AbortSignal
  readonly print: (line: string) => void
  readonly emit: (value: object) => void
  /** Of the wallet that earns; undefined: it serves for nothing. */
  readonly openKeys?: MarketToJoin['openKeys'] | undefined
  /** Default: the engine in a thread of its own. */
  readonly createRunner?: typeof createWorkerRunner | undefined
}

export interface MineResult {
  readonly type: 'ended'
  readonly steps: number
  readonly computeMs: number
}

/** Serves until the signal fires. */
export async function runMiner(run: MineRun): Promise<MineResult> {
  const { home, flags } = run
  requireWalletFor(flags)
  const { settings } = await loadConfig({
    home,
    env: process.env,
    flags: { network: flags.network, listen: flags.listen },
  })
  const network = withBootstrap(await loadNetwork(home, settings.network), flags.bootstrap ?? [])
  // Elsewhere the chain comes before anything is served. Here it may come later, when nobody looks any more.
  if (flags.wallet !== undefined && network.id === LOCAL_NETWORK.id) marketWish(flags, { kind: 'local', posts: 1 })
  const threads = (flags.threads ?? settings.threads) || availableParallelism()
  const lock = await lockNode(home, flags.name)
  try {
    const posts = await postsOf(run, { network, usual: settings.model })
    return await serve(run, { network, listen: settings.listen, posts, threads })
  } finally {
    await lock.release()
    leaveSoon(run.system)
  }
}

/** Who mines for pay runs a full node anyway, and may ask it early. */
async function postsOf(run: MineRun, place: PlanPlace): Promise<PostWish[]> {
  const choose = (): Promise<PostWish[]> => chosenPosts(run, place)
  if (run.openKeys === undefined) return choose()
  const { network, usual } = place
  const models = modelTexts(run.flags, usual)
  return withNodeForNames({ ...run, network, name: run.flags.name, models }, choose)
}

interface Service {
  readonly network: Network
  readonly listen: string
  /** To begin with. */
  readonly posts: readonly PostWish[]
  readonly threads: number
}

/** A service that goes to work. */
interface Shift extends Service {
  readonly identity: NodeIdentity
  readonly market: JoinedMarket | undefined
}

async function serve(run: MineRun, service: Service): Promise<MineResult> {
  const { home, flags, system, signal } = run
  const identity = await loadNodeIdentity(home.file('nodes', `${flags.name}.key`), system.random)
  const { network, posts } = service
  if (run.openKeys === undefined) {
    if (mayHaveChain(home, network)) run.print(HOW_TO_EARN)
    return serveWith(run, { ...service, identity, market: undefined })
  }
  const { openKeys, print, emit } = run
  const room = { weightBytesMax: weightBytesMaxOf(flags), mayMove: mayMoveBy(flags, posts) }
  const toJoin = { home, flags, network, identity, posts, room, openKeys, signal, print, emit }
  const market = await joinMarket(toJoin, system)
  try {
    return await serveWith(run, { ...service, identity, market })
  } finally {
    await market.close()
  }
}

async function serveWith(
  run: MineRun,
  { network, listen, posts, threads, identity, market }: Shift,
): Promise<MineResult> {
  const { system, signal } = run
  const { createLibp2pWire } = await import('../net/libp2p-wire.ts')
  const { id: networkId, bootstrap, mdns, dht } = network
  const wireOptions = { networkId, privateKey: identity.privateKey, listen: [listen], mdns, dht, bootstrap }
  const store = await openHomeStore(run.home)
  const wiring = Promise.withResolvers<Wire>()
  wiring.promise.catch(() => undefined)
  const files = filesOf(run, { network, store, wire: wiring.promise })
  const uploads: { noteStep?: (() => void) | undefined } = {}
  const engines = enginesOf(run, { threads, onStep: () => uploads.noteStep?.() })
  // Engines load in threads of their own while this one sets up the network; what they lack comes over it.
  const loading = openAll(posts, { engines, files, signal })
  loading.catch(() => undefined)
  const wire = await createLibp2pWire(wireOptions, system).catch((error: unknown) => {
    wiring.reject(error)
    throw error
  })
  try {
    const service = await serveShards(run, { wire, network, listen, store, files })
    uploads.noteStep = service?.noteStep
    wiring.resolve(wire)
    try {
      const first = await loading
      const drafter = await findDrafter(run, { network, posts, engines, files })
      const versions = createVersionFiles({ home: run.home.path, store, fetcher: files.fetcher })
      return await mine(run, { wire, networkId, bootstrap, identity, market, engines, files, versions, first, drafter })
    } finally {
      await files.close()
      await service?.close()
    }
  } finally {
    await wire.stop()
  }
}

interface Work extends Pick<Shift, 'identity' | 'market'> {
  readonly wire: Wire
  readonly networkId: string
  readonly bootstrap: readonly string[]
  readonly engines: Engines
  readonly files: ModelFiles
  readonly versions: VersionFiles
  readonly first: readonly OpenEngine[]
  readonly drafter: Drafter | undefined
}

async function mine(
  run: MineRun,
  { wire, networkId, bootstrap, identity, market, engines, files, versions, first, drafter }: Work,
): Promise<MineResult> {
  const { system, signal } = run
  const miner = await createMiner(
    { identity, networkId, bootstrap, posts: first, drafter, market: market?.desk },
    { wire, ...system },
  )
  const keeper = createPostKeeper({ miner, engines, files, first }, system)
  announcePosts(miner.posts, wire.addresses(), run)
  await market?.start({ miner, wire, keeper, files, versions })
  const ready: MinerReady = { peer: wire.peer, addresses: wire.addresses() }
  tellStarter(ready)
  compileHotCodeSoon()
  const drained = market?.drained.then(() => undefined)
  const lost = await Promise.race([untilAborted(signal), keeper.lost, ...(drained ? [drained] : [])])
  const { total } = miner.server.statistics()
  await market?.close()
  await keeper.close()
  await miner.close()
  // A miner without engine must not go on offering.
  if (lost) throw lost
  run.print(`Ended after ${total.steps} steps, ${(total.computeMs / 1_000).toFixed(1)} s in the engine.`)
  return { type: 'ended', steps: total.steps, computeMs: Math.round(total.computeMs) }
}

interface Serving {
  readonly wire: Wire
  readonly network: Network
  readonly listen: string
  readonly store: ShardStore
  readonly files: SwarmFiles
}

/** Also while it fetches. All of the local network have their models from one disk. */
async function serveShards(
  { home, flags, system }: MineRun,
  { wire, network, listen, store, files }: Serving,
): Promise<ShardService | undefined> {
  if (network.id === LOCAL_NETWORK.id) return undefined
  const { openShardService } = await import('./swarm/shard-service.ts')
  const upBytesPerSecond = bytesPerSecondOf(flags['up-mib-s'])
  const onDamaged = ({ root }: DamagedFile): void => files.repair(root)
  return openShardService(wire, { home: home.path, store, listen, upBytesPerSecond, onDamaged }, system)
}

/** Shards from the disk, or from peers over the miner's own wire. */
function filesOf(
  { home, flags, system, print, emit }: MineRun,
  { network, store, wire }: { readonly network: Network; readonly store: ShardStore; readonly wire: Promise<Wire> },
): SwarmFiles {
  return createSwarmFiles({
    home: home.path,
    isAlone: network.id === LOCAL_NETWORK.id,
    fetcher: async () => {
      const { createModelFetcher } = await import('./swarm/model-fetcher.ts')
      const downBytesPerSecond = bytesPerSecondOf(flags['down-mib-s'])
      return createModelFetcher({ home, network, store, downBytesPerSecond }, { ...system, wire: await wire })
    },
    tell: (label) => createPullTeller(label, { output: process.stderr, emit, clock: system.clock }),
    print,
  })
}

const MIB = 1_048_576

function enginesOf(
  { home, flags, system, createRunner = createWorkerRunner }: MineRun,
  { threads, onStep }: { readonly threads: number; readonly onStep: () => void },
): Engines {
  const createNotedRunner: typeof createWorkerRunner = async (options) => {
    const runner = await createRunner(options)
    const run: typeof runner.run = (batch) => {
      onStep()
      return runner.run(batch)
    }
    return { ...runner, run }
  }
  return createEngines(
    {
      ...{
        home: home.path,
        engine: flags.engine,
        threads,
        createRunner: createNotedRunner,
        cacheBytesMax: flags['cache-mib'] * MIB,
      },
      memoryBytesMax: memoryBytesOf(flags),
    },
    system,
  )
}

async function openAll(
  posts: readonly PostWish[],
  { engines, files, signal }: { readonly engines: Engines; readonly files: ModelFiles; readonly signal: AbortSignal },
): Promise<OpenEngine[]> {
  const open: OpenEngine[] = []
  for (const post of posts) {
    await files.ensure(post, signal)
    open.push(await engines.open(post))
  }
  return open
}

const HOW_TO_EARN =
  'This miner serves for nothing. With `dllm mine --wallet NAME` it takes leases, and their pay goes to that wallet.'

function mayHaveChain(home: Home, { id, genesis }: Network): boolean {
  return id === LOCAL_NETWORK.id ? existsSync(localGenesisFile(home)) : genesis !== undefined
}
