/**
 * News desk: which topics this peer hears, how a message gets its verdict, and how much may wait for one. Shared by all
 * wires; knows nothing of how news travel.
 * Spec: docs/spec/wire.md §2.6.
 * @module
 */
import { createHash } from 'node:crypto'
import { assert } from '../base/assert.ts'
import type { PeerId } from '../base/brand.ts'
import { codeOf, messageOf } from '../base/error.ts'
import { WIRE_LIMITS } from '../base/limits.ts'
import type { Log } from '../base/ports.ts'
import type { NewsHandler, NewsOptions, Topic, Verdict } from './wire.ts'
import { tooLong } from './wire-errors.ts'

export interface NewsDesk {
  /** Registers a topic, once. */
  subscribe(topic: Topic, options: NewsOptions, handler: NewsHandler): void
  /** Longest message that this peer takes; undefined for a topic that it does not hear. */
  longest(topic: Topic): number | undefined
  /** WIRE_MESSAGE_TOO_LONG, for a message that this peer is about to tell. */
  assertTellable(topic: Topic, message: Uint8Array): void
  /** Asks the handler. `ignore` when it throws, or when too much waits for its verdict already. */
  verdict(topic: Topic, message: Uint8Array, from: PeerId): Promise<Verdict>
}

interface Heard {
  readonly options: NewsOptions
  readonly handler: NewsHandler
}

interface Pending {
  messages: number
  bytes: number
}

const ALL = {
  messages: WIRE_LIMITS.newsPendingMax,
  bytes: WIRE_LIMITS.newsPendingBytesMax,
}
const OF_ONE_PEER = {
  messages: WIRE_LIMITS.newsPendingPerPeerMax,
  bytes: WIRE_LIMITS.newsPendingPerPeerBytesMax,
}
const ID_BYTES = 20

export function createNewsDesk(log: Log): NewsDesk {
  const topics = new Map<Topic, Heard>()
  const pending: Pending = { messages: 0, bytes: 0 }
  const pendingOfPeers = new Map<PeerId, Pending>()

  function subscribe(topic: Topic, options: NewsOptions, handler: NewsHandler): void {
    assert(!topics.has(topic), `${topic} has a handler already`)
    assert(topics.size < WIRE_LIMITS.topicsMax, 'more topics than any peer may hear')
    assert(
      options.messageBytesMax <= WIRE_LIMITS.newsMessageBytesMax,
      `messages of ${topic} would be too long for news`,
    )
    topics.set(topic, { options, handler })
  }

  function longest(topic: Topic): number | undefined {
    return topics.get(topic)?.options.messageBytesMax
  }

  function assertTellable(topic: Topic, message: Uint8Array): void {
    const max = longest(topic) ?? WIRE_LIMITS.newsMessageBytesMax
    if (message.length > max) throw tooLong(message.length, max)
  }

  async function verdict(topic: Topic, message: Uint8Array, from: PeerId): Promise<Verdict> {
    const heard = topics.get(topic)
    if (!heard) return 'ignore'
    const ofPeer = pendingOfPeers.get(from) ?? { messages: 0, bytes: 0 }
    if (!fits(pending, message, ALL) || !fits(ofPeer, message, OF_ONE_PEER)) {
      log.write('warn', 'wire.news_dropped', { topic, from, waiting: pending.messages })
      return 'ignore'
    }
    pendingOfPeers.set(from, ofPeer)
    count([pending, ofPeer], 1, message)
    try {
      return await heard.handler(message, from)
    } catch (error) {
      log.write('warn', 'wire.news_failed', { topic, from, code: codeOf(error), message: messageOf(error) })
      return 'ignore'
    } finally {
      count([pending, ofPeer], -1, message)
      if (ofPeer.messages === 0) pendingOfPeers.delete(from)
    }
  }

  return { subscribe, longest, assertTellable, verdict }
}

/** Twenty bytes that stand for a topic with a content, whoever tells it. */
export function newsId(topic: string, message: Uint8Array): Uint8Array {
  // No topic holds a zero byte, so that a topic and a message join up in one way only.
  return createHash('sha256').update(`${topic}\0`).update(message).digest().subarray(0, ID_BYTES)
}

function fits(held: Pending, message: Uint8Array, most: Pending): boolean {
  return held.messages < most.messages && held.bytes + message.length <= most.bytes
}

function count(held: readonly Pending[], messages: 1 | -1, { length }: Uint8Array): void {
  for (const each of held) {
    each.messages += messages
    each.bytes += messages * length
  }
}
