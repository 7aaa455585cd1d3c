/**
 * What every Wire must do. `wire.test.ts` runs it over memory and over TCP.
 * @module
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { codeOf } from '../../src/base/error.ts'
import { WIRE_LIMITS } from '../../src/base/limits.ts'
import type { Channel, ChannelHandler, PeerAddress, ProtocolOptions, Wire } from '../../src/net/wire.ts'

/** One network of wires; `stop` stops all of them. */
export interface WireWorld {
  createWire(options: { readonly listen: boolean }): Promise<Wire>
  /** An address in this wire's form where nobody listens. */
  readonly deadAddress: string
  stop(): Promise<void>
}

const ECHO = '/dllm/test-echo/1'
const OPTIONS: ProtocolOptions = { messageBytesMax: 1024 * 1024, channelsPerPeerMax: 64 }

const echo: ChannelHandler = async (channel) => {
  for (let message = await channel.receive(); message; message = await channel.receive()) channel.send(message)
}

export function addressOf(wire: Wire): PeerAddress {
  return { peer: wire.peer, addresses: wire.addresses() }
}

export function bytesOf(...values: number[]): Uint8Array {
  return new Uint8Array(values)
}

/** The code of the HouseError that `promise` rejects with. */
export async function codeFrom(promise: Promise<unknown> | (() => unknown)): Promise<string | undefined> {
  try {
    await (typeof promise === 'function' ? promise() : promise)
  } catch (error) {
    return codeOf(error) ?? `not a HouseError: ${String(error)}`
  }
  return 'no error'
}

/** A handler that hands its channel to the test and leaves it open until the test lets go. */
function catcher(): { handler: ChannelHandler; next: () => Promise<Channel>; letGo: () => void } {
  const waiting: ((channel: Channel) => void)[] = []
  const caught: Channel[] = []
  const done = Promise.withResolvers<void>()
  return {
    handler: async (channel) => {
      const taker = waiting.shift()
      if (taker) taker(channel)
      else caught.push(channel)
      await done.promise
    },
    next: () => {
      const channel = caught.shift()
      return channel ? Promise.resolve(channel) : new Promise((resolve) => waiting.push(resolve))
    },
    letGo: done.resolve,
  }
}

export function describeWire(name: string, createWorld: () => Promise<WireWorld>): void {
  describe(`${name} wire`, () => {
    let world: WireWorld
    let server: Wire
    let client: Wire

    beforeEach(async () => {
      world = await createWorld()
      server = await world.createWire({ listen: true })
      client = await world.createWire({ listen: false })
    })
    afterEach(async () => {
      await world.stop()
    })

    async function openEcho(options: ProtocolOptions = OPTIONS): Promise<Channel> {
      await server.handle(ECHO, options, echo)
      return await client.open(addressOf(server), ECHO, options)
    }

    /** Both ends of one channel: ours and the one that the server's handler got. */
    async function openPair(options: ProtocolOptions = OPTIONS): Promise<[Channel, Channel]> {
      const caught = catcher()
      await server.handle(ECHO, options, caught.handler)
      const ours = await client.open(addressOf(server), ECHO, options)
      return [ours, await caught.next()]
    }

    describe('messages', () => {
      test('arrive whole and in order, also empty ones', async () => {
        const channel = await openEcho()
        const lengths = [0, 1, 3, 4, 5, 0, 8192, 65_536, 70_001, 0, 2]
        for (const [index, length] of lengths.entries()) channel.send(new Uint8Array(length).fill(index + 1))
        for (const [index, length] of lengths.entries()) {
          const message = await channel.receive()
          expect(message?.length).toBe(length)
          expect(message?.every((value) => value === index + 1)).toBe(true)
        }
        expect(channel.bytesSent).toBe(lengths.reduce((sum, length) => sum + length, 0))
        expect(channel.bytesReceived).toBe(channel.bytesSent)
        await channel.close()
        expect(await channel.receive()).toBeUndefined()
      })

      test('start at offset 0 of a buffer of their own, so that they can be read as f32', async () => {
        const channel = await openEcho()
        channel.send(bytesOf(1))
        channel.send(new Uint8Array(new Float32Array([1.5, -2]).buffer))
        await channel.receive()
        const message = await channel.receive()
        expect(message?.byteOffset).toBe(0)
        expect([...new Float32Array(message!.buffer)]).toEqual([1.5, -2])
      })

      test('may be as long as a stage frame, in both directions at once', async () => {
        const options = { messageBytesMax: WIRE_LIMITS.stageMessageBytesMax, channelsPerPeerMax: 4 }
        const channel = await openEcho(options)
        const large = new Uint8Array(options.messageBytesMax)
        for (let index = 0; index < large.length; index += 4093) large[index] = index % 251
        channel.send(large)
        channel.send(large)
        await channel.drained()
        for (let count = 0; count < 2; count++) {
          const message = await channel.receive()
          expect(message && Buffer.compare(message, large)).toBe(0)
        }
      })

      test('over the limit are refused by the sender, and the channel goes on', async () => {
        const channel = await openEcho({ messageBytesMax: 100, channelsPerPeerMax: 4 })
        expect(await codeFrom(() => channel.send(new Uint8Array(101)))).toBe('WIRE_MESSAGE_TOO_LONG')
        channel.send(new Uint8Array(100))
        expect((await channel.receive())?.length).toBe(100)
      })

      test('over the limit are refused by the receiver, who drops the channel', async () => {
        const caught = catcher()
        await server.handle(ECHO, { messageBytesMax: 100, channelsPerPeerMax: 4 }, caught.handler)
        const ours = await client.open(addressOf(server), ECHO, OPTIONS)
        const theirs = await caught.next()
        ours.send(bytesOf(7))
        ours.send(new Uint8Array(101))
        const codes = [await codeFrom(drain(theirs)), await codeFrom(ours.receive())]
        expect(codes).toEqual(['WIRE_MESSAGE_TOO_LONG', 'WIRE_CHANNEL_CUT'])
      })

      test('of many channels do not mix', async () => {
        await server.handle(ECHO, OPTIONS, echo)
        const channels = await Promise.all(
          Array.from({ length: 40 }, () => client.open(addressOf(server), ECHO, OPTIONS)),
        )
        for (let round = 0; round < 5; round++) {
          for (const [index, channel] of channels.entries()) channel.send(bytesOf(index, round))
        }
        for (const [index, channel] of channels.entries()) {
          for (let round = 0; round < 5; round++) expect(await channel.receive()).toEqual(bytesOf(index, round))
        }
        expect(client.connectedPeers()).toEqual([server.peer])
      })

      test('that nobody reads are bounded: the reader loses the channel, not its memory', async () => {
        const [ours, theirs] = await openPair()
        const sending = codeFrom(async () => {
          for (let count = 0; count < 2 * WIRE_LIMITS.channelQueueMessagesMax; count++) {
            ours.send(bytesOf(count % 256))
            await ours.drained()
          }
          await ours.receive()
        })
        expect(await sending).toBe('WIRE_CHANNEL_CUT')
        expect(await codeFrom(theirs.receive())).toBe('WIRE_QUEUE_FULL')
      })
    })

    describe('the end of a channel', () => {
      test('is undefined after an end marker; the other direction goes on', async () => {
        const [ours, theirs] = await openPair()
        ours.send(bytesOf(1))
        await ours.close()
        expect(await theirs.receive()).toEqual(bytesOf(1))
        expect(await theirs.receive()).toBeUndefined()
        expect(await theirs.receive()).toBeUndefined()
        theirs.send(bytesOf(2))
        expect(await ours.receive()).toEqual(bytesOf(2))
        await theirs.close()
        expect(await ours.receive()).toBeUndefined()
      })

      test('close is idempotent, and sending after it is refused', async () => {
        const [ours, theirs] = await openPair()
        await Promise.all([ours.close(), ours.close()])
        await ours.close()
        expect(await codeFrom(() => ours.send(bytesOf(1)))).toBe('WIRE_CHANNEL_CLOSED')
        expect(await theirs.receive()).toBeUndefined()
      })

      test('by abort is a cut for the other side and closed for ours; abort is idempotent', async () => {
        const [ours, theirs] = await openPair()
        const waiting = codeFrom(theirs.receive())
        const reading = codeFrom(ours.receive())
        ours.abort('the test says so')
        ours.abort('twice')
        expect(await waiting).toBe('WIRE_CHANNEL_CUT')
        expect(await reading).toBe('WIRE_CHANNEL_CLOSED')
        expect(await codeFrom(() => ours.send(bytesOf(1)))).toBe('WIRE_CHANNEL_CLOSED')
        expect(await codeFrom(ours.drained())).toBe('WIRE_CHANNEL_CLOSED')
        expect(await codeFrom(() => theirs.send(bytesOf(1)))).toBe('WIRE_CHANNEL_CUT')
        await ours.close()
        await theirs.close()
      })

      test('by a handler that throws is a cut, and the server goes on', async () => {
        await server.handle(ECHO, OPTIONS, async (channel) => {
          const message = await channel.receive()
          if (message?.[0] === 1) throw new Error('this message is bad')
          channel.send(bytesOf(9))
        })
        const bad = await client.open(addressOf(server), ECHO, OPTIONS)
        bad.send(bytesOf(1))
        expect(await codeFrom(bad.receive())).toBe('WIRE_CHANNEL_CUT')
        const good = await client.open(addressOf(server), ECHO, OPTIONS)
        good.send(bytesOf(2))
        expect(await good.receive()).toEqual(bytesOf(9))
      })

      test('comes with the end of the handler', async () => {
        await server.handle(ECHO, OPTIONS, async (channel) => channel.send(bytesOf(5)))
        const channel = await client.open(addressOf(server), ECHO, OPTIONS)
        expect(await channel.receive()).toEqual(bytesOf(5))
        expect(await channel.receive()).toBeUndefined()
      })

      test('leaves what came before it to be read', async () => {
        const [ours, theirs] = await openPair()
        theirs.send(bytesOf(3))
        theirs.send(bytesOf(4))
        expect(await ours.receive()).toEqual(bytesOf(3))
        await server.stop()
        expect(await ours.receive()).toEqual(bytesOf(4))
        expect(await ours.receive()).toBeUndefined()
        expect(await codeFrom(theirs.receive())).toBe('WIRE_STOPPED')
      })
    })

    describe('waiting', () => {
      test('with a signal stops when it fires, and loses no message', async () => {
        const [ours, theirs] = await openPair()
        const stop = new AbortController()
        const waiting = theirs.receive(stop.signal)
        stop.abort(new Error('enough'))
        await expect(waiting).rejects.toThrow('enough')
        await expect(theirs.receive(stop.signal)).rejects.toThrow('enough')
        await expect(theirs.drained(stop.signal)).rejects.toThrow('enough')
        ours.send(bytesOf(1))
        ours.send(bytesOf(2))
        expect(await theirs.receive()).toEqual(bytesOf(1))
        expect(await theirs.receive(new AbortController().signal)).toEqual(bytesOf(2))
      })

      test('for an opening stops at once with a signal that has fired', async () => {
        const signal = AbortSignal.abort(new Error('never mind'))
        await expect(client.open(addressOf(server), ECHO, OPTIONS, signal)).rejects.toThrow('never mind')
        await expect(client.connect(server.addresses()[0]!, signal)).rejects.toThrow('never mind')
      })
    })

    describe('peers', () => {
      test('that do not speak the protocol are told apart from peers that are not there', async () => {
        const code = await codeFrom(client.open(addressOf(server), '/dllm/unheard-of/1', OPTIONS))
        expect(code).toBe('WIRE_PROTOCOL_UNSUPPORTED')
        const gone = await world.createWire({ listen: true })
        const address = addressOf(gone)
        await gone.stop()
        expect(await codeFrom(client.open(address, ECHO, OPTIONS))).toBe('WIRE_PEER_UNREACHABLE')
      })

      test.each(['not an address', '/ip4/300.1.1.1/tcp/1', ''])('at %j are unreachable', async (address) => {
        expect(await codeFrom(client.connect(address))).toBe('WIRE_PEER_UNREACHABLE')
        const code = await codeFrom(client.open({ peer: server.peer, addresses: [address] }, ECHO, OPTIONS))
        expect(code).toBe('WIRE_PEER_UNREACHABLE')
      })

      test('where nobody listens are unreachable', async () => {
        expect(await codeFrom(client.connect(world.deadAddress))).toBe('WIRE_PEER_UNREACHABLE')
      })

      test('without an address or a connection are unreachable', async () => {
        const code = await codeFrom(client.open({ peer: server.peer, addresses: [] }, ECHO, OPTIONS))
        expect(code).toBe('WIRE_PEER_UNREACHABLE')
      })

      test('with another identity than expected are unreachable', async () => {
        const other = await world.createWire({ listen: true })
        const wrong = { peer: other.peer, addresses: server.addresses() }
        expect(await codeFrom(client.open(wrong, ECHO, OPTIONS))).toBe('WIRE_PEER_UNREACHABLE')
      })

      test('at their limit of channels refuse one more, and take it when one has ended', async () => {
        const options = { messageBytesMax: 100, channelsPerPeerMax: 2 }
        await server.handle(ECHO, options, echo)
        const first = await client.open(addressOf(server), ECHO, options)
        await client.open(addressOf(server), ECHO, options)
        expect(await codeFrom(client.open(addressOf(server), ECHO, options))).toBe('WIRE_PROTOCOL_UNSUPPORTED')
        await first.close()
        expect(await first.receive()).toBeUndefined()
        await expect
          .poll(() => codeFrom(client.open(addressOf(server), ECHO, options)), { timeout: 5_000 })
          .toBe('no error')
      })

      test('that do not listen are reached over the connection that they made', async () => {
        await client.handle(ECHO, OPTIONS, echo)
        expect(await client.connect(server.addresses()[0]!)).toBe(server.peer)
        expect(client.addresses()).toEqual([])
        await expect.poll(() => server.connectedPeers()).toEqual([client.peer])
        const channel = await server.open({ peer: client.peer, addresses: [] }, ECHO, OPTIONS)
        expect(channel.peer).toBe(client.peer)
        channel.send(bytesOf(1, 2))
        expect(await channel.receive()).toEqual(bytesOf(1, 2))
      })

      test('that were met are known, with their addresses, and answer pings', async () => {
        await client.connect(server.addresses()[0]!)
        await expect
          .poll(() => client.knownPeers().find(({ peer }) => peer === server.peer)?.addresses.length)
          .toBeGreaterThan(0)
        expect(await client.ping(server.peer)).toBeGreaterThanOrEqual(0)
        const stranger = await world.createWire({ listen: true })
        expect(await codeFrom(client.ping(stranger.peer))).toBe('WIRE_PEER_UNREACHABLE')
      })
    })

    describe('stopping', () => {
      test('ends channels with end markers, refuses everything after, and is idempotent', async () => {
        const [ours, theirs] = await openPair()
        const waiting = codeFrom(ours.receive())
        await Promise.all([client.stop(), client.stop()])
        expect(await waiting).toBe('WIRE_STOPPED')
        expect(await theirs.receive()).toBeUndefined()
        const codes = await Promise.all([
          codeFrom(client.open(addressOf(server), ECHO, OPTIONS)),
          codeFrom(client.connect(server.addresses()[0]!)),
          codeFrom(client.ping(server.peer)),
          codeFrom(client.handle('/dllm/late/1', OPTIONS, echo)),
          codeFrom(client.provide(new Uint8Array(32))),
        ])
        expect(new Set(codes)).toEqual(new Set(['WIRE_STOPPED']))
        expect(client.connectedPeers()).toEqual([])
        await expect.poll(() => server.connectedPeers()).toEqual([])
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

/** Reads to the end. */
async function drain(channel: Channel): Promise<void> {
  while (await channel.receive());
}
