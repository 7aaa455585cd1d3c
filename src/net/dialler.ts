/**
 * Dialler: connects in the background to bootstrap addresses and to peers found on the local network, and again when a
 * connection is lost. libp2p tells of discovered peers but dials none of them.
 * Spec: docs/spec/wire.md §2.3.
 * @module
 */
import { type Milliseconds, milliseconds, type PeerId } from '../base/brand.ts'
import { messageOf } from '../base/error.ts'
import { DEADLINES, WIRE_LIMITS } from '../base/limits.ts'
import type { Clock, Log } from '../base/ports.ts'
import type { PeerAddress } from './wire.ts'

export interface DiallerOptions {
  readonly self: PeerId
  readonly listens: boolean
  readonly bootstrap: readonly string[]
}

export interface DiallerPorts {
  readonly clock: Clock
  readonly log: Log
  connectedPeers(): readonly PeerId[]
  dial(peer: PeerAddress): Promise<void>
  connect(address: string): Promise<PeerId>
}

export interface Dialler {
  /** Dials the bootstrap addresses now and keeps at it. */
  start(): void
  /** A peer was seen on the local network. */
  found(peer: PeerAddress): void
  stop(): void
}

/** Of two peers that find each other, the one with the lower id dials at once; the other waits this long for it. */
const COURTESY_MS = milliseconds(2_000)

export function createDialler(options: DiallerOptions, ports: DiallerPorts): Dialler {
  const { self, listens, bootstrap } = options
  const { clock, log } = ports
  const bootstrapPeers = new Map<string, PeerId>()
  const pending = new Set<PeerId>()
  const cancels = new Set<() => void>()
  let stopped = false

  function later(delayMs: Milliseconds, task: () => void): void {
    const cancel = clock.schedule(delayMs, () => {
      cancels.delete(cancel)
      if (!stopped) task()
    })
    cancels.add(cancel)
  }

  function dialBootstrap(): void {
    const connected = ports.connectedPeers()
    for (const address of bootstrap) {
      const peer = bootstrapPeers.get(address)
      if (peer && connected.includes(peer)) continue
      ports.connect(address).then(
        (answered) => bootstrapPeers.set(address, answered),
        (error: unknown) => log.write('debug', 'wire.bootstrap_failed', { address, message: messageOf(error) }),
      )
    }
    later(milliseconds(DEADLINES.bootstrapMs), dialBootstrap)
  }

  function found(peer: PeerAddress): void {
    if (stopped || pending.has(peer.peer) || !wanted(peer.peer)) return
    pending.add(peer.peer)
    if (!listens || self < peer.peer) void dialFound(peer)
    else later(COURTESY_MS, () => void dialFound(peer))
  }

  function wanted(peer: PeerId): boolean {
    const connected = ports.connectedPeers()
    return peer !== self && connected.length < WIRE_LIMITS.discoveryConnectionsMax && !connected.includes(peer)
  }

  async function dialFound(peer: PeerAddress): Promise<void> {
    try {
      if (wanted(peer.peer)) await ports.dial(peer)
    } catch (error) {
      log.write('debug', 'wire.discovered_peer_failed', { peer: peer.peer, message: messageOf(error) })
    } finally {
      pending.delete(peer.peer)
    }
  }

  return {
    start: () => {
      if (bootstrap.length > 0) dialBootstrap()
    },
    found,
    stop: () => {
      stopped = true
      for (const cancel of cancels) cancel()
      cancels.clear()
    },
  }
}
