/**
 * News among memory wires: told to every connected peer that hears the topic, and passed on by each after its own
 * `accept`. Knows its neighbours only as a list.
 * Spec: docs/spec/wire.md §2.5 and §2.6.
 * @module
 */
import type { Milliseconds, PeerId } from '../base/brand.ts'
import { DEADLINES, WIRE_LIMITS } from '../base/limits.ts'
import { type NewsDesk, newsId } from './news.ts'
import type { NewsHandler, NewsOptions, Topic, Verdict } from './wire.ts'

/** One message on its way. The id travels with it, because hashing at every peer would be most of a simulation's work. */
export interface MemoryNewsItem {
  readonly topic: Topic
  readonly message: Uint8Array
  readonly id: string
}

export interface MemoryNewsPorts {
  readonly desk: NewsDesk
  now(): Milliseconds
  judge(peer: PeerId, verdict: Verdict): void
  /** Connected peers that hear a topic, in an order that depends on nothing but the calls so far. */
  listeners(topic: Topic): readonly PeerId[]
  send(to: PeerId, item: MemoryNewsItem): void
}

export interface MemoryNews {
  subscribe(topic: Topic, options: NewsOptions, handler: NewsHandler): void
  hears(topic: Topic): boolean
  publish(topic: Topic, message: Uint8Array): number
  /** News from a neighbour. */
  hear(item: MemoryNewsItem, from: PeerId): Promise<void>
  stop(): void
}

export function createMemoryNews({ desk, now, judge, listeners, send }: MemoryNewsPorts): MemoryNews {
  /** Id to the time when it was heard first; oldest first. */
  const seen = new Map<string, Milliseconds>()
  /** Who has told what still waits for its verdict. */
  const tellers = new Map<string, Set<PeerId>>()
  let stopped = false

  function publish(topic: Topic, message: Uint8Array): number {
    desk.assertTellable(topic, message)
    const id = Buffer.from(newsId(topic, message)).toString('latin1')
    if (!isNew(id)) return 0
    const recipients = listeners(topic)
    const item = { topic, message: message.slice(), id }
    for (const peer of recipients) send(peer, item)
    return recipients.length
  }

  async function hear(item: MemoryNewsItem, from: PeerId): Promise<void> {
    const { topic, message, id } = item
    const longest = desk.longest(topic)
    if (stopped || longest === undefined) return
    if (!isNew(id)) {
      tellers.get(id)?.add(from)
      return
    }
    const told = new Set([from])
    tellers.set(id, told)
    const verdict = message.length > longest ? 'reject' : await desk.verdict(topic, message.slice(), from)
    tellers.delete(id)
    if (stopped) return
    if (verdict === 'accept') {
      for (const peer of listeners(topic)) if (!told.has(peer)) send(peer, item)
    }
    judge(from, verdict)
  }

  /** Notes an id; false when it is known. */
  function isNew(id: string): boolean {
    const time = now()
    for (const [oldest, heardMs] of seen) {
      if (time - heardMs < DEADLINES.newsSeenMs && seen.size < WIRE_LIMITS.newsSeenMax) break
      seen.delete(oldest)
    }
    if (seen.has(id)) return false
    seen.set(id, time)
    return true
  }

  return {
    subscribe: desk.subscribe,
    hears: (topic) => desk.longest(topic) !== undefined,
    publish,
    hear,
    stop: () => {
      stopped = true
    },
  }
}
