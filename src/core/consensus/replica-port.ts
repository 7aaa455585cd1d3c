/**
 * The replica's outside: what goes in, what it wants done, and the ports that it decides with. Types only.
 * Spec: docs/spec/consensus.md §2.
 * @module
 */
import type { Hash, Milliseconds, PeerId } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import type { Block, Commit } from '../block/block.ts'
import type { SignedBytes } from '../ed25519.ts'
import type { Ledger, LedgerWork } from './ledger.ts'
import type { Proposal, Vote } from './messages.ts'
import type { SignRequest } from './sign-guard.ts'

/** The node must stop: going on could only do harm. */
export class ConsensusError extends HouseError<
  /** A quorum made a block final that this program finds invalid. */
  'CONSENSUS_INVALID_FINAL'
> {}

/** What validators say to each other. */
export type Message =
  | { readonly type: 'proposal'; readonly proposal: Proposal }
  | { readonly type: 'vote'; readonly vote: Vote }

/** `commit` is the pause after a block; the others are the three waits of a round. */
export type TimerStep = 'commit' | 'propose' | 'prevote' | 'precommit'

/** Unix time at which the input arrived here. */
interface Arrived {
  readonly nowMs: Milliseconds
}

export type Input =
  | (Arrived & { readonly type: 'start' })
  | (Arrived & { readonly type: 'proposal'; readonly from?: PeerId | undefined; readonly proposal: Proposal })
  | (Arrived & { readonly type: 'vote'; readonly from?: PeerId | undefined; readonly vote: Vote })
  | (Arrived & { readonly type: 'timer'; readonly height: number; readonly round: number; readonly step: TimerStep })
  /** A peer's answer to our summary. */
  | (Arrived & { readonly type: 'catch-up'; readonly from?: PeerId | undefined; readonly messages: readonly Message[] })
  /** A block of the next height that others finalized. Its commit is verified here. */
  | (Arrived & {
      readonly type: 'finalized'
      readonly from?: PeerId | undefined
      readonly block: Block
      readonly commit: Commit
    })
  /** What an effect `prepare` asked for is done, as far as it can be. */
  | (Arrived & { readonly type: 'prepared'; readonly work: LedgerWork })
  /** Somebody else moved the ledger's head: block sync in bulk, or a snapshot. */
  | (Arrived & { readonly type: 'head' })

/** A round's number and a block in it. */
export interface Lock {
  readonly round: number
  readonly hash: Hash
}

/**
 * What must be on disk before a signature leaves: the signature's place and the lock, so that a node which lost its journal votes
 * neither twice nor against its lock.
 */
export interface SignRecord {
  readonly request: SignRequest
  readonly signature: Uint8Array
  /** Of the signed vote or proposal; undefined: nil. */
  readonly blockHash: Hash | undefined
  readonly locked: Lock | undefined
  readonly valid: Lock | undefined
}

export type ConductCode =
  | 'VOTE_STRANGER'
  | 'VOTE_BAD_SIGNATURE'
  | 'PROPOSAL_BAD_ROUND'
  | 'PROPOSAL_WRONG_PROPOSER'
  | 'PROPOSAL_BROKEN_BLOCK'
  | 'PROPOSAL_INVALID_BLOCK'
  | 'PROPOSAL_UNTIMELY'
  | 'FINALIZED_BAD_COMMIT'
  | 'FINALIZED_INVALID_BLOCK'

/** Carried out in their order, each before the next. */
export type Effect =
  /** Appends to the journal of the height; `sync`: on disk before the next effect. */
  | { readonly type: 'journal'; readonly entry: Uint8Array; readonly sync: boolean }
  /** On disk before the next effect. */
  | { readonly type: 'sign-state'; readonly record: SignRecord }
  | { readonly type: 'publish'; readonly message: Message }
  /** A timer input at `atMs` or as soon as possible afterwards. */
  | {
      readonly type: 'wake'
      readonly atMs: Milliseconds
      readonly height: number
      readonly round: number
      readonly step: TimerStep
    }
  /** The ledger has applied it; on disk before the next effect, then the journal may begin anew. */
  | { readonly type: 'finalize'; readonly block: Block; readonly commit: Commit }
  /**
   * The vote or proposal that came is right and new: worth passing on. Without this it is not, be it only that a vote under the same
   * name is held already: nobody has looked at the signature then, and who passes it on is blamed by the next.
   */
  | { readonly type: 'relay' }
  /**
   * `reject`: the peer passed on what it must have found wrong. `ignore`: not to be passed on, though nobody need be at fault.
   */
  | {
      readonly type: 'judge'
      readonly peer: PeerId | undefined
      readonly verdict: 'reject' | 'ignore'
      readonly code: ConductCode
      readonly message: string
    }
  /** Two messages of one validator that contradict each other, for a transaction report-double-sign. */
  | { readonly type: 'evidence'; readonly voter: number; readonly first: Message; readonly second: Message }
  /**
   * The replica is about to ask the ledger for what takes long. It goes on without until it gets the input `prepared` with the same
   * work, however late; it asks for each work once.
   */
  | { readonly type: 'prepare'; readonly work: LedgerWork }
  /** More than ⅓ of the stake votes at `height` or above: fetch the blocks below it. */
  | { readonly type: 'behind'; readonly height: number }

export interface Signer {
  /** 32 bytes, the consensus key. */
  readonly publicKey: Uint8Array
  /** 64 bytes over the 32 given. */
  sign(digest: Uint8Array): Uint8Array
}

/** Whether a signature is valid: `verify` of core/ed25519.ts, or a faster equal. */
export type VerifySignature = (signed: SignedBytes) => boolean

export interface ReplicaPorts {
  readonly ledger: Ledger
  readonly verify: VerifySignature
  /** undefined: this node follows and does not vote. */
  readonly signer?: Signer | undefined
}

/** What a node kept from before. */
export interface Recovered {
  /** The newest record of the sign-state file. */
  readonly record?: SignRecord | undefined
  /** Position of the sign-state file, when it was imported and no record goes with it. */
  readonly floor?: Pick<SignRequest, 'height' | 'round' | 'step'> | undefined
  /** Entries of the journal, in their order; those of other heights are passed over, and all after one that cannot be read. */
  readonly journal: readonly Uint8Array[]
}

export interface ReplicaOptions {
  /** Genesis hash. */
  readonly networkId: Hash
  readonly recovered?: Recovered | undefined
}
