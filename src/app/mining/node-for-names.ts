/**
 * A full node for whoever mines for pay and names a model that is not here: the chain knows models by their names and who is placed on them, and only a full
 * node can list them. It goes on running: mining finds it, and ends it.
 * Spec: docs/spec/cli.md §10, docs/spec/shards.md §7.
 * @module
 */
import type { Home } from '../home.ts'
import { openModelStore } from '../model-store.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { findHere } from '../swarm/named-models.ts'
import type { System } from '../system.ts'
import { openOwnNode } from './own-node.ts'

export interface NamesToAsk {
  readonly home: Home
  readonly network: Network
  /** Of the miner. */
  readonly name: string
  /** Names or hashes. */
  readonly models: readonly string[]
  readonly system: System
  readonly signal: AbortSignal
  readonly print: (line: string) => void
}

/** Does `work` while a full node runs, where a model is not here and the network has a chain; else as it is. @throws as openOwnNode, and what the work throws. */
export async function withNodeForNames<Value>(names: NamesToAsk, work: () => Promise<Value>): Promise<Value> {
  const { home, network, name, models, system, signal, print } = names
  const store = openModelStore({ home: home.path })
  const isHere = models.every((text) => findHere(text, store) !== undefined)
  if (isHere || network.id === LOCAL_NETWORK.id || network.genesis === undefined) return work()
  const node = await openOwnNode({ home, network, name, system, signal, note: print })
  try {
    const value = await work()
    await node.chain.close()
    return value
  } catch (error) {
    await node.close()
    throw error
  }
}
