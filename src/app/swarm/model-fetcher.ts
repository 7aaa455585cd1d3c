/**
 * Models from the peers of a network: which one is meant, its manifest, and those of its files that are wanted. For whoever has a wire.
 * Spec: docs/spec/shards.md §7.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import type { Clock, Log, Random } from '../../base/ports.ts'
import type { Wire } from '../../net/wire.ts'
import type { Home } from '../home.ts'
import { openModelStore, type StoredModel } from '../model-store.ts'
import { LOCAL_NETWORK, type Network } from '../networks.ts'
import { createOfferBook, type OfferBook } from '../offers.ts'
import { createPeerDirectory } from '../ring/offer-routes.ts'
import type { FileId } from '../shards/chunk-source.ts'
import { createFetchThread } from '../shards/fetch-thread.ts'
import { installManifest } from '../shards/install-manifest.ts'
import type { ShardStore } from '../shards/shard-store.ts'
import { createChainRegistry } from './chain-registry.ts'
import type { SwarmPeers } from './contacts.ts'
import { fetchManifest } from './fetch-manifest.ts'
import { findModel } from './find-model.ts'
import { createNetworkPeers } from './find-peers.ts'
import { type PulledFiles, pullFiles } from './pull-files.ts'
import type { PullProgress } from './pull-progress.ts'
import { SwarmError } from './swarm-error.ts'

export interface FetcherOptions {
  readonly home: Home
  readonly network: Network
  readonly store: ShardStore
  /** Bytes per second at most; undefined: as many as come. */
  readonly downBytesPerSecond?: number | undefined
  /** Fails when nothing comes for so long; undefined: waits without end. */
  readonly patienceMs?: number | undefined
  /** Told what a person should know of the choice of a model. */
  readonly note?: ((text: string) => void) | undefined
}

export interface ModelFetcher {
  /** By name or hash; where it is not here, its manifest is fetched and installed. @throws SwarmError; ModelError. */
  model(text: string, signal: AbortSignal): Promise<StoredModel>
  /** @throws as pullFiles. */
  files(
    model: StoredModel,
    files: readonly FileId[],
    options: { readonly signal: AbortSignal; readonly onProgress?: ((progress: PullProgress) => void) | undefined },
  ): Promise<PulledFiles>
  close(): Promise<void>
}

export interface FetcherPorts {
  readonly wire: Wire
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export function createModelFetcher(options: FetcherOptions, ports: FetcherPorts): ModelFetcher {
  const { home, network, store, patienceMs, downBytesPerSecond } = options
  const { wire, random, log } = ports
  const book = createOfferBook(network.id, ports)
  const directory = createPeerDirectory({ networkId: network.id, bootstrap: network.bootstrap }, { ...ports, book })
  const registry = createChainRegistry(home, network, ports)
  const thread = createFetchThread()
  const peersOf = (model: Hash): SwarmPeers => {
    if (network.id === LOCAL_NETWORK.id && network.bootstrap.length === 0) throw localAlone()
    return createNetworkPeers(
      model,
      { bootstrap: network.bootstrap, directory, book, thread, placed: registry.placed },
      ports,
    )
  }
  const offers = async (signal: AbortSignal): Promise<ReturnType<OfferBook['list']>> => {
    await directory.refresh(signal)
    return book.list()
  }
  /** So that others who want the model find this one. */
  const announce = (model: Hash, signal: AbortSignal): void => {
    wire.provide(hexToBytes(model), signal).catch((error: unknown) => {
      log.write('debug', 'swarm.not_announced', { code: codeOf(error) })
    })
  }
  return {
    async model(text, signal) {
      const found = await findModel(text, openModelStore({ home: home.path }), {
        models: () => registry.models(text, signal),
        standing: (models) => registry.standing(models, signal),
        offers: () => offers(signal),
      })
      if (found.type === 'here') return found.model
      if (found.note !== undefined) options.note?.(found.note)
      const wish = { model: found.hash, peers: peersOf(found.hash), patienceMs }
      return installManifest(home.path, await fetchManifest(wish, ports, signal))
    },
    async files(model, files, { signal, onProgress }) {
      announce(model.hash, signal)
      const seed = new DataView(random.bytes(8).buffer).getBigUint64(0)
      const wish = { files, store, peers: peersOf(model.hash), seed, downBytesPerSecond, patienceMs, onProgress }
      return pullFiles(wish, ports, signal)
    },
    close: () => thread.close(),
  }
}

function localAlone(): SwarmError {
  const message =
    'The local network is this machine alone, and some of the model is not here. Name the network that serves it with --network.'
  return new SwarmError('SWARM_NO_PEER', message)
}
