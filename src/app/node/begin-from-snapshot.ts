/**
 * Before a node's first start: finds peers and fills its empty store from their snapshot, if it was asked to.
 * Spec: docs/spec/consensus.md §10.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { LIGHT_LIMITS } from '../../base/chain-limits.ts'
import type { Wire } from '../../net/wire.ts'
import type { NetworkChain } from '../chain/network-chain.ts'
import { type Checkpoint, fetchCheckpoint } from '../light/checkpoint.ts'
import { createLightService } from '../light/light-service.ts'
import { genesisTrust, trustOf } from '../light/open-light.ts'
import { opensslAccepts } from '../openssl-verify.ts'
import type { KeyValueStore } from '../store/key-value.ts'
import type { System } from '../system.ts'
import { createNodeStore } from './node-store.ts'
import { syncSnapshot } from './snapshot-sync.ts'

export interface SnapshotBegin {
  readonly network: NetworkChain
  readonly checkpoint: Checkpoint | undefined
  readonly store: KeyValueStore
  readonly wire: Wire
  readonly system: System
  readonly signal: AbortSignal
  readonly onProgress: (done: number, total: number) => void
}

/** The height of the snapshot; undefined when the store holds a chain already. */
export async function beginFromSnapshot(begin: SnapshotBegin): Promise<number | undefined> {
  const { network, checkpoint, wire, system, signal, onProgress } = begin
  const { networkId, genesis } = network
  const store = createNodeStore(begin.store)
  if ((await store.meta(networkId)) !== undefined) return undefined
  await untilConnected(begin)
  const ports = { wire, clock: system.clock, log: system.log, accepts: opensslAccepts }
  const trusted =
    checkpoint === undefined
      ? genesisTrust(genesis)
      : await fetchCheckpoint(checkpoint, { ...ports, networkId, signal })
  const service = createLightService(
    { networkId, begin: trusted, ...trustOf(genesis) },
    // The store that is filled holds what is trusted; nothing else needs to.
    { ...ports, keep: async () => undefined },
  )
  return syncSnapshot({ networkId, service, store, onProgress, signal })
}

/** The wire dials the network's addresses by itself; a fresh one takes a moment. */
async function untilConnected({ wire, system: { clock }, signal }: SnapshotBegin): Promise<void> {
  const untilMs = clock.now() + LIGHT_LIMITS.connectMs
  while (wire.connectedPeers().length === 0 && clock.now() < untilMs) {
    await clock.sleep(milliseconds(LIGHT_LIMITS.pollMs / 10), signal)
  }
}
