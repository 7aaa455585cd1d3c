/**
 * Acceptor: which protocols this peer serves, how many channels each remote peer may have open to it, and the running
 * of handlers. Shared by all wires; knows nothing of how a link came about.
 * Spec: docs/spec/wire.md §2.2.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { PeerId } from '../base/brand.ts'
import { codeOf, messageOf } from '../base/error.ts'
import type { Log } from '../base/ports.ts'
import { type ByteLink, FramedChannel } from './channel.ts'
import type { ChannelHandler, ProtocolId, ProtocolOptions, WireError } from './wire.ts'

export interface Acceptor {
  /** Registers a protocol, once. */
  handle(protocol: ProtocolId, options: ProtocolOptions, handler: ChannelHandler): void
  serves(protocol: ProtocolId): boolean
  /** Makes a channel of an incoming link and runs the handler; resets the link if the peer is at its limit. */
  accept(peer: PeerId, protocol: ProtocolId, link: ByteLink): void
  /** A channel that this side opens; it counts only for `shutDown`. */
  open(peer: PeerId, protocol: ProtocolId, options: OpenedLink): FramedChannel
  /** Ends every channel, with end markers where the link still works. */
  shutDown(error: WireError): Promise<void>
}

export interface OpenedLink {
  readonly link: ByteLink
  readonly messageBytesMax: number
}

interface Served {
  readonly options: ProtocolOptions
  readonly handler: ChannelHandler
  readonly channelsByPeer: Map<PeerId, number>
}

export function createAcceptor(log: Log): Acceptor {
  const served = new Map<ProtocolId, Served>()
  const channels = new Set<FramedChannel>()

  function handle(protocol: ProtocolId, options: ProtocolOptions, handler: ChannelHandler): void {
    assert(!served.has(protocol), `${protocol} has a handler already`)
    served.set(protocol, { options, handler, channelsByPeer: new Map() })
  }

  function accept(peer: PeerId, protocol: ProtocolId, link: ByteLink): void {
    const entry = served.get(protocol)
    assert(entry, `nobody handles ${protocol}`)
    const count = entry.channelsByPeer.get(peer) ?? 0
    if (count >= entry.options.channelsPerPeerMax) {
      log.write('warn', 'wire.channels_refused', { peer, protocol, channels: count })
      link.reset('too many channels of this protocol')
      return
    }
    entry.channelsByPeer.set(peer, count + 1)
    const channel: FramedChannel = new FramedChannel(link, {
      peer,
      protocol,
      messageBytesMax: entry.options.messageBytesMax,
      role: 'acceptor',
      onReleased: () => {
        channels.delete(channel)
        const left = (entry.channelsByPeer.get(peer) ?? 1) - 1
        if (left > 0) entry.channelsByPeer.set(peer, left)
        else entry.channelsByPeer.delete(peer)
      },
    })
    channels.add(channel)
    void run(channel, entry.handler)
  }

  async function run(channel: FramedChannel, handler: ChannelHandler): Promise<void> {
    try {
      await handler(channel)
      await channel.close()
    } catch (error) {
      // A peer that goes away is everyday life; anything else is worth a look.
      const everyday = codeOf(error) === 'WIRE_CHANNEL_CUT' || codeOf(error) === 'WIRE_STOPPED'
      log.write(everyday ? 'debug' : 'warn', 'wire.handler_failed', {
        peer: channel.peer,
        protocol: channel.protocol,
        code: codeOf(error),
        message: messageOf(error),
      })
      channel.abort('the handler failed')
    }
  }

  function open(peer: PeerId, protocol: ProtocolId, { link, messageBytesMax }: OpenedLink): FramedChannel {
    const channel: FramedChannel = new FramedChannel(link, {
      peer,
      protocol,
      messageBytesMax,
      role: 'opener',
      onReleased: () => channels.delete(channel),
    })
    channels.add(channel)
    return channel
  }

  return {
    handle,
    serves: (protocol) => served.has(protocol),
    accept,
    open,
    shutDown: async (error) => {
      await Promise.all([...channels].map((channel) => channel.shutDown(error)))
    },
  }
}
