/**
 * News over gossipsub: topics of this network, verdicts before anything goes on, and what gossipsub leaves out: the wait
 * for the first listener of a fresh connection, streams that broke (net/news-repair.ts), and telling who sent what.
 * Spec: docs/spec/wire.md §2.6.
 * @module
 */
import type { GossipSub, PublishResult } from '@libp2p/gossipsub'
import type { Connection } from '@libp2p/interface'
import { type Milliseconds, milliseconds, type PeerId, peerId } from '../base/brand.ts'
import { DEADLINES } from '../base/limits.ts'
import type { Clock, Log } from '../base/ports.ts'
import type { NewsDesk } from './news.ts'
import { createNewsRepair, type RepairableRouter } from './news-repair.ts'
import type { NewsHandler, NewsOptions, Topic, Verdict } from './wire.ts'

/** What gossipsub's class has beyond its published interface. */
interface Router extends Omit<GossipSub, 'publish'>, RepairableRouter {
  reportMessageValidationResult(id: string, source: string, verdict: Verdict): void
  publish(topic: string, data: Uint8Array, options: { readonly floodPublish: boolean }): Promise<PublishResult>
}

export interface GossipNewsPorts {
  readonly clock: Clock
  readonly log: Log
  readonly desk: NewsDesk
  judge(peer: PeerId, verdict: Verdict): void
  readonly self: PeerId
  /** The open ones. */
  connectionsTo(peer: PeerId): readonly Connection[]
}

export interface GossipNews {
  subscribe(topic: Topic, options: NewsOptions, handler: NewsHandler): void
  publish(topic: Topic, message: Uint8Array): Promise<number>
  /** A connection was made. */
  connected(peer: PeerId): void
  stop(): void
}

/** Shorter news goes to every listener at once; longer ones go to the mesh, so that a block does not fill the uplink. */
const FLOOD_BYTES_MAX = 16 * 1024
const LISTENER_POLL_MS = milliseconds(5)

/** The name of a topic on the wire: `dllm/block/1` becomes `dllm/TAG/block/1`. */
function wireTopic(topic: Topic, tag: string): string {
  return topic.replace('dllm/', `dllm/${tag}/`)
}

/** The topic of a name on the wire; undefined when it is of another network. */
function topicOf(name: string, tag: string): Topic | undefined {
  const prefix = `dllm/${tag}/`
  return name.startsWith(prefix) ? (`dllm/${name.slice(prefix.length)}` as Topic) : undefined
}

/** For gossipsub's options, which are made before its router. */
export function topicFilter(desk: NewsDesk, tag: string): (name: string) => boolean {
  return (name) => {
    const topic = topicOf(name, tag)
    return topic !== undefined && desk.longest(topic) !== undefined
  }
}

export function createGossipNews(gossip: GossipSub, tag: string, ports: GossipNewsPorts): GossipNews {
  const router = gossip as GossipSub & Router
  const { clock, desk, log } = ports
  /** Peers that may not yet have said what they listen to, and until when they have time. */
  const fresh = new Map<PeerId, Milliseconds>()
  let stopped = false

  function subscribe(topic: Topic, options: NewsOptions, handler: NewsHandler): void {
    desk.subscribe(topic, options, handler)
    const name = wireTopic(topic, tag)
    router.topicValidators.set(name, (from, { data }) => sized(data, options, peerId(from.toString())))
    router.subscribe(name)
  }

  type Sized = ReturnType<NonNullable<ReturnType<GossipSub['topicValidators']['get']>>>
  function sized(data: Uint8Array, { messageBytesMax }: NewsOptions, from: PeerId): Sized {
    const verdict: Verdict = data.length > messageBytesMax ? 'reject' : 'accept'
    if (verdict === 'reject') {
      log.write('warn', 'wire.news_too_long', { from, length: data.length })
      ports.judge(from, verdict)
    }
    return verdict as Sized
  }

  router.addEventListener('gossipsub:message', ({ detail: { propagationSource, msgId, msg } }) => {
    void hear(msg.topic, msg.data, { id: msgId, from: peerId(propagationSource.toString()) })
  })

  async function hear(name: string, message: Uint8Array, { id, from }: { id: string; from: PeerId }): Promise<void> {
    const topic = topicOf(name, tag)
    if (stopped || !topic) return
    // A Buffer here, whose methods mean other things than those of the Uint8Array that handlers are promised.
    const plain = new Uint8Array(message.buffer, message.byteOffset, message.length)
    const verdict = await desk.verdict(topic, plain, from)
    if (stopped) return
    router.reportMessageValidationResult(id, from, verdict)
    ports.judge(from, verdict)
  }

  async function publish(topic: Topic, message: Uint8Array): Promise<number> {
    desk.assertTellable(topic, message)
    const name = wireTopic(topic, tag)
    // The router keeps the bytes for those that ask later.
    const kept = message.slice()
    await listener(name)
    const { recipients } = await router.publish(name, kept, { floodPublish: kept.length <= FLOOD_BYTES_MAX })
    return recipients.length
  }

  /** Waits while nobody listens and a connection is so fresh that somebody may. */
  async function listener(name: string): Promise<void> {
    while (!stopped && !router.getSubscribers(name).some((peer) => router.streamsOutbound.has(peer.toString()))) {
      const now = clock.now()
      for (const [peer, untilMs] of fresh) if (untilMs <= now) fresh.delete(peer)
      if (fresh.size === 0) return
      await clock.sleep(LISTENER_POLL_MS)
    }
  }

  const repair = createNewsRepair(router, ports)
  router.addEventListener('subscription-change', ({ detail }) => repair.met(detail.peerId.toString()))
  router.addEventListener('gossipsub:heartbeat', repair.check)

  return {
    subscribe,
    publish,
    connected: (peer) => {
      fresh.set(peer, milliseconds(clock.now() + DEADLINES.newsListenerMs))
    },
    stop: () => {
      stopped = true
    },
  }
}
