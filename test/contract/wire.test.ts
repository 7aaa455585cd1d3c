import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import { describeDiscovery, describeWire, type WireWorld } from './wire-suite.ts'

async function createMemoryWorld(): Promise<WireWorld> {
  const network = createMemoryNetwork()
  const wires: Wire[] = []
  return {
    deadAddress: '/memory/nobody',
    createWire: async (options) => {
      const wire = network.createMemoryWire(options)
      wires.push(wire)
      return wire
    },
    stop: async () => {
      await Promise.all(wires.map((wire) => wire.stop()))
    },
  }
}

describeWire('memory', createMemoryWorld)
describeDiscovery('memory', createMemoryWorld)
