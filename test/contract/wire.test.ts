import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import { realClock } from './real-clock.ts'
import { describeDiscovery, describePeers } from './wire-peers-suite.ts'
import { describeChannels } from './wire-suite.ts'
import type { WireWorld } from './wire-world.ts'

/** A world that stops what it has made. */
function createWorld(deadAddress: string, createWire: WireWorld['createWire']): WireWorld {
  const wires: Wire[] = []
  return {
    deadAddress,
    createWire: async (options) => {
      const wire = await createWire(options)
      wires.push(wire)
      return wire
    },
    stop: async () => {
      await Promise.all(wires.map((wire) => wire.stop()))
    },
  }
}

async function createMemoryWorld(): Promise<WireWorld> {
  const network = createMemoryNetwork()
  return createWorld('/memory/nobody', async (options) => network.createMemoryWire(options))
}

async function createLibp2pWorld(dht: boolean): Promise<WireWorld> {
  // Port 1 is never given out, so nobody listens there.
  return createWorld('/ip4/127.0.0.1/tcp/1', ({ listen }) =>
    createLibp2pWire(
      { networkId: 'contract', listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [], mdns: false, dht },
      { clock: realClock, log: { write: () => undefined } },
    ),
  )
}

for (const describeSuite of [describeChannels, describePeers]) {
  describeSuite('memory', createMemoryWorld)
  describeSuite('libp2p', () => createLibp2pWorld(false))
}
describeDiscovery('memory', createMemoryWorld)
describeDiscovery('libp2p', () => createLibp2pWorld(true))
