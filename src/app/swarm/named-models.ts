/**
 * Models by what people call them, for commands that begin with one: those that are here at once, others from the network. What fetches is loaded only when
 * something has to be fetched. The models of the local network are all on this machine.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import { codeOf } from '../../base/error.ts'
import { type ModelStore, openModelStore, type StoredModel } from '../model-store.ts'
import { LOCAL_NETWORK } from '../networks.ts'
import { missingTokenizerFiles } from '../shards/model-files.ts'
import type { ClientFetch } from './client-fetcher.ts'

export interface NamedFetch extends ClientFetch {
  /** Told before anybody is asked. */
  readonly note: (text: string) => void
}

/** The models of these names or hashes, in their order. @throws ModelError, SwarmError. */
export async function namedModels(texts: readonly string[], fetch: NamedFetch): Promise<StoredModel[]> {
  const { home, network, signal, note } = fetch
  const store = openModelStore({ home: home.path })
  const absent = network.id === LOCAL_NETWORK.id ? [] : texts.filter((text) => findHere(text, store) === undefined)
  if (absent.length > 0) {
    const { withClientFetcher } = await import('./client-fetcher.ts')
    await withClientFetcher(fetch, async (fetcher) => {
      for (const text of absent) {
        note(`There is no model ${text} here. Asking the network ${network.id} for it.`)
        await fetcher.model(text, signal)
      }
    })
  }
  return texts.map((text) => findHere(text, store) ?? store.find(text))
}

/** A model to chat with: its manifest and its tokenizer, and no shard. @throws ModelError, SwarmError. */
export async function modelToChat(text: string, fetch: NamedFetch): Promise<StoredModel> {
  const [model] = await namedModels([text], fetch)
  const missing = missingTokenizerFiles(model!)
  if (missing.length > 0 && fetch.network.id !== LOCAL_NETWORK.id) {
    const { withClientFetcher } = await import('./client-fetcher.ts')
    await withClientFetcher(fetch, (fetcher) => fetcher.files(model!, missing, { signal: fetch.signal }))
  }
  return model!
}

/** The model of this name, else the one with this hash. */
export function findHere(text: string, store: Pick<ModelStore, 'find' | 'list'>): StoredModel | undefined {
  try {
    return store.find(text)
  } catch (error) {
    if (codeOf(error) !== 'MODEL_NOT_FOUND') throw error
    return store.list().find(({ hash }) => hash === text.toLowerCase())
  }
}
