/**
 * The network under memory wires: who is there and who may reach whom. Faults are switched here (cut, kill, hold, delay).
 * Spec: docs/spec/wire.md §2.5.
 * @module
 */
import { assert } from '../base/assert.ts'
import { type Milliseconds, type PeerId, peerId } from '../base/brand.ts'
import type { Clock, Log } from '../base/ports.ts'
import { createPair, type Pair, vanish } from './memory-link.ts'
import { type MemoryHub, MemoryWire, type MemoryWireOptions } from './memory-wire.ts'
import type { Wire } from './wire.ts'

export interface MemoryNetworkPorts {
  /** Needed for delays only. */
  readonly clock?: Clock
  readonly log?: Log
}

export interface MemoryNetwork {
  createMemoryWire(options: MemoryWireOptions): Wire
  /** Drops the connection and all channels between two peers; neither can dial the other until `heal`. */
  cut(first: PeerId, second: PeerId): void
  heal(first: PeerId, second: PeerId): void
  /** As SIGKILL: the peer is gone at once, without end markers; its own calls give WIRE_STOPPED. */
  kill(peer: PeerId): void
  /** One-way delay of everything sent from now on between two peers. */
  delay(first: PeerId, second: PeerId, delayMs: Milliseconds): void
  /** As SIGSTOP or a black hole: nothing between the two arrives until `release`; nobody is told. */
  hold(first: PeerId, second: PeerId): void
  release(first: PeerId, second: PeerId): void
}

export function createMemoryNetwork(ports: MemoryNetworkPorts = {}): MemoryNetwork {
  const pairs = new Map<string, Pair>()
  let created = 0
  const hub: MemoryHub = {
    clock: ports.clock,
    log: ports.log ?? { write: () => undefined },
    wires: new Map(),
    providers: new Map(),
    pair: (first, second) => {
      const key = first < second ? `${first} ${second}` : `${second} ${first}`
      let pair = pairs.get(key)
      if (!pair) {
        pair = createPair()
        pairs.set(key, pair)
      }
      return pair
    },
  }

  function createMemoryWire(options: MemoryWireOptions): Wire {
    created++
    const peer = options.peer ?? peerId(`memory-${created}`)
    assert(!hub.wires.has(peer), `${peer} is on this network already`)
    const wire = new MemoryWire(hub, peer, options)
    hub.wires.set(peer, wire)
    return wire
  }

  function change(first: PeerId, second: PeerId, fields: Partial<Pair>): void {
    const pair = hub.pair(first, second)
    Object.assign(pair, fields)
    if (pair.cut) vanish(pair)
    for (const pipe of [...pair.pipes]) pipe.wake()
  }

  return {
    createMemoryWire,
    cut: (first, second) => change(first, second, { cut: true }),
    heal: (first, second) => change(first, second, { cut: false }),
    kill: (peer) => hub.wires.get(peer)?.kill(),
    delay: (first, second, delayMs) => change(first, second, { delayMs }),
    hold: (first, second) => change(first, second, { held: true }),
    release: (first, second) => change(first, second, { held: false }),
  }
}
