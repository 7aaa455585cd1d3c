/**
 * The chain of a network for a command: a full node that runs on this machine, else a light client.
 * Spec: docs/spec/cli.md §5.
 * @module
 */
import { HouseError } from '../../base/error.ts'
import { untilChainStarted } from '../devnet/chain-starter.ts'
import type { Home } from '../home.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { findRunningNode } from '../node/node-folders.ts'
import type { System } from '../system.ts'
import type { ChainAccess } from './chain-access.ts'
import { createControlAccess } from './control-access.ts'
import { chainOf, type NetworkChain, networkView } from './network-chain.ts'

export class OpenChainError extends HouseError<'NO_NODE'> {}

export interface ChainToOpen {
  readonly home: Home
  readonly network: Network
  readonly system: System
  readonly signal: AbortSignal
  /** Told to people when something takes a moment. */
  readonly note?: ((text: string) => void) | undefined
}

/** A light client of the chain; undefined when there is nobody to ask. */
export type OpenLight = (chain: NetworkChain, toOpen: ChainToOpen) => Promise<ChainAccess | undefined>

/**
 * The caller closes it. A chain of the local network that is being started is waited for. `openLight`: how to do without a node
 * of our own.
 * @throws OpenChainError NO_NODE; NetworkChainError NETWORK_NO_CHAIN; GenesisError.
 */
export async function openChain(toOpen: ChainToOpen, openLight: OpenLight = openRealLight): Promise<ChainAccess> {
  const { home, network, signal, system, note } = toOpen
  const isStarting = network.id === LOCAL_NETWORK.id && !(await untilChainStarted({ home, ...system, signal, note }))
  if (isStarting) throw stillStarting(home)
  const chain = await chainOf(home, network)
  const node = await findRunningNode(home, chain.networkId)
  signal.throwIfAborted()
  if (node !== undefined) return createControlAccess(node, networkView(chain))
  const light = await openLight(chain, toOpen)
  if (light !== undefined) return light
  throw noNode(network.id)
}

/** Loads the network's libraries, which a node of our own makes needless. */
async function openRealLight(chain: NetworkChain, toOpen: ChainToOpen): Promise<ChainAccess | undefined> {
  const { openLight } = await import('../light/open-light.ts')
  return openLight(chain, toOpen)
}

function stillStarting(home: Home): OpenChainError {
  const message = `The chain of the local network is still starting. Try again in a moment; \`dllm devnet status\` shows its processes, and ${home.file('devnet', 'logs')} has what they say.`
  return new OpenChainError('NO_NODE', message, { details: { network: LOCAL_NETWORK.id } })
}

function noNode(id: string): OpenChainError {
  const start =
    id === LOCAL_NETWORK.id
      ? 'Start the local network with `dllm devnet up`.'
      : `Start one with \`dllm node --network ${id}\`.`
  const message = `No node of the network ${id} runs on this machine, and none of its addresses answers. ${start}`
  return new OpenChainError('NO_NODE', message, { details: { network: id } })
}
