/**
 * Asks a peer about the chain: one channel per question, or one for many. What comes back is bytes of a stranger.
 * Spec: docs/spec/wire.md §5.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { SYNC_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import { withDeadline } from '../../net/deadline.ts'
import {
  CHAIN_PROTOCOL,
  CHAIN_PROTOCOL_OPTIONS,
  type ChainQuestion,
  decodeAnswer,
  encodeQuestion,
  type HeadAnswer,
} from '../../net/protocols/chain.ts'
import type { PeerAddress, Wire } from '../../net/wire.ts'

export class AskError extends HouseError<'CHAIN_NO_ANSWER' | 'CHAIN_OTHER_NETWORK'> {}

/** A refusal that the peer gave: its code and words. */
export class PeerRefusal extends HouseError {}

export interface Told {
  readonly head: HeadAnswer
  readonly items: readonly Uint8Array[]
}

/**
 * One question, one answer. @throws AskError CHAIN_NO_ANSWER, CHAIN_OTHER_NETWORK; PeerRefusal; CodecError for bytes that
 * are no answer; WireError when the peer cannot be reached.
 */
export async function askChain(
  to: PeerAddress,
  question: ChainQuestion,
  { wire, clock, networkId, signal }: AskPorts,
): Promise<Told> {
  const late = () => new AskError('CHAIN_NO_ANSWER', `Peer ${to.peer} did not answer.`)
  return withDeadline({ clock, limitMs: SYNC_LIMITS.questionMs, late, signal }, async (inTime) => {
    const channel = await wire.open(to, CHAIN_PROTOCOL, CHAIN_PROTOCOL_OPTIONS, inTime)
    try {
      channel.send(encodeQuestion(question))
      const bytes = await channel.receive(inTime)
      if (bytes === undefined) throw late()
      return checkAnswer(bytes, to, networkId)
    } finally {
      channel.close().catch(() => undefined)
    }
  })
}

export interface AskPorts {
  readonly wire: Wire
  readonly clock: Clock
  /** The genesis hash. */
  readonly networkId: Hash
  readonly signal?: AbortSignal | undefined
}

function checkAnswer(bytes: Uint8Array, to: PeerAddress, networkId: Hash): Told {
  const answer = decodeAnswer(bytes)
  if (answer.type === 'refused') throw new PeerRefusal(answer.code, answer.message)
  if (answer.head.networkId !== networkId) {
    const message = `Peer ${to.peer} is on another chain (${answer.head.networkId.slice(0, 12)}…). Compare the network file with the one of the others.`
    throw new AskError('CHAIN_OTHER_NETWORK', message, { details: { peer: to.peer } })
  }
  return answer
}
