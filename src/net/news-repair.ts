/**
 * News repair: gossipsub opens one stream each way when peers connect, and never again. When one breaks, say because its
 * buffer was full, the two sides may disagree for the rest of the connection about who is there and who listens to what.
 * This makes a clean start between them, in two steps. Knows nothing of topics.
 * Spec: docs/spec/wire.md §2.6.
 * @module
 */
import type { Connection, PeerId as Libp2pPeerId } from '@libp2p/interface'
import { type PeerId, peerId } from '../base/brand.ts'
import type { Log } from '../base/ports.ts'

/** Of gossipsub's class, beyond its published interface. */
export interface RepairableRouter {
  readonly peers: ReadonlyMap<string, unknown>
  readonly streamsOutbound: ReadonlyMap<string, unknown>
  onPeerConnected(peer: Libp2pPeerId, connection: Connection): void
}

export interface NewsRepairPorts {
  readonly log: Log
  connectionTo(peer: PeerId): Connection | undefined
}

/** Streams may be opening for so many heartbeats. */
const GRACE_HEARTBEATS = 4
/** Attempts wait for each other in gossipsub, and each may hang until its deadline. */
const RETRY_HEARTBEATS = 10

export interface NewsRepair {
  /** A peer that takes news. */
  met(id: string): void
  /** To be called once per heartbeat. */
  check(): void
}

export function createNewsRepair(router: RepairableRouter, { log, connectionTo }: NewsRepairPorts): NewsRepair {
  /** Connected peers that take news, and for how many heartbeats they have been without streams. */
  const broken = new Map<string, number>()

  function met(id: string): void {
    if (!broken.has(id)) broken.set(id, 0)
  }

  function check(): void {
    for (const id of router.peers.keys()) met(id)
    for (const [id, heartbeats] of broken) {
      const connection = connectionTo(peerId(id))
      if (!connection) broken.delete(id)
      else if (router.peers.has(id) && router.streamsOutbound.has(id)) broken.set(id, 0)
      else {
        broken.set(id, heartbeats + 1)
        repair(connection, heartbeats % RETRY_HEARTBEATS)
      }
    }
  }

  function repair(connection: Connection, heartbeats: number): void {
    if (heartbeats === GRACE_HEARTBEATS) {
      // The other side learns that its stream is gone; this side's router forgets the peer. Both happen before the next step.
      for (const stream of [...connection.streams]) {
        if (stream.direction === 'inbound' && stream.protocol.startsWith('/meshsub/')) {
          stream.abort(new Error('news begin anew'))
        }
      }
    } else if (heartbeats === GRACE_HEARTBEATS + 1) {
      log.write('debug', 'wire.news_repaired', { peer: connection.remotePeer.toString() })
      // Our new stream makes the other side open one as well, and both tell what they listen to.
      router.onPeerConnected(connection.remotePeer, connection)
    }
  }

  return { met, check }
}
