/**
 * Looks over a node's shoulder at its ports: what it tells others, unasked and asked, and what it keeps. Changes nothing.
 * @module
 */

import { readNumber } from '../../src/app/node/store-keys.ts'
import { decodeConsensusMessage, TOPICS } from '../../src/app/node/topics.ts'
import type { KeyValueStore } from '../../src/app/store/key-value.ts'
import { type Hash, hash } from '../../src/base/brand.ts'
import { decodeProposal, decodeVote } from '../../src/core/consensus/messages.ts'
import type { Message } from '../../src/core/consensus/replica-port.ts'
import { CHAIN_PROTOCOL, type ChainQuestion, decodeAnswer, decodeQuestion } from '../../src/net/protocols/chain.ts'
import type { Channel, Topic, Wire } from '../../src/net/wire.ts'
import { hex } from './scenario.ts'

/** The wire, whose proposals and votes `onSaid` hears before anybody else. */
export function watchedWire(wire: Wire, onSaid: (message: Message) => void): Wire {
  return delegate<Wire>(wire, {
    publish: (topic, bytes) => {
      const message = newsMessage(topic, bytes)
      if (message !== undefined) onSaid(message)
      return wire.publish(topic, bytes)
    },
    handle: (protocol, options, handler) =>
      wire.handle(protocol, options, (channel) =>
        handler(protocol === CHAIN_PROTOCOL ? watchedChannel(channel, onSaid) : channel),
      ),
  })
}

/** The store, whose blocks `onBlock` hears of before they are on the disk. */
export function watchedStore(store: KeyValueStore, onBlock: (height: number, blockHash: Hash) => void): KeyValueStore {
  return delegate<KeyValueStore>(store, {
    batch: (operations, options) => {
      for (const operation of operations) {
        if (operation.type !== 'put' || operation.key[0] !== BLOCK_HASH_LETTER) continue
        onBlock(readNumber(operation.value), hash(hex(operation.key.subarray(1))))
      }
      return store.batch(operations, options)
    },
  })
}

const BLOCK_HASH_LETTER = 'h'.charCodeAt(0)

function newsMessage(topic: Topic, bytes: Uint8Array): Message | undefined {
  if (topic === TOPICS.vote) return { type: 'vote', vote: decodeVote(bytes) }
  if (topic === TOPICS.proposal) return { type: 'proposal', proposal: decodeProposal(bytes) }
  return undefined
}

/** The answering side of a channel of questions. */
function watchedChannel(channel: Channel, onSaid: (message: Message) => void): Channel {
  let question: ChainQuestion['type'] | undefined
  return delegate<Channel>(channel, {
    receive: async (signal) => {
      const bytes = await channel.receive(signal)
      question = bytes && decodeQuestion(bytes).type
      return bytes
    },
    send: (bytes) => {
      const answer = question === 'consensus' ? decodeAnswer(bytes) : undefined
      if (answer?.type === 'items') for (const item of answer.items) onSaid(decodeConsensusMessage(item))
      channel.send(bytes)
    },
  })
}

/** An object like another, but for some of its functions. */
function delegate<Port extends object>(port: Port, changed: Partial<Port>): Port {
  return new Proxy(port, {
    get(target, name) {
      const own = changed[name as keyof Port]
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
