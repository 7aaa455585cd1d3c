/**
 * Memory links: pairs of byte streams inside one process, with the faults of a real one. Without a delay everything is
 * delivered in microtasks, in the order of the calls, so a test sees the same order every time. Knows nothing of frames.
 * Spec: docs/spec/wire.md §2.5.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { Milliseconds } from '../base/brand.ts'
import type { Clock } from '../base/ports.ts'
import type { ByteLink, LinkSink } from './channel.ts'

/** The state of one pair of peers. */
export interface Pair {
  connected: boolean
  /** No dialling. */
  cut: boolean
  /** Nothing arrives, nobody is told. */
  held: boolean
  /** One way. */
  delayMs: Milliseconds | undefined
  readonly pipes: Set<Pipe>
}

export function createPair(): Pair {
  return { connected: false, cut: false, held: false, delayMs: undefined, pipes: new Set() }
}

/** Two links that feed each other. */
export function createLinkPair(pair: Pair, clock: Clock | undefined): [ByteLink, ByteLink] {
  const there = new Pipe(pair, clock)
  const back = new Pipe(pair, clock)
  return [createLink(there, back), createLink(back, there)]
}

/** The connection of a pair is gone at once: both ends of every link hear it, and what was on its way is lost. */
export function vanish(pair: Pair): void {
  pair.connected = false
  for (const pipe of [...pair.pipes]) pipe.vanish()
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
  readonly #clock: Clock | undefined
  readonly #queue: Item[] = []
  /** Items whose time has come, but which wait for a receiver or for `release`. */
  #due = 0
  #closed = false

  constructor(pair: Pair, clock: Clock | undefined) {
    this.#pair = pair
    this.#clock = clock
    pair.pipes.add(this)
  }

  push(item: Item): void {
    if (this.#closed) return
    this.#queue.push(item)
    if (item instanceof Uint8Array) this.queuedBytes += item.length
    const deliver = (): void => {
      this.#due++
      this.wake()
    }
    const { delayMs } = this.#pair
    if (delayMs) {
      assert(this.#clock, 'a memory network with delays needs a clock')
      this.#clock.schedule(delayMs, deliver)
    } else {
      queueMicrotask(deliver)
    }
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
