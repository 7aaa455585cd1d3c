/**
 * The network under memory wires: who is there and who may reach whom. Faults are switched here: for all (conditions,
 * partition), for a peer (kill), for a pair (cut, hold, delay).
 * Spec: docs/spec/wire.md §2.5.
 * @module
 */
import { assert } from '../base/assert.ts'
import { type Milliseconds, type PeerId, peerId } from '../base/brand.ts'
import type { Clock, Log } from '../base/ports.ts'
import { createPair, type Pair, vanish, wake } from './memory-link.ts'
import { createTransit, type MemoryNetworkConditions } from './memory-transit.ts'
import { type MemoryHub, MemoryWire, type MemoryWireOptions } from './memory-wire.ts'
import type { Wire } from './wire.ts'

export interface MemoryNetworkPorts {
  /** Needed for delays and bootstrap addresses, and for bans to end. */
  readonly clock?: Clock
  readonly log?: Log
}

export interface MemoryNetwork {
  createMemoryWire(options: MemoryWireOptions): Wire
  /** What happens to everything sent from now on; undefined: nothing. */
  setConditions(conditions: MemoryNetworkConditions | undefined): void
  /**
   * Drops all connections between peers of different groups, and lets nobody dial out of its group until `heal`. Peers in no
   * group, also later ones, are a group together. Replaces an earlier partition.
   */
  partition(groups: readonly (readonly PeerId[])[]): void
  /** Drops the connection and all channels between two peers; neither can dial the other until `heal`. */
  cut(first: PeerId, second: PeerId): void
  /** Without peers: ends the partition and all cuts. Connections come back only by dialling. */
  heal(...pair: [] | [first: PeerId, second: PeerId]): void
  /**
   * As SIGKILL: the peer is gone at once, without end markers; its own calls give WIRE_STOPPED. A new wire may have the same
   * id then.
   */
  kill(peer: PeerId): void
  /** One-way delay of everything sent from now on between two peers, whatever the conditions. */
  delay(first: PeerId, second: PeerId, delayMs: Milliseconds): void
  /** As SIGSTOP or a black hole: nothing between the two arrives until `release`; nobody is told. */
  hold(first: PeerId, second: PeerId): void
  release(first: PeerId, second: PeerId): void
}

interface Known {
  readonly first: PeerId
  readonly second: PeerId
  readonly pair: Pair
}

export function createMemoryNetwork(
  ports: MemoryNetworkPorts = {},
  conditions?: MemoryNetworkConditions,
): MemoryNetwork {
  const pairs = new Map<string, Known>()
  let groups = new Map<PeerId, number>()
  let created = 0
  const transit = createTransit(ports.clock)
  transit.setConditions(conditions)

  function pairOf(first: PeerId, second: PeerId): Pair {
    const key = first < second ? `${first} ${second}` : `${second} ${first}`
    let known = pairs.get(key)
    if (!known) {
      known = { first, second, pair: createPair() }
      pairs.set(key, known)
    }
    return known.pair
  }

  const hub: MemoryHub = {
    clock: ports.clock,
    log: ports.log ?? { write: () => undefined },
    transit,
    wires: new Map(),
    providers: new Map(),
    pair: pairOf,
    isParted: (first, second) => pairOf(first, second).cut || groups.get(first) !== groups.get(second),
  }

  function createMemoryWire(options: MemoryWireOptions): Wire {
    created++
    const peer = options.peer ?? peerId(`memory-${created}`)
    assert(!hub.wires.has(peer), `${peer} is on this network already`)
    const wire = new MemoryWire(hub, peer, options)
    hub.wires.set(peer, wire)
    wire.start()
    return wire
  }

  function change(first: PeerId, second: PeerId, fields: Partial<Pair>): void {
    const pair = hub.pair(first, second)
    Object.assign(pair, fields)
    if (pair.cut) vanish(pair)
    wake(pair)
  }

  function partition(parts: readonly (readonly PeerId[])[]): void {
    groups = new Map(parts.flatMap((peers, index) => peers.map((peer) => [peer, index] as const)))
    for (const { first, second, pair } of pairs.values()) {
      if (pair.connected && hub.isParted(first, second)) vanish(pair)
    }
  }

  function heal(...pair: [] | [first: PeerId, second: PeerId]): void {
    if (pair.length === 2) {
      change(pair[0], pair[1], { cut: false })
      return
    }
    groups = new Map()
    for (const known of pairs.values()) known.pair.cut = false
  }

  return {
    createMemoryWire,
    setConditions: transit.setConditions,
    partition,
    cut: (first, second) => change(first, second, { cut: true }),
    heal,
    kill: (peer) => hub.wires.get(peer)?.kill(),
    delay: (first, second, delayMs) => change(first, second, { delayMs }),
    hold: (first, second) => change(first, second, { held: true }),
    release: (first, second) => change(first, second, { held: false }),
  }
}
