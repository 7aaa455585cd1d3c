/**
 * Remembers everything that one consensus key signed and somebody could hear, over all lives of its node, and whether two of it
 * contradict each other.
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { type ConsensusMessage, decodeConsensusMessage, TOPICS } from '../../src/app/node/topics.ts'
import { opensslAccepts } from '../../src/app/openssl-verify.ts'
import type { Hash } from '../../src/base/brand.ts'
import { CodecError } from '../../src/base/codec.ts'
import { ballotDigest, decodeProposal, decodeVote, proposalDigest } from '../../src/core/consensus/messages.ts'
import { verify } from '../../src/core/ed25519.ts'
import { CHAIN_PROTOCOL, decodeAnswer, type HeadAnswer } from '../../src/net/protocols/chain.ts'
import type { Channel, NewsHandler, NewsOptions, Topic, Wire } from '../../src/net/wire.ts'

export interface SignatureWitness {
  hear(message: ConsensusMessage): void
  /** What it is known to have signed, such as in an earlier life. */
  expect(place: string, digest: string): void
  /** Different things that the key signed, by place: `prevote 7/0`. */
  readonly signed: ReadonlyMap<string, string>
  /** One line for each place at which it signed two. */
  readonly conflicts: readonly string[]
}

/** `publicKey`: whose signatures matter; others are passed over. */
export function createSignatureWitness(networkId: Hash, publicKey: Uint8Array): SignatureWitness {
  const signed = new Map<string, string>()
  const conflicts: string[] = []
  const claimOf = (message: ConsensusMessage): { place: string; digest: Uint8Array; signature: Uint8Array } => {
    if (message.type === 'vote') {
      const { vote } = message
      const place = `${vote.type} ${vote.height}/${vote.round}`
      return { place, digest: ballotDigest(networkId, vote), signature: vote.signature }
    }
    const { proposal } = message
    const place = `propose ${proposal.height}/${proposal.round}`
    return { place, digest: proposalDigest(networkId, proposal), signature: proposal.signature }
  }
  return {
    signed,
    conflicts,
    expect: (place, digest) => void signed.set(place, digest),
    hear(message) {
      const { place, digest, signature } = claimOf(message)
      const text = bytesToHex(digest)
      const before = signed.get(place)
      if (before === text || !verify({ message: digest, signature, publicKey }, opensslAccepts)) return
      if (before === undefined) signed.set(place, text)
      else conflicts.push(`${place}: ${before} and ${text}`)
    },
  }
}

export interface Hears {
  readonly message: (message: ConsensusMessage) => void
  /** What a peer said that it holds. */
  readonly head?: (head: HeadAnswer) => void
}

/** The same wire; what comes in by news, and as answers to our questions, is heard first. */
export function overheard(wire: Wire, hears: Hears): Wire {
  const replaced: Partial<Wire> = {
    subscribe(topic: Topic, options: NewsOptions, handler: NewsHandler) {
      wire.subscribe(topic, options, (bytes, from) => {
        hearNews(topic, bytes, hears)
        return handler(bytes, from)
      })
    },
    async open(to, protocol, options, signal) {
      const channel = await wire.open(to, protocol, options, signal)
      return protocol === CHAIN_PROTOCOL ? overheardChannel(channel, hears) : channel
    },
  }
  return instead(wire, replaced)
}

function hearNews(topic: Topic, bytes: Uint8Array, { message }: Hears): void {
  if (topic === TOPICS.vote) message({ type: 'vote', vote: decodeVote(bytes) })
  if (topic === TOPICS.proposal) message({ type: 'proposal', proposal: decodeProposal(bytes) })
}

function overheardChannel(channel: Channel, hears: Hears): Channel {
  return instead(channel, {
    async receive(signal) {
      const bytes = await channel.receive(signal)
      const answer = bytes && decodeAnswer(bytes)
      if (answer?.type === 'items') {
        hears.head?.(answer.head)
        for (const item of answer.items) hearItem(item, hears)
      }
      return bytes
    },
  })
}

/** Items of other questions are no messages. */
function hearItem(item: Uint8Array, { message }: Hears): void {
  try {
    message(decodeConsensusMessage(item))
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
  }
}

function instead<Target extends object>(target: Target, replaced: Partial<Target>): Target {
  return new Proxy(target, {
    get(_target, name) {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name)
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
