/**
 * The state of a network as a client sees it: its chain, the route that it would take now, and what each of its miners
 * says of its own work. A network may have one without the other.
 * Spec: docs/spec/cli.md §8.
 * @module
 */
import { HouseError } from '../base/error.ts'
import type { StageStatistics } from '../net/protocols/statistics.ts'
import { type ChainStatus, chainStatusText, findChainStatus } from './chain/chain-status.ts'
import { wrapped } from './chain/text-parts.ts'
import { segmentText, shortPeer } from './chat/trace.ts'
import { type Client, createClient } from './client.ts'
import { loadConfig } from './config.ts'
import { DevnetError, type DevnetGroup, readGroup } from './devnet/devnet-state.ts'
import { isRunning } from './devnet/process.ts'
import type { Home } from './home.ts'
import { openModelStore, type StoredModel } from './model-store.ts'
import { LOCAL_NETWORK, loadNetwork, type Network } from './networks.ts'
import { sameRun } from './posts/post.ts'
import { shortestPing } from './ring/offer-routes.ts'
import type { Route } from './ring/route.ts'
import { NO_STATISTICS } from './ring/stage-meter.ts'
import type { Asked } from './status-service.ts'
import type { System } from './system.ts'
import { formatBytes, table } from './table.ts'

export interface StageStatus {
  readonly stage: number
  readonly peer: string
  /** Process on this machine, for miners of the local network. */
  readonly pid: number | undefined
  readonly segments: string
  readonly device: string
  readonly sessions: number
  /** Measured by the miner when it started. */
  readonly offeredStepMs: number
  /** Undefined: it did not answer. */
  readonly roundTripMs: number
  /** The latest session, and all of them. */
  readonly latest: StageStatistics
  readonly total: StageStatistics
}

export interface NetworkStatus {
  readonly network: string
  readonly model: string
  /** Of the model's manifest. */
  readonly hash: string
  /** Peers that answered. */
  readonly peers: number
  /** Of a ring. */
  readonly expectedStepMs?: number
  /** Empty: there is no ring. */
  readonly stages: readonly StageStatus[]
  /** Why there is no ring. */
  readonly noRing?: { readonly code: string; readonly message: string }
  readonly chain: ChainStatus
}

export interface StatusQuery {
  readonly home: Home
  readonly flags: { readonly network: string | undefined; readonly model?: string | undefined }
  readonly signal: AbortSignal
  readonly note?: (text: string) => void
}

/** What is there. @throws why there is no ring (DEVNET_NOT_RUNNING, RING_NO_ROUTE), where there is no chain either. */
export async function findStatus(query: StatusQuery, ports: System): Promise<NetworkStatus> {
  const { home, flags, signal, note } = query
  const { settings } = await loadConfig({
    home,
    env: process.env,
    flags: { network: flags.network, model: flags.model },
  })
  const model = openModelStore({ home: home.path }).find(settings.model)
  const network = await loadNetwork(home, settings.network)
  // One after the other: a node would count the other question's connection among its peers.
  const chain = await findChainStatus({ home, network, system: ports, signal, note })
  const named = { network: network.id, model: model.manifest.name, hash: model.hash }
  try {
    return { ...named, ...(await findRing({ home, network, model, signal }, ports)), chain }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof HouseError) || chain.type === 'none') throw error
    return { ...named, peers: 0, stages: [], noRing: { code: error.code, message: error.message }, chain }
  }
}

interface RingQuery {
  readonly home: Home
  readonly network: Network
  readonly model: StoredModel
  readonly signal: AbortSignal
}

/** @throws DevnetError DEVNET_NOT_RUNNING, RingError RING_NO_ROUTE. */
async function findRing(
  query: RingQuery,
  ports: System,
): Promise<Pick<NetworkStatus, 'peers' | 'expectedStepMs' | 'stages'>> {
  const { home, model, signal } = query
  const { network, group } = await withLocalPeers(home, query.network, model.manifest.name)
  const client = await createClient(network, ports)
  try {
    const { stages, expectedStepMs } = await client.routes.findRoute(model.hash, signal)
    // Afterwards: until then only those to begin with are known, and not those they tell of.
    const asked = await client.directory.refresh(signal)
    const views = stages.map((place, index) =>
      stageStatus({ ...place, index }, { client, model, asked, group, signal }),
    )
    return { peers: asked.length, expectedStepMs, stages: await Promise.all(views) }
  } finally {
    await client.close()
  }
}

interface StageContext {
  readonly client: Client
  readonly model: StoredModel
  readonly asked: readonly Asked[]
  readonly group: DevnetGroup | undefined
  readonly signal: AbortSignal
}

async function stageStatus(
  { peer, firstSegment, lastSegment, index }: Route['stages'][number] & { readonly index: number },
  { client, model, asked, group, signal }: StageContext,
): Promise<StageStatus> {
  const its = client.book.ofModel(model.hash).filter((one) => one.peer === peer)
  const offer = its.find((one) => sameRun(one, { firstSegment, lastSegment })) ?? its[0]
  const status = asked.find((one) => one.peer === peer)?.status
  return {
    stage: index + 1,
    peer,
    pid: group?.miners.find((miner) => miner.peer === peer)?.pid,
    segments: segmentText(firstSegment, lastSegment),
    device: offer?.device ?? '',
    sessions: status?.sessions ?? 0,
    offeredStepMs: (offer?.stepMicros ?? 0) / 1_000,
    roundTripMs: await shortestPing(client.wire, peer, signal),
    latest: status?.latest ?? NO_STATISTICS,
    total: status?.total ?? NO_STATISTICS,
  }
}

/** The local network begins with the addresses of its own processes. @throws DevnetError DEVNET_NOT_RUNNING. */
export async function withLocalPeers(
  home: Home,
  network: Network,
  model: string,
): Promise<{ network: Network; group: DevnetGroup | undefined }> {
  if (network.id !== LOCAL_NETWORK.id) return { network, group: undefined }
  const group = await readGroup(home, model)
  if (group === undefined) {
    const message = `The local network does not run for ${model}. \`dllm chat\` or \`dllm devnet up\` starts it.`
    throw new DevnetError('DEVNET_NOT_RUNNING', message, { details: { model } })
  }
  await checkRunning(group)
  const bootstrap = group.miners.flatMap(({ addresses }) => addresses.slice(0, 1))
  return { network: { ...network, bootstrap }, group }
}

async function checkRunning({ miners, model }: DevnetGroup): Promise<void> {
  const running = await Promise.all(miners.map(({ pid, name }) => isRunning(pid, name)))
  const gone = miners.filter((_, index) => !running[index]).map(({ name }) => name)
  if (gone.length === 0) return
  const message = `Of the local network for ${model}, ${gone.join(', ')} ended. \`dllm chat\` or \`dllm devnet up\` starts what is missing.`
  throw new DevnetError('DEVNET_NOT_RUNNING', message, { details: { model, gone: gone.join(' ') } })
}

/** `nowMs`: Unix time. */
export function statusText(status: NetworkStatus, nowMs: number): string {
  const chain = chainStatusText(status.chain, nowMs)
  if (status.noRing === undefined) return `${ringText(status)}\n${chain}`
  return `Network ${status.network}, model ${status.model}.\n${wrapped(status.noRing.message)}\n\n${chain}`
}

function ringText(status: NetworkStatus): string {
  const rows = status.stages.map((stage) => ({
    '#': stage.stage,
    peer: shortPeer(stage.peer),
    pid: stage.pid ?? '–',
    segments: stage.segments,
    device: stage.device,
    'rtt ms': stage.roundTripMs.toFixed(1),
    steps: stage.latest.steps,
    'ms/step': stage.latest.steps === 0 ? '–' : (stage.latest.computeMs / stage.latest.steps).toFixed(2),
    in: formatBytes(stage.latest.bytesReceived),
    out: formatBytes(stage.latest.bytesSent),
  }))
  const head =
    `Network ${status.network}, model ${status.model}: a ring of ${status.stages.length}, ` +
    `${(status.expectedStepMs ?? 0).toFixed(1)} ms per token expected.\n`
  const sessions = status.stages.reduce((most, stage) => Math.max(most, stage.sessions), 0)
  const { drafts, draftsKept, recalled } = status.stages[0]?.latest ?? NO_STATISTICS
  const guessed = drafts === 0 ? '' : ` Of ${drafts} drafts, ${draftsKept} were right.`
  const known = recalled === 0 ? '' : ` Stage 1 had ${recalled} rows already.`
  const foot = `Steps, ms and bytes are of the latest session; ${openText(sessions)} open now.${guessed}${known}\n`
  return head + table(rows) + foot
}

function openText(sessions: number): string {
  if (sessions === 0) return 'none is'
  return sessions === 1 ? 'one is' : `${sessions} are`
}
