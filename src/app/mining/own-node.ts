/**
 * The full node that mining for pay needs on this machine: one that runs, or one that is started in the background, waited for until it has
 * caught up, and ended with the miner. Spec: docs/spec/cli.md §10.
 * @module
 */
import { statSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { milliseconds } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import type { ChainAccess, NodeStatusView } from '../chain/chain-access.ts'
import { createControlAccess } from '../chain/control-access.ts'
import { chainOf, type NetworkChain, networkView } from '../chain/network-chain.ts'
import { openChain } from '../chain/open-chain.ts'
import { endProcesses, inTime, isRunning, logWords, startProcess } from '../devnet/process.ts'
import { type Home, writeFileAtomic } from '../home.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { findRunningNode } from '../node/node-folders.ts'
import type { NodeReady } from '../node/run-node.ts'
import type { System } from '../system.ts'
import { createLastingChain } from './lasting-chain.ts'

export class OwnNodeError extends HouseError<'MINING_NODE_FAILED'> {}

export interface OwnNodeWish {
  readonly home: Home
  readonly network: Network
  /** The miner's: its node is called NAME-node. */
  readonly name: string
  readonly system: System
  readonly signal: AbortSignal
  /** For people. */
  readonly note: (text: string) => void
}

export interface OwnNode {
  readonly chain: ChainAccess
  /** Ends the node, if it was started for this miner. */
  close(): Promise<void>
}

/** Between two looks at a node that catches up, and between two words about it. */
const LOOK_MS = milliseconds(500)
const TELL_MS = 10_000
/** A newest block of this age is one of now. */
const FRESH_MS = 30_000
/** A node that has not found peers yet does not know that it is behind; a chain that stands still has no fresh block. */
const PATIENCE_MS = 20_000

/** @throws NetworkChainError NETWORK_NO_CHAIN, OpenChainError NO_NODE (local network), OwnNodeError MINING_NODE_FAILED. */
export async function openOwnNode(wish: OwnNodeWish): Promise<OwnNode> {
  const { home, network } = wish
  if (network.id === LOCAL_NETWORK.id) {
    // Its nodes are those of `dllm devnet`.
    const open = (): Promise<ChainAccess> => openChain(wish, async () => undefined)
    const chain = createLastingChain(await open(), open)
    return { chain, close: () => chain.close() }
  }
  const known = await chainOf(home, network)
  const running = await findNode(wish, known)
  const started = running === undefined ? await startNode(wish) : await leftOver(wish)
  const reopen = async (): Promise<ChainAccess> =>
    (await findNode(wish, known)) ?? openChain(wish, async () => undefined)
  try {
    const chain = createLastingChain(running ?? (await reopen()), reopen)
    if (running === undefined) await untilCaughtUp(chain, wish)
    return {
      chain,
      async close() {
        await chain.close()
        await started?.end()
      },
    }
  } catch (error) {
    await started?.end()
    throw error
  }
}

async function findNode({ home }: OwnNodeWish, known: NetworkChain): Promise<ChainAccess | undefined> {
  const node = await findRunningNode(home, known.networkId)
  return node && createControlAccess(node, networkView(known))
}

interface StartedNode {
  end(): Promise<void>
}

/** In `mining/NAME/`: the pid of the node that was started for the miner. */
const PID_FILE = 'node.pid'

/** A node that a killed miner of this name has left. */
async function leftOver({ home, name, system }: OwnNodeWish): Promise<StartedNode | undefined> {
  const pid = Number(await readFile(home.file('mining', name, PID_FILE), 'utf8').catch(() => '0'))
  const mark = nodeNameOf(name)
  return (await isRunning(pid, mark)) ? { end: () => endNode({ home, name, system }, pid) } : undefined
}

function nodeNameOf(name: string): string {
  return `${name}-node`
}

async function endNode(
  { home, name, system }: Pick<OwnNodeWish, 'home' | 'name' | 'system'>,
  pid: number,
): Promise<void> {
  await endProcesses([{ pid, mark: nodeNameOf(name) }], system)
  await rm(home.file('mining', name, PID_FILE), { force: true })
}

async function startNode(wish: OwnNodeWish): Promise<StartedNode> {
  const { home, network, name, system, note } = wish
  const nodeName = nodeNameOf(name)
  await home.folder('logs')
  const logFile = home.file('logs', `${nodeName}.log`)
  const logStart = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  note(
    `No node of the network ${network.id} runs here. Starting one, which ends with this miner: \`dllm node --network ${network.id} --name ${nodeName}\`. Its log is ${logFile}.`,
  )
  const args = ['node', '--home', home.path, '--network', network.id, '--name', nodeName]
  const { pid, ready } = startProcess<NodeReady>(args, logFile)
  const end = (): Promise<void> => endNode(wish, pid)
  try {
    await writeFileAtomic(home.file('mining', name, PID_FILE), String(pid))
    await inTime(ready, system.clock)
    return { end }
  } catch (error) {
    await end()
    const words = await logWords({ logFile, logStart }, error)
    const message = `The node for this miner did not start: ${words} Its log is ${logFile}. Or start it yourself: \`dllm node --network ${network.id}\`.`
    throw new OwnNodeError('MINING_NODE_FAILED', message, { details: { logFile } })
  }
}

async function untilCaughtUp(chain: ChainAccess, { system: { clock }, signal, note }: OwnNodeWish): Promise<void> {
  const beganMs = clock.now()
  let toldMs = beganMs
  for (;;) {
    const status = await chain.nodeStatus?.(signal)
    if (status === undefined || hasCaughtUp(status, { nowMs: clock.wallMs(), waitedMs: clock.now() - beganMs })) return
    if (clock.now() - toldMs > TELL_MS) {
      toldMs = clock.now()
      note(`The node catches up: block ${status.height}, ${status.peers} peers.`)
    }
    await clock.sleep(LOOK_MS, signal)
  }
}

/** Whether what the node says is of now, as far as it can know. */
export function hasCaughtUp(
  { syncing, timeMs, peers }: Pick<NodeStatusView, 'syncing' | 'timeMs' | 'peers'>,
  { nowMs, waitedMs }: { readonly nowMs: number; readonly waitedMs: number },
): boolean {
  if (syncing) return false
  return nowMs - timeMs < FRESH_MS || (peers > 0 && waitedMs > PATIENCE_MS)
}
