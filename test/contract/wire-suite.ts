/**
 * What every Channel must do. `wire.test.ts` runs it over memory and over TCP.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { WIRE_LIMITS } from '../../src/base/limits.ts'
import type { Channel } from '../../src/net/wire.ts'
import { addressOf, bytesOf, catcher, codeFrom, ECHO, echo, OPTIONS, useWires, type WireWorld } from './wire-world.ts'

export function describeChannels(name: string, createWorld: () => Promise<WireWorld>): void {
  describe(`${name} wire, channels`, () => {
    const wires = useWires(createWorld)

    describe('messages', () => {
      test('arrive whole and in order, also empty ones', async () => {
        const channel = await wires.openEcho()
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
        const channel = await wires.openEcho()
        channel.send(bytesOf(1))
        channel.send(new Uint8Array(new Float32Array([1.5, -2]).buffer))
        await channel.receive()
        const message = await channel.receive()
        expect(message?.byteOffset).toBe(0)
        expect([...new Float32Array(message!.buffer)]).toEqual([1.5, -2])
      })

      test('may be as long as a stage frame, in both directions at once', async () => {
        const options = { messageBytesMax: WIRE_LIMITS.stageMessageBytesMax, channelsPerPeerMax: 4 }
        const channel = await wires.openEcho(options)
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
        const channel = await wires.openEcho({ messageBytesMax: 100, channelsPerPeerMax: 4 })
        expect(await codeFrom(() => channel.send(new Uint8Array(101)))).toBe('WIRE_MESSAGE_TOO_LONG')
        channel.send(new Uint8Array(100))
        expect((await channel.receive())?.length).toBe(100)
      })

      test('over the limit are refused by the receiver, who drops the channel', async () => {
        const caught = catcher()
        await wires.server.handle(ECHO, { messageBytesMax: 100, channelsPerPeerMax: 4 }, caught.handler)
        const ours = await wires.client.open(addressOf(wires.server), ECHO, OPTIONS)
        const theirs = await caught.next()
        ours.send(bytesOf(7))
        ours.send(new Uint8Array(101))
        const codes = [await codeFrom(drain(theirs)), await codeFrom(ours.receive())]
        expect(codes).toEqual(['WIRE_MESSAGE_TOO_LONG', 'WIRE_CHANNEL_CUT'])
      })

      test('of many channels do not mix', async () => {
        await wires.server.handle(ECHO, OPTIONS, echo)
        const channels = await Promise.all(
          Array.from({ length: 40 }, () => wires.client.open(addressOf(wires.server), ECHO, OPTIONS)),
        )
        for (let round = 0; round < 5; round++) {
          for (const [index, channel] of channels.entries()) channel.send(bytesOf(index, round))
        }
        for (const [index, channel] of channels.entries()) {
          for (let round = 0; round < 5; round++) expect(await channel.receive()).toEqual(bytesOf(index, round))
        }
        expect(wires.client.connectedPeers()).toEqual([wires.server.peer])
      })

      test('that nobody reads are bounded: the reader loses the channel, not its memory', async () => {
        const [ours, theirs] = await wires.openPair()
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
        const [ours, theirs] = await wires.openPair()
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
        const [ours, theirs] = await wires.openPair()
        await Promise.all([ours.close(), ours.close()])
        await ours.close()
        expect(await codeFrom(() => ours.send(bytesOf(1)))).toBe('WIRE_CHANNEL_CLOSED')
        expect(await theirs.receive()).toBeUndefined()
      })

      test('by abort is a cut for the other side and closed for ours; abort is idempotent', async () => {
        const [ours, theirs] = await wires.openPair()
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
        await wires.server.handle(ECHO, OPTIONS, async (channel) => {
          const message = await channel.receive()
          if (message?.[0] === 1) throw new Error('this message is bad')
          channel.send(bytesOf(9))
        })
        const bad = await wires.client.open(addressOf(wires.server), ECHO, OPTIONS)
        bad.send(bytesOf(1))
        expect(await codeFrom(bad.receive())).toBe('WIRE_CHANNEL_CUT')
        const good = await wires.client.open(addressOf(wires.server), ECHO, OPTIONS)
        good.send(bytesOf(2))
        expect(await good.receive()).toEqual(bytesOf(9))
      })

      test('comes with the end of the handler', async () => {
        await wires.server.handle(ECHO, OPTIONS, async (channel) => channel.send(bytesOf(5)))
        const channel = await wires.client.open(addressOf(wires.server), ECHO, OPTIONS)
        expect(await channel.receive()).toEqual(bytesOf(5))
        expect(await channel.receive()).toBeUndefined()
      })

      test('leaves what came before it to be read', async () => {
        const [ours, theirs] = await wires.openPair()
        theirs.send(bytesOf(3))
        theirs.send(bytesOf(4))
        expect(await ours.receive()).toEqual(bytesOf(3))
        await wires.server.stop()
        expect(await ours.receive()).toEqual(bytesOf(4))
        expect(await ours.receive()).toBeUndefined()
        expect(await codeFrom(theirs.receive())).toBe('WIRE_STOPPED')
      })
    })

    describe('waiting', () => {
      test('with a signal stops when it fires, and loses no message', async () => {
        const [ours, theirs] = await wires.openPair()
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
        await expect(wires.client.open(addressOf(wires.server), ECHO, OPTIONS, signal)).rejects.toThrow('never mind')
        await expect(wires.client.connect(wires.server.addresses()[0]!, signal)).rejects.toThrow('never mind')
      })
    })
  })
}

/** Reads to the end. */
async function drain(channel: Channel): Promise<void> {
  while (await channel.receive());
}
