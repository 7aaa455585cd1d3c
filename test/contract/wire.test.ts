import { milliseconds } from '../../src/base/brand.ts'
import type { Log } from '../../src/base/ports.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import { createFakeClock } from '../fake-clock.ts'
import { realClock } from './real-clock.ts'
import { describeConduct } from './wire-conduct-suite.ts'
import { describeNews } from './wire-news-suite.ts'
import { describeDiscovery, describePeers } from './wire-peers-suite.ts'
import { describeChannels } from './wire-suite.ts'
import type { WireWorld } from './wire-world.ts'

/** A world that stops what it has made. */
function createWorld(parts: Omit<WireWorld, 'stop'>): WireWorld {
  const wires: Wire[] = []
  return {
    ...parts,
    createWire: async (options) => {
      const wire = await parts.createWire(options)
      wires.push(wire)
      return wire
    },
    stop: async () => {
      await Promise.all(wires.map((wire) => wire.stop()))
    },
  }
}

async function createMemoryWorld(): Promise<WireWorld> {
  const clock = createFakeClock()
  const logged: string[] = []
  const network = createMemoryNetwork({ clock, log: { write: (_level, event) => logged.push(event) } })
  return createWorld({
    deadAddress: '/memory/nobody',
    advance: clock.advance,
    logged,
    createWire: async (options) => network.createMemoryWire(options),
  })
}

async function createLibp2pWorld(extras: { readonly dht?: boolean; readonly news?: boolean }): Promise<WireWorld> {
  let aheadMs = 0
  const clock = { ...realClock, now: () => milliseconds(realClock.now() + aheadMs) }
  const logged: string[] = []
  const log: Log = { write: (_level, event) => logged.push(event) }
  return createWorld({
    // Port 1 is never given out, so nobody listens there.
    deadAddress: '/ip4/127.0.0.1/tcp/1',
    advance: (byMs) => {
      aheadMs += byMs
    },
    logged,
    createWire: ({ listen, ...options }) =>
      createLibp2pWire(
        {
          networkId: 'contract',
          listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [],
          mdns: false,
          dht: extras.dht ?? false,
          news: extras.news ?? false,
          ...options,
        },
        { clock, log },
      ),
  })
}

for (const describeSuite of [describeChannels, describePeers, describeConduct]) {
  describeSuite('memory', createMemoryWorld)
  describeSuite('libp2p', () => createLibp2pWorld({}))
}
describeNews('memory', createMemoryWorld)
describeNews('libp2p', () => createLibp2pWorld({ news: true }))
describeDiscovery('memory', createMemoryWorld)
describeDiscovery('libp2p', () => createLibp2pWorld({ dht: true }))
