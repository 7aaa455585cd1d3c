/**
 * Which model somebody means: one that is here, a hash, or a name that the chain's registry or the offers of miners know. Names are their publishers' and
 * several models may have one: then what miners have deposited behind each decides, and where nobody knows that, only a hash will do.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import { type Hash, hash } from '../../base/brand.ts'
import type { ModelStore, StoredModel } from '../model-store.ts'
import type { OfferBook } from '../offers.ts'
import { findHere } from './named-models.ts'
import { mostServed, type NamedModel, type StandingModel, standingText } from './same-name.ts'
import { SwarmError } from './swarm-error.ts'

export type FoundModel =
  | { readonly type: 'here'; readonly model: StoredModel }
  | {
      readonly type: 'there'
      readonly hash: Hash
      /** What a person should know of the choice. */
      readonly note?: string
    }

export interface Registries {
  /** Of the chain: all that a full node of this machine knows, else those of the name that a light client could prove. */
  readonly models: () => Promise<readonly NamedModel[]>
  /** The same with what stands behind them, as far as that is known. */
  readonly standing: (models: readonly NamedModel[]) => Promise<readonly StandingModel[]>
  /** Offers, after peers were asked. */
  readonly offers: () => Promise<ReturnType<OfferBook['list']>>
}

/** @throws SwarmError SWARM_NO_MODEL, SWARM_AMBIGUOUS_MODEL. */
export async function findModel(
  text: string,
  store: Pick<ModelStore, 'find' | 'list'>,
  { models, standing, offers }: Registries,
): Promise<FoundModel> {
  const here = findHere(text, store)
  if (here !== undefined) return { type: 'here', model: here }
  if (/^[0-9a-f]{64}$/i.test(text)) return { type: 'there', hash: hash(text.toLowerCase()) }
  const registered = await models()
  const named = registered.filter(({ name }) => name === text)
  // What the network serves now goes before what it served, or may serve some day.
  const active = named.filter(({ status }) => status === 'active')
  if (active.length === 1) return { type: 'there', hash: active[0]!.model }
  if (active.length > 1) return chosenOf(text, await standing(active))
  const told = (await offers()).map(({ offer }) => offer)
  const offered = told.filter(({ modelName }) => modelName === text)
  const found = [...new Set([...named.map(({ model }) => model), ...offered.map(({ model }) => model)])]
  if (found.length === 1) return { type: 'there', hash: found[0]! }
  const known = [...new Set([...registered.map(({ name }) => name), ...told.map(({ modelName }) => modelName)])]
  throw found.length === 0 ? noModel(text, known) : ambiguous(text, found)
}

/** @throws SwarmError SWARM_AMBIGUOUS_MODEL. */
function chosenOf(name: string, active: readonly StandingModel[]): FoundModel {
  const chosen = mostServed(active)
  if (chosen === undefined) throw ambiguous(name, active.map(standingText))
  const others = active.filter(({ model }) => model !== chosen.model).map(standingText)
  const note = `${active.length} active models are called ${name}. This is ${standingText(chosen)}. Others: ${listed(others)}. Name one of them by its hash if you mean it.`
  return { type: 'there', hash: chosen.model, note }
}

const NAMES_SHOWN = 8

function noModel(name: string, known: readonly string[]): SwarmError {
  const there =
    known.length === 0
      ? 'Nobody who could be asked offers any: check the network with `dllm status`.'
      : `There are: ${[...known].sort().slice(0, NAMES_SHOWN).join(', ')}${known.length > NAMES_SHOWN ? ', …' : ''}.`
  return new SwarmError('SWARM_NO_MODEL', `No model ${name} is here, and the network knows none. ${there}`, {
    details: { name },
  })
}

/** `models`: hashes, with what is known of them. */
function ambiguous(name: string, models: readonly string[]): SwarmError {
  const message = `${models.length} models are called ${name}: ${listed(models)}. Name one by its hash.`
  return new SwarmError('SWARM_AMBIGUOUS_MODEL', message, { details: { name, models: models.length } })
}

function listed(items: readonly string[]): string {
  return `${items.slice(0, NAMES_SHOWN).join(', ')}${items.length > NAMES_SHOWN ? ', …' : ''}`
}
