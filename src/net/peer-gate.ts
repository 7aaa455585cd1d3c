/**
 * Peer gate: whom this side talks to. Joins the list of allowed peers with the bans that conduct has earned, for all
 * wires. Knows nothing of connections: the wire asks before it makes one and cuts the one of a peer that becomes banned.
 * Spec: docs/spec/wire.md §2.7.
 * @module
 */
import type { PeerId } from '../base/brand.ts'
import type { Clock, Log } from '../base/ports.ts'
import { createPeerScores } from './peer-score.ts'
import { type PeerConduct, WireError } from './wire.ts'

export interface PeerGate {
  /** Why nothing is wanted from this peer; undefined when it is welcome. */
  refusal(peer: PeerId): WireError | undefined
  /** True when this deed got the peer banned. */
  judge(peer: PeerId, conduct: PeerConduct): boolean
  score(peer: PeerId): number
}

export interface PeerGatePorts {
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
}

/** `allow` undefined: everybody who is not banned. */
export function createPeerGate(allow: readonly PeerId[] | undefined, { clock, log }: PeerGatePorts): PeerGate {
  const allowed = allow && new Set(allow)
  const scores = createPeerScores(clock)

  function refusal(peer: PeerId): WireError | undefined {
    if (allowed && !allowed.has(peer)) {
      return refused(
        peer,
        'not_allowed',
        'is not on the list of allowed peers of this node. Add it there to talk to it.',
      )
    }
    if (scores.isBanned(peer)) {
      return refused(peer, 'banned', 'is banned here for an hour, because it broke the rules too often.')
    }
    return undefined
  }

  function judge(peer: PeerId, conduct: PeerConduct): boolean {
    if (scores.isBanned(peer)) return false
    const score = scores.judge(peer, conduct)
    const banned = scores.isBanned(peer)
    if (banned) log.write('warn', 'wire.peer_banned', { peer, conduct, score: Math.round(score) })
    return banned
  }

  return { refusal, judge, score: scores.score }
}

function refused(peer: PeerId, reason: string, sentence: string): WireError {
  return new WireError('WIRE_PEER_REFUSED', `${peer} ${sentence}`, { details: { peer, reason } })
}
