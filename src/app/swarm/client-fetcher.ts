/**
 * Models from peers for commands that have no wire of their own: a wire that only dials, for as long as it takes.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import type { Home } from '../home.ts'
import type { Network } from '../networks.ts'
import { openHomeStore } from '../shards/home-store.ts'
import type { System } from '../system.ts'
import { createModelFetcher, type ModelFetcher } from './model-fetcher.ts'

export interface ClientFetch {
  readonly home: Home
  readonly network: Network
  readonly system: System
  readonly signal: AbortSignal
  readonly downBytesPerSecond?: number | undefined
  /** As FetcherOptions has it. */
  readonly note?: ((text: string) => void) | undefined
}

/** Somebody waits for it. */
const PATIENCE_MS = 30_000

export async function withClientFetcher<Value>(
  { home, network, system, downBytesPerSecond, note }: ClientFetch,
  work: (fetcher: ModelFetcher) => Promise<Value>,
): Promise<Value> {
  const { createLibp2pWire } = await import('../../net/libp2p-wire.ts')
  const { id: networkId, mdns, dht } = network
  const wire = await createLibp2pWire({ networkId, listen: [], mdns, dht }, system)
  const store = await openHomeStore(home)
  const options = { home, network, store, patienceMs: PATIENCE_MS, downBytesPerSecond, note }
  const fetcher = createModelFetcher(options, { ...system, wire })
  try {
    return await work(fetcher)
  } finally {
    await fetcher.close()
    await wire.stop()
  }
}
