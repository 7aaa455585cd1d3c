/**
 * The state of a network as a client sees it: the route that it would take now and what each of its miners says of
 * its own work.
 * @module
 */
import type { StageStatistics } from '../net/protocols/statistics.ts'
import { type ChainStatus, chainStatusText, findChainStatus } from './chain/chain-status.ts'
import { segmentText, shortPeer } from './chat/trace.ts'
import { createClient } from './client.ts'
import { loadConfig } from './config.ts'
import { DevnetError, type DevnetGroup, readGroup } from './devnet/devnet-state.ts'
import { isRunning } from './devnet/process.ts'
import type { Home } from './home.ts'
import { openModelStore } from './model-store.ts'
import { LOCAL_NETWORK, loadNetwork, type Network } from './networks.ts'
import { shortestPing } from './ring/offer-routes.ts'
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
  readonly hash: string
  /** Peers that answered. */
  readonly peers: number
  readonly expectedStepMs: number
  readonly stages: readonly StageStatus[]
  readonly chain: ChainStatus
}

export interface StatusQuery {
  readonly home: Home
  readonly flags: { readonly network: string | undefined; readonly model?: string | undefined }
  readonly signal: AbortSignal
}

/** Throws DEVNET_NOT_RUNNING or RING_NO_ROUTE when there is nothing to show. */
export async function findStatus(query: StatusQuery, ports: System): Promise<NetworkStatus> {
  const { home, flags, signal } = query
  const { settings } = await loadConfig({
    home,
    env: process.env,
    flags: { network: flags.network, model: flags.model },
  })
  const model = openModelStore({ home: home.path }).find(settings.model)
  const { network, group } = await withLocalPeers(home, await loadNetwork(home, settings.network), settings.model)
  // Beside the route: either may have to look for peers.
  const findingChain = findChainStatus({ home, network, system: ports, signal })
  const client = await createClient(network, ports)
  try {
    const asked = await client.directory.refresh(query.signal)
    const route = await client.routes.findRoute(model.hash, query.signal)
    const stages = await Promise.all(
      route.stages.map(async ({ peer, firstSegment, lastSegment }, index): Promise<StageStatus> => {
        const offer = client.book.ofModel(model.hash).find((one) => one.peer === peer)
        const status = asked.find((one: Asked) => one.peer === peer)?.status
        return {
          stage: index + 1,
          peer,
          pid: group?.miners.find((miner) => miner.peer === peer)?.pid,
          segments: segmentText(firstSegment, lastSegment),
          device: offer?.device ?? '',
          sessions: status?.sessions ?? 0,
          offeredStepMs: (offer?.stepMicros ?? 0) / 1_000,
          roundTripMs: await shortestPing(client.wire, peer, query.signal),
          latest: status?.latest ?? NO_STATISTICS,
          total: status?.total ?? NO_STATISTICS,
        }
      }),
    )
    const { name: modelName } = model.manifest
    const { expectedStepMs } = route
    const chain = await findingChain
    return {
      network: network.id,
      model: modelName,
      hash: model.hash,
      peers: asked.length,
      expectedStepMs,
      stages,
      chain,
    }
  } finally {
    await client.close()
    await findingChain.catch(() => undefined)
  }
}

/** The local network begins with the addresses of its own processes. */
async function withLocalPeers(
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
    `${status.expectedStepMs.toFixed(1)} ms per token expected.\n`
  const sessions = status.stages.reduce((most, stage) => Math.max(most, stage.sessions), 0)
  const foot = `Steps, ms and bytes are of the latest session; ${sessions === 0 ? 'none is' : `${sessions} are`} open now.\n`
  return head + table(rows) + foot + chainStatusText(status.chain, nowMs)
}
