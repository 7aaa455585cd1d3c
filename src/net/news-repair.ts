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
  readonly self: PeerId
  /** The open ones. */
  connectionsTo(peer: PeerId): readonly Connection[]
}

/** Streams may be opening for so many heartbeats. */
const GRACE_HEARTBEATS = 4
/** Attempts wait for each other in gossipsub, and each may hang until its deadline. */
const RETRY_HEARTBEATS = 12
/** One side comes half a round later: two that begin anew at once break what the other has just opened. */
const SECOND_SIDE_HEARTBEATS = RETRY_HEARTBEATS / 2

export interface NewsRepair {
  /** A peer that takes news. */
  met(id: string): void
  /** To be called once per heartbeat. */
  check(): void
}

export function createNewsRepair(router: RepairableRouter, ports: NewsRepairPorts): NewsRepair {
  /** Connected peers that take news, and for how many heartbeats they have been without streams. */
  const broken = new Map<string, number>()

  function met(id: string): void {
    if (!broken.has(id)) broken.set(id, 0)
  }

  function check(): void {
    for (const id of router.peers.keys()) met(id)
    for (const [id, heartbeats] of broken) {
      const connections = ports.connectionsTo(peerId(id))
      if (connections.length === 0) broken.delete(id)
      else if (whole(id, connections)) broken.set(id, 0)
      else {
        broken.set(id, heartbeats + 1)
        const turn = GRACE_HEARTBEATS + (ports.self < id ? 0 : SECOND_SIDE_HEARTBEATS)
        repair(connections, (heartbeats % RETRY_HEARTBEATS) - turn)
      }
    }
  }

  /** Whether news flows both ways. The router's own list of inbound streams keeps those that broke. */
  function whole(id: string, connections: readonly Connection[]): boolean {
    if (!router.peers.has(id) || !router.streamsOutbound.has(id)) return false
    return connections.some((connection) => newsStreams(connection).some(({ direction }) => direction === 'inbound'))
  }

  function repair(connections: readonly Connection[], heartbeatsIntoTurn: number): void {
    const [first] = connections
    if (first && heartbeatsIntoTurn === 0) {
      // Both routers forget the peer before the next step. Ours goes as well: half closed, it would count as open for ever.
      for (const stream of connections.flatMap(newsStreams)) stream.abort(new Error('news begin anew'))
    } else if (first && heartbeatsIntoTurn === 1) {
      ports.log.write('debug', 'wire.news_repaired', { peer: first.remotePeer.toString() })
      // Our new stream makes the other side open one as well, and both tell what they listen to.
      router.onPeerConnected(first.remotePeer, first)
    }
  }

  return { met, check }
}

function newsStreams(connection: Connection): Connection['streams'] {
  return connection.streams.filter(({ protocol }) => protocol.startsWith('/meshsub/'))
}
