/**
 * A group of the local network as a table for people.
 * @module
 */
import { segmentText } from '../chat/trace.ts'
import { table } from '../table.ts'
import type { DevnetGroup } from './devnet-state.ts'
import type { LocalChain } from './local-chain-state.ts'
import { LOCAL_WALLET } from './local-wallet.ts'

/** `running` tells for each miner whether its process lives; left out: all do. */
export function groupText(group: DevnetGroup, running: readonly boolean[] = []): string {
  const rows = group.miners.map(({ name, pid, addresses, firstSegment, lastSegment, account }, index) => ({
    miner: name,
    pid,
    account: account ?? 'none',
    segments: segmentText(firstSegment, lastSegment),
    state: (running[index] ?? true) ? 'running' : 'gone',
    address: addresses[0]?.replace(/\/p2p\/.*/, '') ?? '',
  }))
  return table(rows)
}

/** Where the miners are paid, and how to see it; empty when they work for nothing. */
export function earningsText({ miners }: DevnetGroup): string {
  if (miners.every(({ account }) => account === undefined)) return ''
  return `\nEach miner is paid into its account of wallet "${LOCAL_WALLET}"; \`dllm earnings\` shows what came.\n`
}

/** The validators of the local network's chain as a table. */
export function chainText({ validators }: LocalChain, running: readonly boolean[] = []): string {
  const rows = validators.map(({ name, pid, addresses }, index) => ({
    validator: name,
    pid,
    state: (running[index] ?? true) ? 'running' : 'gone',
    address: addresses[0]?.replace(/\/p2p\/.*/, '') ?? '',
  }))
  return table(rows)
}
