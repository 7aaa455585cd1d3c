/**
 * A world of two wires for the contract suites: a server that listens and a client that does not, anew for each test.
 * @module
 */
import { afterEach, beforeEach } from 'vitest'
import type { PeerId } from '../../src/base/brand.ts'
import { codeOf } from '../../src/base/error.ts'
import type { Channel, ChannelHandler, PeerAddress, ProtocolOptions, Wire } from '../../src/net/wire.ts'

export interface WorldWireOptions {
  readonly listen: boolean
  readonly allow?: readonly PeerId[]
}

/** One network of wires; `stop` stops all of them. */
export interface WireWorld {
  createWire(options: WorldWireOptions): Promise<Wire>
  /** Moves the clock that bans go by. */
  advance(byMs: number): void
  /** Events that wires have logged so far. */
  readonly logged: readonly string[]
  /** An address in this wire's form where nobody listens. */
  readonly deadAddress: string
  stop(): Promise<void>
}

export const ECHO = '/dllm/test-echo/1'
export const OPTIONS: ProtocolOptions = { messageBytesMax: 1024 * 1024, channelsPerPeerMax: 64 }

export const echo: ChannelHandler = async (channel) => {
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
export function catcher(): { handler: ChannelHandler; next: () => Promise<Channel>; letGo: () => void } {
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

/** The wires of the test that runs. */
export interface TestWires {
  readonly world: WireWorld
  readonly server: Wire
  readonly client: Wire
  openEcho(options?: ProtocolOptions): Promise<Channel>
  /** Both ends of one channel: ours and the one that the server's handler got. */
  openPair(options?: ProtocolOptions): Promise<[Channel, Channel]>
}

/** Call inside a `describe`: makes the wires before each test and stops them after it. */
export function useWires(createWorld: () => Promise<WireWorld>): TestWires {
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
  return {
    get world() {
      return world
    },
    get server() {
      return server
    },
    get client() {
      return client
    },
    async openEcho(options = OPTIONS) {
      await server.handle(ECHO, options, echo)
      return await client.open(addressOf(server), ECHO, options)
    },
    async openPair(options = OPTIONS) {
      const caught = catcher()
      await server.handle(ECHO, options, caught.handler)
      const ours = await client.open(addressOf(server), ECHO, options)
      return [ours, await caught.next()]
    },
  }
}
