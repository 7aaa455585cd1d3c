/**
 * What the chain knows of models, for downloads: their names, and the peers of the miners that are placed on them. Lists need a full node; where none of the
 * network runs on this machine, nothing is known, and that is no failure.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import { codeOf, messageOf } from '../../base/error.ts'
import type { Log } from '../../base/ports.ts'
import { createControlAccess } from '../chain/control-access.ts'
import type { ModelView } from '../chain/market-access.ts'
import { chainOf, networkView } from '../chain/network-chain.ts'
import type { Home } from '../home.ts'
import type { Network } from '../networks.ts'
import { findRunningNode } from '../node/node-folders.ts'
import { type PlacedPeers, placedPeersOf } from './find-peers.ts'

export interface ChainRegistry {
  models(signal: AbortSignal): Promise<readonly ModelView[]>
  readonly placed: PlacedPeers
}

/** Looks for a node anew at each question, since nodes come and go. */
export function createChainRegistry(home: Home, network: Network, { log }: { readonly log: Log }): ChainRegistry {
  async function ask<Value>(
    signal: AbortSignal,
    question: (access: ReturnType<typeof createControlAccess>) => Promise<readonly Value[]>,
  ): Promise<readonly Value[]> {
    try {
      const chain = await chainOf(home, network)
      const node = await findRunningNode(home, chain.networkId)
      if (node === undefined) return []
      const access = createControlAccess(node, networkView(chain))
      try {
        return await question(access)
      } finally {
        await access.close()
      }
    } catch (error) {
      signal.throwIfAborted()
      log.write('debug', 'swarm.no_chain', { code: codeOf(error), why: messageOf(error) })
      return []
    }
  }
  return {
    models: (signal) => ask(signal, ({ market }) => market.models(signal)),
    placed: (model, signal) => ask(signal, (access) => placedPeersOf(access)(model, signal)),
  }
}
