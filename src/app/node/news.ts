/**
 * News of the chain: transactions go to the pool, proposals and votes to the replica, and what each deserves goes back to the
 * wire, which passes on only what was accepted. Spec: docs/spec/wire.md §5.
 * @module
 */
import type { PeerId } from '../../base/brand.ts'
import { CodecError } from '../../base/codec.ts'
import type { Chain } from '../../core/chain.ts'
import { decodeProposal, decodeVote, type Proposal } from '../../core/consensus/messages.ts'
import { verdictOf } from '../../core/mempool-error.ts'
import type { Verdict, Wire } from '../../net/wire.ts'
import type { ConsensusDriver } from './consensus-driver.ts'
import { TOPIC_OPTIONS, TOPICS } from './topics.ts'

interface Parts {
  readonly wire: Wire
  readonly chain: Chain
  readonly driver: ConsensusDriver
  readonly onTransaction: () => void
  /** Works ahead on what the replica will check of a proposal. @throws CodecError. */
  readonly foresee: (proposal: Proposal) => Promise<void>
}

/** Hears news until the wire stops. */
export function hearNews({ wire, chain, driver, onTransaction, foresee }: Parts): void {
  wire.subscribe(TOPICS.transaction, TOPIC_OPTIONS.transaction, (bytes) => {
    try {
      const { isProven } = chain.mempool.add(bytes)
      onTransaction()
      return isProven ? 'accept' : 'ignore'
    } catch (error) {
      return verdictOf(error)
    }
  })
  // What is over is of no use, but for precommits that the newest block's commit lacks. What is far ahead tells that we are behind.
  wire.subscribe(TOPICS.vote, TOPIC_OPTIONS.vote, (bytes, from) =>
    readable(bytes, decodeVote, (vote) =>
      vote.height >= chain.header.height ? driver.take({ type: 'vote', from, vote }) : 'ignore',
    ),
  )
  wire.subscribe(TOPICS.proposal, TOPIC_OPTIONS.proposal, (bytes, from: PeerId) =>
    readable(bytes, decodeProposal, async (proposal) => {
      if (proposal.height <= chain.header.height) return 'ignore'
      await foresee(proposal)
      return driver.take({ type: 'proposal', from, proposal })
    }),
  )
}

/** Bytes that nobody could read are the fault of who passed them on. */
async function readable<Value>(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => Value,
  judge: (value: Value) => Verdict | Promise<Verdict>,
): Promise<Verdict> {
  try {
    return await judge(decode(bytes))
  } catch (error) {
    if (error instanceof CodecError) return 'reject'
    throw error
  }
}
