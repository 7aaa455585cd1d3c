/**
 * Peer scores: a bounded table of how peers behaved. A score halves every ten minutes, so old deeds fade; one that falls
 * below the limit bans its peer for an hour. Pure but for the clock; knows nothing of connections. Steps, half-life, limit
 * and ban are those of Lodestar, the Ethereum client.
 * Spec: docs/spec/wire.md §2.7.
 * @module
 */
import type { PeerId } from '../base/brand.ts'
import { WIRE_LIMITS } from '../base/limits.ts'
import type { Clock } from '../base/ports.ts'
import type { PeerConduct } from './wire.ts'

export interface PeerScores {
  /** The peer's score after this. */
  judge(peer: PeerId, conduct: PeerConduct): number
  /** 0 for a stranger. */
  score(peer: PeerId): number
  isBanned(peer: PeerId): boolean
}

const HALF_LIFE_MS = 10 * 60_000
const BAN_MS = 60 * 60_000
const BAN_BELOW = -50
/** Good deeds cannot pay for many bad ones. */
const SCORE_MAX = 10
const STEPS: Readonly<Record<PeerConduct, number>> = {
  // A peer whose every hundredth message is bad stays.
  accept: 0.1,
  ignore: 0,
  useful: 1,
  // An honest peer passes nothing on that it has not accepted itself; a few may be a difference of versions.
  reject: -10,
  misbehaved: -20,
}

interface Entry {
  score: number
  /** When `score` was right. */
  atMs: number
  bannedUntilMs: number
}

export function createPeerScores(clock: Pick<Clock, 'now'>, peersMax: number = WIRE_LIMITS.scoredPeersMax): PeerScores {
  const entries = new Map<PeerId, Entry>()

  function isBanned(peer: PeerId): boolean {
    const entry = entries.get(peer)
    return entry !== undefined && clock.now() < entry.bannedUntilMs
  }

  function score(peer: PeerId): number {
    const entry = entries.get(peer)
    return entry ? faded(entry, clock.now()) : 0
  }

  function judge(peer: PeerId, conduct: PeerConduct): number {
    const step = STEPS[conduct]
    // A ban lasts its hour, whatever is still heard of the peer.
    if (step === 0 || isBanned(peer)) return score(peer)
    const now = clock.now()
    const entry: Entry = { score: Math.min(SCORE_MAX, score(peer) + step), atMs: now, bannedUntilMs: 0 }
    if (entry.score < BAN_BELOW) entry.bannedUntilMs = now + BAN_MS
    if (!entries.has(peer) && entries.size >= peersMax) makeRoom(now)
    entries.set(peer, entry)
    return entry.score
  }

  /** Forgets the peer that says least: the one nearest to a stranger's score, banned peers last. */
  function makeRoom(now: number): void {
    let least: PeerId | undefined
    let leastWeight = Number.POSITIVE_INFINITY
    for (const [peer, entry] of entries) {
      const weight = entry.bannedUntilMs > now ? -BAN_BELOW + (entry.bannedUntilMs - now) : Math.abs(faded(entry, now))
      if (weight < leastWeight) {
        least = peer
        leastWeight = weight
      }
    }
    if (least !== undefined) entries.delete(least)
  }

  return { judge, score, isBanned }
}

function faded(entry: Entry, now: number): number {
  return entry.score * 2 ** (-(now - entry.atMs) / HALF_LIFE_MS)
}
