/**
 * A running network of validators, and what is seen of it while users send at a given pace.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { createDelayedHosts } from '../lab/delayed-hosts.ts'
import {
  type BenchNetwork,
  type BenchNetworkOptions,
  createBenchNetwork,
  type NodeProcess,
  nodeName,
  startNode,
} from './bench-network.ts'
import type { LoopDelay } from './probe.ts'
import type { UserSeen } from './user.ts'
import { startUsers } from './users.ts'

export interface LiveOptions extends Omit<BenchNetworkOptions, 'hosts'> {
  /** Between any two nodes; undefined: loopback. */
  readonly oneWayMs?: number | undefined
}

export interface Live {
  readonly network: BenchNetwork
  readonly nodes: readonly NodeProcess[]
}

export interface Watched {
  readonly users: readonly UserSeen[]
  /** Made final while it was watched. */
  readonly blocks: number
  /** How long it was watched. */
  readonly ms: number
  /** Per validator. */
  readonly cpuMsPerBlock: readonly number[]
  readonly sentBytesPerBlock: readonly number[]
  readonly rssMiB: readonly number[]
  readonly loopDelay: readonly LoopDelay[]
}

/** Blocks before a measure begins: connections, meshes and the first compilations are done. */
const WARM_UP_BLOCKS = 8
/** Per validator: all start on the cores of one machine. */
const WARM_UP_MS = 20_000

/** Starts the validators, waits until they have made some blocks, calls `work`, and ends them. */
export async function withLive<Value>(
  bench: Bench,
  options: LiveOptions,
  work: (live: Live) => Promise<Value>,
): Promise<Value> {
  const { validators, oneWayMs } = options
  const home = await bench.newHome({ sharesModels: false })
  const hosts =
    oneWayMs === undefined ? undefined : await createDelayedHosts({ count: validators, oneWayMs, folder: home.path })
  const nodes: NodeProcess[] = []
  try {
    const network = await createBenchNetwork({ ...options, hosts }, { home, system: bench.system })
    const starts = Array.from({ length: validators }, (_, index) =>
      startNode(network, { name: nodeName(index), index }),
    )
    for (const start of await Promise.allSettled(starts)) if (start.status === 'fulfilled') nodes.push(start.value)
    await Promise.all(starts)
    await warmUp(nodes)
    return await work({ network, nodes })
  } finally {
    await Promise.all(nodes.map((node) => node.stop()))
    await hosts?.remove()
  }
}

function warmUp(nodes: readonly NodeProcess[]): Promise<void> {
  const warmUpMs = nodes.length * WARM_UP_MS
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the network makes no blocks')), warmUpMs)
    nodes[0]!.onEvent(({ type, height = 0 }) => {
      if (type !== 'block' || height < WARM_UP_BLOCKS) return
      clearTimeout(late)
      resolve()
    })
  })
}

/** `users`: how many, each beside a validator of its own. */
export async function watchLive(
  { network, nodes }: Live,
  plan: {
    readonly users: number
    readonly senders: number
    readonly perSecond: number
    readonly seconds: number
    readonly first?: number
  },
): Promise<Watched> {
  const beside = nodes.slice(0, plan.users).map((node, index) => ({ node, index }))
  const users = await startUsers(network, beside, plan)
  try {
    // What signing and starting cost is over.
    await sleep(SETTLE_MS)
    await Promise.all(nodes.map((node) => node.loopDelay()))
    const before = nodes.map((node) => node.usage())
    const startedMs = performance.now()
    const seen = await users.run()
    const ms = performance.now() - startedMs
    const after = nodes.map((node) => node.usage())
    const loopDelay = await Promise.all(nodes.map((node) => node.loopDelay()))
    const blocks = seen[0]!.blocks.length
    const perBlock = (of: 'cpuMs' | 'sentBytes'): number[] =>
      nodes.map((_, index) => (after[index]![of] - before[index]![of]) / blocks)
    return {
      ...{ users: seen, blocks, ms, loopDelay },
      ...{ cpuMsPerBlock: perBlock('cpuMs'), sentBytesPerBlock: perBlock('sentBytes') },
      rssMiB: after.map(({ rssMiB }) => rssMiB),
    }
  } finally {
    users.stop()
  }
}

const SETTLE_MS = 1_000
