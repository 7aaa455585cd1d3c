/**
 * Memory links: pairs of byte streams inside one process, with the faults of a real one. Without a delay everything is
 * delivered in microtasks, in the order of the calls, so a test sees the same order every time. Knows nothing of frames.
 * Spec: docs/spec/wire.md §2.5.
 * @module
 */
import type { Milliseconds } from '../base/brand.ts'
import type { ByteLink, LinkSink } from './channel.ts'
import type { Transit } from './memory-transit.ts'

/** The state of one pair of peers. */
export interface Pair {
  connected: boolean
  /** No dialling. */
  cut: boolean
  /** Nothing arrives, nobody is told. */
  held: boolean
  /** One way, instead of what the network's conditions say. */
  delayMs: Milliseconds | undefined
  /** Connections so far: what was sent on one does not arrive on another. */
  connections: number
  readonly pipes: Set<Pipe>
  /** What arrived while the pair was held, in its order; pipes keep their own. */
  readonly waiting: (() => void)[]
}

export function createPair(): Pair {
  return {
    connected: false,
    cut: false,
    held: false,
    delayMs: undefined,
    connections: 0,
    pipes: new Set(),
    waiting: [],
  }
}

/** Two links that feed each other. */
export function createLinkPair(pair: Pair, transit: Transit): [ByteLink, ByteLink] {
  const sever = (): void => {
    there.vanish()
    back.vanish()
  }
  const there = new Pipe(pair, transit, sever)
  const back = new Pipe(pair, transit, sever)
  return [createLink(there, back), createLink(back, there)]
}

/** The connection of a pair is gone at once: both ends of every link hear it, and what was on its way is lost. */
export function vanish(pair: Pair): void {
  pair.connected = false
  pair.waiting.length = 0
  for (const pipe of [...pair.pipes]) pipe.vanish()
}

/** One thing to the other peer of a connection, by itself: it may overtake others, and is lost when the connection is. */
export function sendApart(pair: Pair, transit: Transit, arrive: () => void): void {
  const connection = pair.connections
  const deliver = (): void => {
    if (!pair.connected || pair.connections !== connection) return
    if (pair.held) pair.waiting.push(deliver)
    else arrive()
  }
  transit.send(pair.delayMs, deliver)
}

/** Delivers what waited for the end of a hold. */
export function wake(pair: Pair): void {
  if (pair.held) return
  for (const pipe of [...pair.pipes]) pipe.wake()
  for (const deliver of pair.waiting.splice(0)) deliver()
}

function createLink(outgoing: Pipe, incoming: Pipe): ByteLink {
  return {
    attach: (sink) => {
      outgoing.sender = sink
      incoming.receiver = sink
      incoming.wake()
    },
    send: (bytes) => outgoing.push(bytes),
    get unsentBytes() {
      return outgoing.queuedBytes
    },
    finish: async () => outgoing.push('finish'),
    reset: () => {
      incoming.close()
      outgoing.push('reset')
    },
  }
}

type Item = Uint8Array | 'finish' | 'reset'

/** One direction of a link: a queue of which the head is delivered in a microtask, or after the pair's delay. */
class Pipe {
  sender: LinkSink | undefined
  receiver: LinkSink | undefined
  queuedBytes = 0
  readonly #pair: Pair
  readonly #transit: Transit
  readonly #sever: () => void
  readonly #queue: Item[] = []
  /** Items whose time has come, but which wait for a receiver or for `release`. */
  #due = 0
  #closed = false

  constructor(pair: Pair, transit: Transit, sever: () => void) {
    this.#pair = pair
    this.#transit = transit
    this.#sever = sever
    pair.pipes.add(this)
  }

  push(item: Item): void {
    if (this.#closed) return
    this.#queue.push(item)
    if (item instanceof Uint8Array) this.queuedBytes += item.length
    const cut = this.#transit.cutsChannel()
    this.#transit.send(this.#pair.delayMs, () => {
      if (cut) return this.#sever()
      this.#due++
      this.wake()
    })
  }

  /** Delivers what is due, unless nobody listens yet or the pair is held. */
  wake(): void {
    while (this.#due > 0 && this.receiver && !this.#pair.held) {
      this.#due--
      const item = this.#queue.shift()
      if (item !== undefined) this.#deliver(item, this.receiver)
    }
  }

  #deliver(item: Item, receiver: LinkSink): void {
    if (item instanceof Uint8Array) {
      this.queuedBytes -= item.length
      receiver.data(item)
      this.sender?.drained()
      return
    }
    this.close()
    if (item === 'finish') receiver.finished()
    else receiver.gone()
  }

  /** Takes and delivers nothing any more. */
  close(): void {
    this.#closed = true
    this.#queue.length = 0
    this.queuedBytes = 0
    this.#pair.pipes.delete(this)
  }

  vanish(): void {
    this.close()
    const { sender, receiver } = this
    queueMicrotask(() => receiver?.gone())
    queueMicrotask(() => sender?.gone())
  }
}
