/**
 * News of the chain: transactions go to the pool, proposals and votes to the replica, and what each deserves goes back to the
 * wire, which passes on only what was accepted. Spec: docs/spec/wire.md §5.
 * @module
 */
import type { PeerId } from '../../base/brand.ts'
import { CodecError } from '../../base/codec.ts'
import type { Chain } from '../../core/chain.ts'
import { decodeProposal, decodeVote } from '../../core/consensus/messages.ts'
import { verdictOf } from '../../core/mempool-error.ts'
import type { Verdict, Wire } from '../../net/wire.ts'
import type { ConsensusDriver } from './consensus-driver.ts'
import { TOPIC_OPTIONS, TOPICS } from './topics.ts'

interface Parts {
  readonly wire: Wire
  readonly chain: Chain
  readonly driver: ConsensusDriver
  readonly onTransaction: () => void
}

/** Hears news until the wire stops. */
export function hearNews({ wire, chain, driver, onTransaction }: Parts): void {
  wire.subscribe(TOPICS.transaction, TOPIC_OPTIONS.transaction, (bytes) => {
    try {
      chain.mempool.add(bytes)
    } catch (error) {
      return verdictOf(error)
    }
    onTransaction()
    return 'accept'
  })
  wire.subscribe(TOPICS.vote, TOPIC_OPTIONS.vote, (bytes, from) =>
    readable(bytes, decodeVote, (vote) =>
      isTimely(chain, vote.height) ? driver.take({ type: 'vote', from, vote }) : 'ignore',
    ),
  )
  wire.subscribe(TOPICS.proposal, TOPIC_OPTIONS.proposal, (bytes, from: PeerId) =>
    readable(bytes, decodeProposal, (proposal) =>
      isTimely(chain, proposal.height) ? driver.take({ type: 'proposal', from, proposal }) : 'ignore',
    ),
  )
}

/** What is over is of no use to anybody; what is far ahead cannot be checked, but tells the replica that it is behind. */
function isTimely(chain: Chain, height: number): boolean {
  return height > chain.header.height
}

/** Bytes that nobody could read are the fault of who passed them on. */
function readable<Value>(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => Value,
  judge: (value: Value) => Verdict | Promise<Verdict>,
): Verdict | Promise<Verdict> {
  try {
    return judge(decode(bytes))
  } catch (error) {
    if (error instanceof CodecError) return 'reject'
    throw error
  }
}
