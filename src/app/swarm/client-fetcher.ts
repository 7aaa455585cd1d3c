/**
 * Models from peers for commands that have no wire of their own: a wire that only dials, for as long as it takes.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import type { Home } from '../home.ts'
import { openModelStore, type StoredModel } from '../model-store.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { missingTokenizerFiles } from '../shards/model-files.ts'
import { openShardStore } from '../shards/shard-store.ts'
import type { System } from '../system.ts'
import { findModelHere } from './find-model.ts'
import { createModelFetcher, type ModelFetcher } from './model-fetcher.ts'

export interface ClientFetch {
  readonly home: Home
  readonly network: Network
  readonly system: System
  readonly signal: AbortSignal
  readonly downBytesPerSecond?: number | undefined
}

/** Somebody waits for it. */
const PATIENCE_MS = 30_000

export async function withClientFetcher<Value>(
  { home, network, system, downBytesPerSecond }: ClientFetch,
  work: (fetcher: ModelFetcher) => Promise<Value>,
): Promise<Value> {
  const { createLibp2pWire } = await import('../../net/libp2p-wire.ts')
  const { id: networkId, mdns, dht } = network
  const wire = await createLibp2pWire({ networkId, listen: [], mdns, dht }, system)
  const store = openShardStore({ home: home.path })
  const options = { home, network, store, patienceMs: PATIENCE_MS, downBytesPerSecond }
  const fetcher = createModelFetcher(options, { ...system, wire })
  try {
    return await work(fetcher)
  } finally {
    await fetcher.close()
    await wire.stop()
  }
}

/**
 * The models of these names or hashes, in their order; what is not here of their manifests comes from peers. The models of the local network are all on this
 * machine. @throws ModelError, SwarmError.
 */
export async function modelsOf(
  texts: readonly string[],
  fetch: ClientFetch & { readonly note: (text: string) => void },
): Promise<StoredModel[]> {
  const { home, network, signal, note } = fetch
  const store = openModelStore({ home: home.path })
  const isHere = (text: string): boolean => findModelHere(text, store) !== undefined
  if (network.id !== LOCAL_NETWORK.id && !texts.every(isHere)) {
    await withClientFetcher(fetch, async (fetcher) => {
      for (const text of texts) {
        if (isHere(text)) continue
        note(`There is no model ${text} here. Asking the network ${network.id} for it.`)
        await fetcher.model(text, signal)
      }
    })
  }
  return texts.map((text) => findModelHere(text, store) ?? store.find(text))
}

/** A model to chat with: its manifest and its tokenizer, and no shard. @throws ModelError, SwarmError. */
export async function modelToChat(
  text: string,
  fetch: ClientFetch & { readonly note: (text: string) => void },
): Promise<StoredModel> {
  const [model] = await modelsOf([text], fetch)
  const missing = missingTokenizerFiles(model!)
  if (missing.length > 0 && fetch.network.id !== LOCAL_NETWORK.id) {
    await withClientFetcher(fetch, (fetcher) => fetcher.files(model!, missing, { signal: fetch.signal }))
  }
  return model!
}
