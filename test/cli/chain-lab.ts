/**
 * A network made by `dllm network create` in a data folder of its own, its validators as processes, and calls to them through
 * their control servers.
 */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { vi } from 'vitest'
import type { HoldingsView, NodeStatusView } from '../../src/app/chain/chain-access.ts'
import type { ChainMethods } from '../../src/app/chain/chain-methods.ts'
import { chainOf } from '../../src/app/chain/network-chain.ts'
import { type ConnectedNode, connectToNode } from '../../src/app/control/connect.ts'
import type { ControlClient } from '../../src/app/control/control-client.ts'
import { openHome } from '../../src/app/home.ts'
import { loadNetwork } from '../../src/app/networks.ts'
import type { OpenWallet } from '../../src/app/wallet.ts'
import type { Hash } from '../../src/base/brand.ts'
import { makeWallet, passwordFileOf } from './cheap-wallet.ts'
import type { Dllm, Started } from './dllm.ts'

export const NETWORK = 'lab'
/** Rounds as short as loopback and two busy cores allow; a pause after each block, since a block costs a twentieth of a second of a core and most are empty. */
export const TIMEOUTS: readonly string[] = ['proposeMs=800', 'voteMs=300', 'roundMs=100', 'commitMs=500']

export interface Lab {
  readonly networkId: Hash
  readonly wallet: OpenWallet
  readonly names: readonly string[]
}

/** A wallet, and a network of so many validators called lab-1, lab-2 …, on ports that nobody uses now. */
export async function createLab(
  dllm: Dllm,
  validators: number,
  parameters: readonly string[] = TIMEOUTS,
  more: readonly string[] = [],
): Promise<Lab> {
  const wallet = await makeWallet(dllm)
  const password = ['--password-file', passwordFileOf(dllm)]
  const port = String(await freePorts(validators))
  const settings = parameters.flatMap((parameter) => ['--parameter', parameter])
  const counted = ['--validators', String(validators)]
  const created = await dllm.json<{ networkId: Hash; nodes: { name: string }[] }>([
    ...['network', 'create', NETWORK, '--port', port],
    ...counted,
    ...settings,
    ...more,
    ...password,
  ])
  return { networkId: created.networkId, wallet, names: created.nodes.map(({ name }) => name) }
}

export function startNode(dllm: Dllm, name: string, more: readonly string[] = []): Started {
  return dllm.start(['node', '--network', NETWORK, '--name', name, '--json', ...more])
}

/** Resolves once the node answers. */
export async function readyNode(dllm: Dllm, name: string, node: Started): Promise<ConnectedNode<ChainMethods>> {
  await node.printed(/"type":"started"/)
  return connectToNode<ChainMethods>(join(dllm.home, 'nodes', name))
}

/** Ends it as a power cut of the process would, and resolves when it is gone. */
export async function kill(node: Started): Promise<void> {
  node.child.kill('SIGKILL')
  await node.ended
}

/** What a test of this network signs and reads with. */
export async function labChain(dllm: Dllm) {
  const home = await openHome({ path: dllm.home })
  return chainOf(home, await loadNetwork(home, NETWORK))
}

export async function statusOf(client: ControlClient<ChainMethods>): Promise<NodeStatusView> {
  return client.call('dllm_nodeStatus', {})
}

/** Resolves with the status once it is as wanted. */
export async function untilStatus(
  client: ControlClient<ChainMethods>,
  isWanted: (status: NodeStatusView) => boolean,
): Promise<NodeStatusView> {
  return vi.waitUntil(
    async () => {
      const status = await statusOf(client)
      return isWanted(status) && status
    },
    { timeout: 40_000, interval: 50 },
  )
}

/** Every page of what holds grains at a height. */
export async function allHoldings(client: ControlClient<ChainMethods>, height: number): Promise<HoldingsView> {
  let page = await client.call('dllm_holdings', { height })
  const holdings = [...page.holdings]
  while (page.next !== undefined) {
    page = await client.call('dllm_holdings', { height, from: page.next })
    holdings.push(...page.holdings)
  }
  return { ...page, holdings }
}

/** Grains that somebody or something holds. */
export function sumOf({ holdings }: HoldingsView): bigint {
  return holdings.reduce((sum, { amount }) => sum + BigInt(amount), 0n)
}

/** Grains that there should be. */
export function expectedOf({ supply: { genesis, issued, burnt } }: HoldingsView): bigint {
  return BigInt(genesis) + BigInt(issued) - BigInt(burnt)
}

/** The first of `count` ports in a row that can be listened on, below those that the system gives out itself. */
async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 15_000 + Math.floor(Math.random() * 15_000)
    const ports = Array.from({ length: count }, (_, index) => first + index)
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
