/**
 * What every Wire must do with peers: finding, reaching, refusing, leaving. `wire.test.ts` runs it over memory and TCP.
 * @module
 */
import { describe, expect, test } from 'vitest'
import type { Wire } from '../../src/net/wire.ts'
import { addressOf, bytesOf, codeFrom, ECHO, echo, OPTIONS, useWires, type WireWorld } from './wire-world.ts'

export function describePeers(name: string, createWorld: () => Promise<WireWorld>): void {
  describe(`${name} wire, peers`, () => {
    const wires = useWires(createWorld)

    describe('peers', () => {
      test('that do not speak the protocol are told apart from peers that are not there', async () => {
        const code = await codeFrom(wires.client.open(addressOf(wires.server), '/dllm/unheard-of/1', OPTIONS))
        expect(code).toBe('WIRE_PROTOCOL_UNSUPPORTED')
        const gone = await wires.world.createWire({ listen: true })
        const address = addressOf(gone)
        await gone.stop()
        expect(await codeFrom(wires.client.open(address, ECHO, OPTIONS))).toBe('WIRE_PEER_UNREACHABLE')
      })

      test.each(['not an address', '/ip4/300.1.1.1/tcp/1', ''])('at %j are unreachable', async (address) => {
        expect(await codeFrom(wires.client.connect(address))).toBe('WIRE_PEER_UNREACHABLE')
        const code = await codeFrom(wires.client.open({ peer: wires.server.peer, addresses: [address] }, ECHO, OPTIONS))
        expect(code).toBe('WIRE_PEER_UNREACHABLE')
      })

      test('where nobody listens are unreachable', async () => {
        expect(await codeFrom(wires.client.connect(wires.world.deadAddress))).toBe('WIRE_PEER_UNREACHABLE')
      })

      test('without an address or a connection are unreachable', async () => {
        const code = await codeFrom(wires.client.open({ peer: wires.server.peer, addresses: [] }, ECHO, OPTIONS))
        expect(code).toBe('WIRE_PEER_UNREACHABLE')
      })

      test('with another identity than expected are unreachable', async () => {
        const other = await wires.world.createWire({ listen: true })
        const wrong = { peer: other.peer, addresses: wires.server.addresses() }
        expect(await codeFrom(wires.client.open(wrong, ECHO, OPTIONS))).toBe('WIRE_PEER_UNREACHABLE')
      })

      test('at their limit of channels refuse one more, and take it when one has ended', async () => {
        const options = { messageBytesMax: 100, channelsPerPeerMax: 2 }
        await wires.server.handle(ECHO, options, echo)
        const first = await wires.client.open(addressOf(wires.server), ECHO, options)
        await wires.client.open(addressOf(wires.server), ECHO, options)
        expect(await codeFrom(wires.client.open(addressOf(wires.server), ECHO, options))).toBe(
          'WIRE_PROTOCOL_UNSUPPORTED',
        )
        await first.close()
        expect(await first.receive()).toBeUndefined()
        await expect
          .poll(() => codeFrom(wires.client.open(addressOf(wires.server), ECHO, options)), { timeout: 5_000 })
          .toBe('no error')
      })

      test('that do not listen are reached over the connection that they made', async () => {
        await wires.client.handle(ECHO, OPTIONS, echo)
        expect(await wires.client.connect(wires.server.addresses()[0]!)).toBe(wires.server.peer)
        expect(wires.client.addresses()).toEqual([])
        await expect.poll(() => wires.server.connectedPeers()).toEqual([wires.client.peer])
        const channel = await wires.server.open({ peer: wires.client.peer, addresses: [] }, ECHO, OPTIONS)
        expect(channel.peer).toBe(wires.client.peer)
        channel.send(bytesOf(1, 2))
        expect(await channel.receive()).toEqual(bytesOf(1, 2))
      })

      test('that were met are known, with their addresses, and answer pings', async () => {
        await wires.client.connect(wires.server.addresses()[0]!)
        await expect
          .poll(() => wires.client.knownPeers().find(({ peer }) => peer === wires.server.peer)?.addresses.length)
          .toBeGreaterThan(0)
        expect(await wires.client.ping(wires.server.peer)).toBeGreaterThanOrEqual(0)
        const stranger = await wires.world.createWire({ listen: true })
        expect(await codeFrom(wires.client.ping(stranger.peer))).toBe('WIRE_PEER_UNREACHABLE')
      })

      test('answer many pings at once, and stay connected', async () => {
        await wires.client.connect(wires.server.addresses()[0]!)
        const pings = Array.from({ length: 16 }, () => codeFrom(wires.client.ping(wires.server.peer)))
        expect(new Set(await Promise.all(pings))).toEqual(new Set(['no error']))
        expect(wires.client.connectedPeers()).toEqual([wires.server.peer])
      })
    })

    describe('stopping', () => {
      test('ends channels with end markers, refuses everything after, and is idempotent', async () => {
        const [ours, theirs] = await wires.openPair()
        const waiting = codeFrom(ours.receive())
        await Promise.all([wires.client.stop(), wires.client.stop()])
        expect(await waiting).toBe('WIRE_STOPPED')
        expect(await theirs.receive()).toBeUndefined()
        const codes = await Promise.all([
          codeFrom(wires.client.open(addressOf(wires.server), ECHO, OPTIONS)),
          codeFrom(wires.client.connect(wires.server.addresses()[0]!)),
          codeFrom(wires.client.ping(wires.server.peer)),
          codeFrom(wires.client.handle('/dllm/late/1', OPTIONS, echo)),
          codeFrom(wires.client.provide(new Uint8Array(32))),
        ])
        expect(new Set(codes)).toEqual(new Set(['WIRE_STOPPED']))
        expect(wires.client.connectedPeers()).toEqual([])
        await expect.poll(() => wires.server.connectedPeers()).toEqual([])
      })
    })
  })
}

/** What announces and finds providers; apart, because it needs four peers that listen. */
export function describeDiscovery(name: string, createWorld: () => Promise<WireWorld>): void {
  test(`${name} wire finds the peers that provide a key, and nobody for another key`, async () => {
    const world = await createWorld()
    try {
      const wires = [await world.createWire({ listen: true })]
      for (let count = 1; count < 4; count++) {
        const wire = await world.createWire({ listen: true })
        await wire.connect(wires[0]!.addresses()[0]!)
        wires.push(wire)
      }
      const key = new Uint8Array(32).fill(7)
      const [seeker, ...providers] = [wires[3]!, wires[1]!, wires[2]!]
      for (const provider of providers) await provider.provide(key)
      const expected = providers.map(({ peer }) => peer).sort()
      await expect.poll(async () => (await found(seeker, key)).sort(), { timeout: 20_000 }).toEqual(expected)
      expect(await found(seeker, new Uint8Array(32).fill(8))).toEqual([])
    } finally {
      await world.stop()
    }
  })
}

async function found(wire: Wire, key: Uint8Array): Promise<string[]> {
  const peers: string[] = []
  for await (const provider of wire.findProviders(key)) {
    if (provider.addresses.length > 0) peers.push(provider.peer)
  }
  return peers
}
