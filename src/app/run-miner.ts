/**
 * The mine command's work: identity, market, engine, wire, miner; then waiting until it is told to end.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { EngineName } from '../ml/engine/engine.ts'
import { leaveSoon, lockNode, tellStarter, untilAborted, withBootstrap } from './background.ts'
import { UsageError } from './base-command.ts'
import { localGenesisFile } from './chain/genesis-text.ts'
import { segmentText } from './chat/trace.ts'
import { loadConfig } from './config.ts'
import type { MinerReady } from './devnet/devnet.ts'
import { createEngineHost } from './engine-host.ts'
import type { Home } from './home.ts'
import { createMiner, type Miner } from './miner.ts'
import { type JoinedMarket, joinMarket, type MarketToJoin } from './mining/join-market.ts'
import { type MarketFlags, requireWalletFor } from './mining/mining-flags.ts'
import { openModelStore, type StoredModel } from './model-store.ts'
import { LOCAL_NETWORK, loadNetwork, type Network } from './networks.ts'
import { loadNodeIdentity, type NodeIdentity } from './node-identity.ts'
import type { System } from './system.ts'
import { formatBytes } from './table.ts'
import { createWorkerRunner } from './worker-runner.ts'

export interface MineFlags extends MarketFlags {
  readonly model?: string | undefined
  readonly network?: string | undefined
  readonly segments?: string | undefined
  readonly threads?: number | undefined
  readonly engine: EngineName
  readonly listen?: string | undefined
  readonly bootstrap?: string[] | undefined
  readonly name: string
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
  readonly createRunner?: typeof createWorkerRunner
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
    flags: { network: flags.network, model: flags.model, listen: flags.listen },
  })
  const network = withBootstrap(await loadNetwork(home, settings.network), flags.bootstrap ?? [])
  const model = openModelStore({ home: home.path }).find(settings.model)
  const part = parseSegments(flags.segments, model)
  const threads = (flags.threads ?? settings.threads) || availableParallelism()
  const lock = await lockNode(home, flags.name)
  try {
    return await serve(run, { network, listen: settings.listen, model, part, threads })
  } finally {
    await lock.release()
    leaveSoon(run.system)
  }
}

interface Service {
  readonly network: Network
  readonly listen: string
  readonly model: StoredModel
  readonly part: Part
  readonly threads: number
}

async function serve(run: MineRun, service: Service): Promise<MineResult> {
  const { home, flags, system, signal } = run
  const identity = await loadNodeIdentity(home.file('nodes', `${flags.name}.key`), system.random)
  const { network, model, part } = service
  if (run.openKeys === undefined) {
    if (mayHaveChain(home, network)) run.print(HOW_TO_EARN)
    return serveWith(run, { ...service, identity, market: undefined })
  }
  const { openKeys, print, emit } = run
  const market = await joinMarket(
    { home, flags, network, identity, model, ...part, openKeys, signal, print, emit },
    system,
  )
  try {
    return await serveWith(run, { ...service, identity, market })
  } finally {
    await market.close()
  }
}

async function serveWith(
  run: MineRun,
  {
    network,
    listen,
    model,
    part,
    threads,
    identity,
    market,
  }: Service & { readonly identity: NodeIdentity; readonly market: JoinedMarket | undefined },
): Promise<MineResult> {
  const { home, flags, system, createRunner = createWorkerRunner } = run
  const { createLibp2pWire } = await import('../net/libp2p-wire.ts')
  const { id: networkId, bootstrap, mdns, dht } = network
  const wireOptions = { networkId, privateKey: identity.privateKey, listen: [listen], mdns, dht, bootstrap }
  const cacheBytesMax = flags['cache-mib'] * 1_048_576
  // The engine loads in a thread of its own while this one sets up the network.
  const loading = createRunner({ home: home.path, model, ...part, engine: flags.engine, threads, cacheBytesMax })
  loading.catch(() => undefined)
  const wire = await createLibp2pWire(wireOptions, system)
  try {
    const runner = await loading
    const host = createEngineHost(runner, system)
    const device = `${runner.engine} × ${threads}`
    const miner = await createMiner(
      { identity, networkId, bootstrap, model, ...part, host, device, market: market?.desk },
      { wire, ...system },
    )
    announce(run, { miner, model, part, device, weightBytes: host.weightBytes, addresses: wire.addresses() })
    await market?.start({ miner, wire })
    const ready: MinerReady = { peer: wire.peer, addresses: wire.addresses() }
    tellStarter(ready)
    const drained = market?.drained.then(() => undefined)
    const lost = await Promise.race([untilAborted(run.signal), runner.lost, ...(drained ? [drained] : [])])
    const { total } = miner.server.statistics()
    await market?.close()
    await miner.close()
    // A miner without engine must not go on offering.
    if (lost) throw lost
    run.print(`Ended after ${total.steps} steps, ${(total.computeMs / 1_000).toFixed(1)} s in the engine.`)
    return { type: 'ended', steps: total.steps, computeMs: Math.round(total.computeMs) }
  } finally {
    await wire.stop()
  }
}

const HOW_TO_EARN =
  'This miner serves for nothing. With `dllm mine --wallet NAME` it takes leases, and their pay goes to that wallet.'

function mayHaveChain(home: Home, { id, genesis }: Network): boolean {
  return id === LOCAL_NETWORK.id ? existsSync(localGenesisFile(home)) : genesis !== undefined
}

interface Part {
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
}

/** `2-4` or `2`, counted from 1, both ends included; undefined: all. */
function parseSegments(text: string | undefined, model: StoredModel): Part {
  const count = model.manifest.segments.length
  if (text === undefined) return { firstSegment: 0, lastSegment: count }
  const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(text) ?? []
  const part = { firstSegment: Number(first) - 1, lastSegment: Number(last) }
  if (
    first !== undefined &&
    part.firstSegment >= 0 &&
    part.firstSegment < part.lastSegment &&
    part.lastSegment <= count
  ) {
    return part
  }
  const name = model.manifest.name
  throw new UsageError(
    'USAGE',
    `--segments takes a range such as 1-${count} (${name} has ${count} segments), not "${text}".`,
  )
}

function announce(
  { print, emit }: MineRun,
  facts: {
    miner: Miner
    model: StoredModel
    part: Part
    device: string
    weightBytes: number
    addresses: readonly string[]
  },
): void {
  const { miner, model, part, device, weightBytes, addresses } = facts
  const { name, format, segments } = model.manifest
  const stepMs = Number(miner.speed.stepMs.toFixed(2))
  const prefillMs = Number(miner.speed.prefillMs.toFixed(2))
  const noun = part.lastSegment - part.firstSegment === 1 ? 'segment' : 'segments'
  const which = `${noun} ${segmentText(part.firstSegment, part.lastSegment)} of ${segments.length}`
  print(`Serving ${which} of ${name} (${format}, ${formatBytes(weightBytes)}) with ${device}.`)
  print(`One decode step takes ${stepMs} ms, one prompt token ${prefillMs} ms.`)
  for (const address of addresses) print(`Listening on ${address}`)
  print('Ctrl-C ends it.')
  emit({ type: 'serving', model: name, hash: model.hash, ...part, device, stepMs, prefillMs, addresses })
}
