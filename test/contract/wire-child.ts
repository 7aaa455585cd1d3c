/**
 * A peer in a process of its own: serves an echo, prints its address as a line of JSON, stops when its stdin ends, and
 * then must exit by itself.
 * @module
 */
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import { realClock } from './real-clock.ts'

const wire = await createLibp2pWire(
  {
    networkId: process.argv[2] ?? 'contract',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: process.argv[3] === 'mdns',
    dht: true,
  },
  { clock: realClock, log: { write: () => undefined } },
)
await wire.handle('/dllm/test-echo/1', { messageBytesMax: 1024 * 1024, channelsPerPeerMax: 8 }, async (channel) => {
  for (let message = await channel.receive(); message; message = await channel.receive()) channel.send(message)
})
process.stdout.write(`${JSON.stringify({ peer: wire.peer, addresses: wire.addresses() })}\n`)
for await (const _ of process.stdin);
await wire.stop()
