/**
 * Which stored models a new network begins with. Spec: docs/spec/genesis.md §5.
 * @module
 */
import type { GenesisModel } from '../../core/genesis.ts'
import { modelFault } from '../../core/market/model-fault.ts'
import { ModelError } from '../../ml/model-error.ts'
import type { Home } from '../home.ts'
import { openModelStore } from '../model-store.ts'
import { genesisModel } from '../model-work.ts'

/**
 * The models of these names, each once; undefined: those that come with the program. `price`: grains per compute unit, at first.
 * @throws ModelError, also for models that the chain cannot name.
 */
export function networkModels(home: Home, names: readonly string[] | undefined, price: bigint): GenesisModel[] {
  const store = openModelStore({ home: home.path })
  const found =
    names === undefined
      ? store.list().filter(({ isEmbedded }) => isEmbedded)
      : [...new Set(names)].map((name) => store.find(name))
  const models = new Map(found.map((stored) => [stored.hash, genesisModel(stored, price)]))
  for (const model of models.values()) checkModel(model)
  return [...models.values()]
}

function checkModel(model: GenesisModel): void {
  const found = modelFault(model)
  if (found === undefined) return
  const sentence = `The network cannot begin with ${model.name}: its ${found.field} ${found.fault}. Import it anew, or leave it out.`
  throw new ModelError('MODEL_BAD_MANIFEST', sentence)
}
