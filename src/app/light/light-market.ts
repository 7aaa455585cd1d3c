/**
 * The market as a light client knows it: single models, miners and leases, each proved. What rests on a list, of which something might be
 * left out, needs a full node. Spec: docs/spec/light-client.md §6.
 * @module
 */
import { HouseError } from '../../base/error.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { requireKnownModel, requireMiner } from '../../core/transaction/refusals.ts'
import type { MarketAccess } from '../chain/market-access.ts'
import { viewLease, viewMiner, viewModel } from '../chain/market-views.ts'
import type { LightService } from './light-service.ts'
import { readProved } from './proved-state.ts'

export class LightMarketError extends HouseError<'LIGHT_NEEDS_NODE'> {}

export function createLightMarket(service: LightService, kind: NetworkKind): MarketAccess {
  return {
    async model(model, signal) {
      const { result } = await readProved(service, (state) => requireKnownModel(state, model), signal)
      return viewModel(model, result, kind)
    },
    async miner(operator, signal) {
      const { result } = await readProved(service, (state) => requireMiner(state, operator), signal)
      return viewMiner(operator, result, kind)
    },
    async lease(id, signal) {
      return (await readProved(service, (state) => viewLease({ state, kind }, id), signal)).result
    },
    models: () => needsNode('of all models'),
    readiness: () => needsNode('of who serves a model'),
    miners: () => needsNode('of all miners'),
    placements: () => needsNode('of who serves a model'),
    leases: () => needsNode('of leases'),
    audits: () => needsNode('of audits'),
    earnings: () => needsNode('of what was earned'),
    settlement: () => needsNode('of settled leases'),
    quote: () => needsNode('of who would serve a lease'),
  }
}

async function needsNode(list: string): Promise<never> {
  const message = `A light client cannot know that a list ${list} is whole. Run a full node with \`dllm node\` and ask again; a single model, miner or lease can be asked for without one.`
  throw new LightMarketError('LIGHT_NEEDS_NODE', message)
}
