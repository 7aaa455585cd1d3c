/**
 * Keeps in touch with peers that may have something: looks for them again and again, opens a source at each, and comes back to those that were lost, later
 * each time. Those that lied are asked no more. Does not know what is asked of them.
 * Spec: docs/spec/shards.md §6.
 * @module
 */
import { type Milliseconds, milliseconds, type PeerId } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import { SWARM_LIMITS } from '../../base/swarm-limits.ts'
import type { PeerAddress } from '../../net/wire.ts'
import type { ChunkSource } from '../shards/chunk-source.ts'

/** The peers of a network, as a download sees them. */
export interface SwarmPeers {
  /** Peers that may have something, as they are found; ends when all were asked who could be. */
  search(signal: AbortSignal): AsyncIterable<PeerAddress>
  /** Rejects when the peer cannot be reached, or gives nothing. */
  open(peer: PeerAddress, signal: AbortSignal): Promise<ChunkSource>
  /** The peer said what cannot be true: the wire is told. */
  blame(peer: PeerId): void
}

export interface ContactCounts {
  /** Peers that were found, and those of them that answered. */
  readonly found: number
  readonly reached: number
  readonly banned: number
  /** Somebody waits for one of the open ones to go. */
  readonly isCrowded: boolean
}

export interface Contacts {
  /** The source of this peer is of no use now: it is closed, and opened again after a while. */
  lose(peer: PeerId): void
  /** Nothing more of this peer. */
  ban(peer: PeerId): void
  /** It was of use: if it is lost later, that counts as the first time. */
  praise(peer: PeerId): void
  counts(): ContactCounts
  /** Ends the search and closes all sources. */
  close(): Promise<void>
}

interface Contact {
  source: ChunkSource | undefined
  state: 'opening' | 'open' | 'lost' | 'banned'
  losses: number
  wasReached: boolean
  againMs: Milliseconds
}

/** `onSource` gets each source as it is opened. */
export function createContacts(
  peers: SwarmPeers,
  onSource: (source: ChunkSource) => void,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Contacts {
  const contacts = new Map<PeerId, Contact>()
  const stopping = new AbortController()
  const { signal } = stopping
  const closings = new Set<Promise<void>>()
  let isCrowded = false

  const inState = (state: Contact['state']): number =>
    [...contacts.values()].filter((contact) => contact.state === state).length
  const isRoom = (): boolean => inState('open') + inState('opening') < SWARM_LIMITS.peersMax
  /** Anybody can announce peers that do not exist: they keep nobody out. */
  const forgetUnreached = (): boolean => {
    for (const [peer, { state, wasReached }] of contacts) {
      if (state === 'lost' && !wasReached) return contacts.delete(peer)
    }
    return false
  }
  const isDue = (peer: PeerId): boolean => {
    const contact = contacts.get(peer)
    if (contact === undefined) return contacts.size < SWARM_LIMITS.rememberedPeersMax || forgetUnreached()
    return contact.state === 'lost' && clock.now() >= contact.againMs
  }
  const closeSource = (contact: Contact): void => {
    const closing = contact.source?.close().catch(() => undefined)
    contact.source = undefined
    if (closing === undefined) return
    closings.add(closing)
    void closing.then(() => closings.delete(closing))
  }
  const lose = (peer: PeerId): void => {
    const contact = contacts.get(peer)
    if (contact === undefined || contact.state === 'banned') return
    closeSource(contact)
    contact.state = 'lost'
    const pauseMs = SWARM_LIMITS.returnMs * 2 ** Math.min(contact.losses++, 16)
    contact.againMs = milliseconds(clock.now() + Math.min(SWARM_LIMITS.returnMsMax, pauseMs))
  }
  const openOne = async (peer: PeerAddress): Promise<void> => {
    const contact = contacts.get(peer.peer) ?? newContact()
    contact.state = 'opening'
    contacts.set(peer.peer, contact)
    try {
      const source = await peers.open(peer, signal)
      contact.source = source
      if (signal.aborted) return closeSource(contact)
      Object.assign(contact, { state: 'open', wasReached: true })
      onSource(source)
    } catch (error) {
      if (signal.aborted) return
      log.write('debug', 'swarm.unreachable', { peer: peer.peer, code: codeOf(error), why: messageOf(error) })
      lose(peer.peer)
    }
  }
  /** One round; true if it found somebody to open. */
  const look = async (): Promise<boolean> => {
    let isFruitful = false
    let waiting = 0
    const opening = new Set<Promise<void>>()
    for await (const peer of peers.search(signal)) {
      signal.throwIfAborted()
      if (!isRoom()) {
        // Who is not remembered waits as well.
        if (!contacts.has(peer.peer) || isDue(peer.peer)) waiting++
        continue
      }
      if (!isDue(peer.peer)) continue
      isFruitful = true
      while (opening.size >= SWARM_LIMITS.contactsMax) await Promise.race(opening)
      const one = openOne(peer).finally(() => opening.delete(one))
      opening.add(one)
    }
    await Promise.all(opening)
    isCrowded = waiting > 0
    return isFruitful
  }
  const keepLooking = async (): Promise<void> => {
    let pauseMs: number = SWARM_LIMITS.lookMs
    while (!signal.aborted) {
      const isFruitful = await look().catch((error: unknown) => {
        if (!signal.aborted) log.write('info', 'swarm.search_failed', { code: codeOf(error), why: messageOf(error) })
        return false
      })
      const isShort = isFruitful || inState('lost') > 0
      pauseMs = isShort ? SWARM_LIMITS.lookMs : Math.min(2 * pauseMs, SWARM_LIMITS.lookMsMax)
      await clock.sleep(milliseconds(pauseMs), signal).catch(() => undefined)
    }
  }
  const looking = keepLooking()

  return {
    lose,
    ban: (peer) => {
      const contact = contacts.get(peer)
      if (contact === undefined || contact.state === 'banned') return
      closeSource(contact)
      contact.state = 'banned'
    },
    praise: (peer) => {
      const contact = contacts.get(peer)
      if (contact !== undefined) contact.losses = 0
    },
    counts: () => ({
      found: contacts.size,
      reached: [...contacts.values()].filter(({ wasReached }) => wasReached).length,
      banned: inState('banned'),
      isCrowded,
    }),
    close: async () => {
      stopping.abort(new Error('the download is over'))
      await looking
      for (const contact of contacts.values()) closeSource(contact)
      await Promise.all(closings)
    },
  }
}

function newContact(): Contact {
  return { source: undefined, state: 'opening', losses: 0, wasReached: false, againMs: milliseconds(0) }
}
