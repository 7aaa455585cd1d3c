/**
 * What the chain knows of models, for downloads: their names, and the peers of the miners that are placed on them. Lists need a full node; where none of the
 * network runs on this machine, models of one name are proved by a light client, and of placements nothing is known. That nobody answers is no failure.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import { codeOf, messageOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { Wire } from '../../net/wire.ts'
import { createControlAccess } from '../chain/control-access.ts'
import type { ModelView } from '../chain/market-access.ts'
import { chainOf, type NetworkChain, networkView } from '../chain/network-chain.ts'
import type { Home } from '../home.ts'
import type { Network } from '../networks.ts'
import { findRunningNode } from '../node/node-folders.ts'
import { type PlacedPeers, placedPeersOf } from './find-peers.ts'
import { depositsBehind, type NamedModel, type StandingModel } from './same-name.ts'

export interface ChainRegistry {
  /** Of this name at least; of a full node all. */
  models(name: string, signal: AbortSignal): Promise<readonly ModelView[]>
  /** With what miners have deposited behind each: only a full node has the lists for that. */
  standing(models: readonly NamedModel[], signal: AbortSignal): Promise<readonly StandingModel[]>
  readonly placed: PlacedPeers
}

export interface RegistryPorts {
  readonly wire: Wire
  readonly clock: Clock
  readonly log: Log
}

/** Looks for a node anew at each question, since nodes come and go. */
export function createChainRegistry(home: Home, network: Network, ports: RegistryPorts): ChainRegistry {
  const { log } = ports
  async function ask<Value>(
    signal: AbortSignal,
    question: (access: ReturnType<typeof createControlAccess>) => Promise<readonly Value[]>,
    withoutNode: (chain: NetworkChain) => Promise<readonly Value[]> = async () => [],
  ): Promise<readonly Value[]> {
    try {
      const chain = await chainOf(home, network)
      const node = await findRunningNode(home, chain.networkId)
      if (node === undefined) return await withoutNode(chain)
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
  const proved = async (chain: NetworkChain, name: string, signal: AbortSignal): Promise<readonly ModelView[]> => {
    const [{ openLightService }, { modelsNamed }] = await Promise.all([
      import('../light/open-light.ts'),
      import('../light/named-models.ts'),
    ])
    const { wire } = ports
    await Promise.allSettled(network.bootstrap.map((address) => wire.connect(address, signal)))
    const service = await openLightService(chain, { home, system: ports, signal, wire })
    return modelsNamed({ service, kind: networkView(chain).kind }, name, signal)
  }
  return {
    models: (name, signal) =>
      ask(
        signal,
        ({ market }) => market.models(signal),
        (chain) => proved(chain, name, signal),
      ),
    async standing(models, signal) {
      const behind = await ask(signal, async ({ market }) => {
        const deposits: bigint[] = []
        for (const { model } of models) {
          const [{ segments }, placements] = await Promise.all([
            market.model(model, signal),
            market.placements(model, signal),
          ])
          deposits.push(depositsBehind(segments.length, placements))
        }
        return deposits
      })
      return models.map((model, index) => ({ ...model, behind: behind[index] }))
    },
    placed: (model, signal) => ask(signal, (access) => placedPeersOf(access)(model, signal)),
  }
}
