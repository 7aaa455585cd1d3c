/**
 * What every Wire must do with peers that it does not want: banned for their conduct, or not allowed from the start.
 * `wire.test.ts` runs it over memory and TCP.
 * @module
 */
import { describe, expect, test } from 'vitest'
import { peerId } from '../../src/base/brand.ts'
import type { Wire } from '../../src/net/wire.ts'
import { addressOf, codeFrom, ECHO, echo, OPTIONS, useWires, type WireWorld } from './wire-world.ts'

const HOUR_MS = 60 * 60_000

export function describeConduct(name: string, createWorld: () => Promise<WireWorld>): void {
  describe(`${name} wire, conduct`, () => {
    const wires = useWires(createWorld)

    function open(from: Wire, to: Wire): Promise<string | undefined> {
      return codeFrom(from.open(addressOf(to), ECHO, OPTIONS))
    }

    test('a peer that misbehaves too often is cut, and stays out until its hour is over', async () => {
      const channel = await wires.openEcho()
      const waiting = codeFrom(channel.receive())
      wires.server.judge(wires.client.peer, 'misbehaved')
      wires.server.judge(wires.client.peer, 'misbehaved')
      expect(wires.server.connectedPeers()).toEqual([wires.client.peer])
      wires.server.judge(wires.client.peer, 'misbehaved')
      expect(await waiting).toBe('WIRE_CHANNEL_CUT')
      await expect.poll(() => wires.client.connectedPeers()).toEqual([])
      expect(wires.server.connectedPeers()).toEqual([])
      expect(await open(wires.client, wires.server)).toBe('WIRE_PEER_UNREACHABLE')
      wires.world.advance(HOUR_MS - 60_000)
      expect(await open(wires.client, wires.server)).toBe('WIRE_PEER_UNREACHABLE')
      wires.world.advance(60_000)
      expect(await open(wires.client, wires.server)).toBe('no error')
      expect(wires.world.logged.filter((event) => event === 'wire.peer_banned')).toHaveLength(1)
    })

    test('a banned peer is not dialled either, by its id or by an address that names it', async () => {
      const other = await wires.world.createWire({ listen: true })
      await other.handle(ECHO, OPTIONS, echo)
      for (let count = 0; count < 3; count++) wires.server.judge(other.peer, 'misbehaved')
      expect(await open(wires.server, other)).toBe('WIRE_PEER_REFUSED')
      const named = other.addresses()[0]!
      expect(await codeFrom(wires.server.connect(named))).toMatch(/^WIRE_PEER_(REFUSED|UNREACHABLE)$/)
      expect(wires.server.connectedPeers()).toEqual([])
      wires.world.advance(HOUR_MS)
      expect(await open(wires.server, other)).toBe('no error')
    })

    test('a peer that is useful between its faults stays', async () => {
      await wires.openEcho()
      for (let round = 0; round < 20; round++) {
        wires.server.judge(wires.client.peer, 'misbehaved')
        for (let count = 0; count < 20; count++) wires.server.judge(wires.client.peer, 'useful')
      }
      expect(wires.server.connectedPeers()).toEqual([wires.client.peer])
    })

    test('faults are forgotten with time', async () => {
      await wires.openEcho()
      for (let round = 0; round < 10; round++) {
        wires.server.judge(wires.client.peer, 'misbehaved')
        wires.world.advance(HOUR_MS / 2)
      }
      expect(wires.server.connectedPeers()).toEqual([wires.client.peer])
    })

    test('a list of allowed peers keeps others out, both ways', async () => {
      const friend = wires.client
      const stranger = await wires.world.createWire({ listen: true })
      const closed = await wires.world.createWire({ listen: true, allow: [friend.peer, peerId('nobody')] })
      for (const wire of [stranger, closed]) await wire.handle(ECHO, OPTIONS, echo)
      expect(await open(friend, closed)).toBe('no error')
      expect(await open(stranger, closed)).toBe('WIRE_PEER_UNREACHABLE')
      expect(await open(closed, stranger)).toBe('WIRE_PEER_REFUSED')
      expect(await codeFrom(closed.connect(stranger.addresses()[0]!))).toBe('WIRE_PEER_REFUSED')
      const anonymous = stranger.addresses()[0]!.replace(/\/p2p\/.*/, '')
      expect(await codeFrom(closed.connect(anonymous))).toMatch(/^WIRE_PEER_(REFUSED|UNREACHABLE)$/)
      expect(closed.connectedPeers()).toEqual([friend.peer])
    })
  })
}
