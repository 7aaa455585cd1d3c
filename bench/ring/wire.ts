/**
 * The wire of a process of a ring, by the name of its transport.
 * @module
 */
import { createNodeIdentity } from '../../src/app/node-identity.ts'
import type { System } from '../../src/app/system.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import type { Wire } from '../../src/net/wire.ts'
import type { Transport } from './messages.ts'
import { createTcpWire } from './tcp-wire.ts'

const NETWORK_ID = 'bench-ring'

/** `address`: IPv4, to listen at; without, it only dials. */
export async function openWire(transport: Transport, address: string | undefined, system: System): Promise<Wire> {
  const { peer, privateKey } = await createNodeIdentity(system.random)
  if (transport === 'tcp') return createTcpWire({ peer, address }, system)
  const listen = address === undefined ? [] : [`/ip4/${address}/tcp/0`]
  return createLibp2pWire({ networkId: NETWORK_ID, privateKey, listen, mdns: false, dht: false }, system)
}
