/**
 * The decisions of arXiv 1807.04938, algorithm 1, as pure functions, each at the paper's line. The replica is built from this
 * table; tests build it from tables with one rule broken, and show which scenario notices.
 * Spec: docs/spec/consensus.md §3.
 * @module
 */
import type { Hash } from '../../../base/brand.ts'
import type { Timing } from '../ledger.ts'
import type { Lock, SignRecord, TimerStep } from '../replica-port.ts'
import { maySign, type SignDecision, type SignRequest, type SignState } from '../sign-guard.ts'
import { type BlockTime, isTimely, timeoutMs } from '../timeouts.ts'
import { hasHonest, isQuorum, type Member, type ValidatorSet } from '../validator-set.ts'
import { COUNTING_RULES, type CountingRules, type Tally, tallyFor, type VoteSet } from '../vote-set.ts'

/** What a prevote depends on. */
export interface PrevoteView {
  readonly hash: Hash
  /** Whether the ledger accepts the block. */
  readonly isValid: boolean
  readonly locked: Lock | undefined
}

/** The precommits of every round of a height. */
export interface PrecommitView {
  readonly validators: ValidatorSet
  readonly round: number
  readonly hash: Hash
  readonly rounds: ReadonlyMap<number, { readonly precommits: VoteSet }>
}

export interface Rules extends CountingRules {
  /** 2f + 1: more than ⅔ of the stake. */
  isQuorum(validators: ValidatorSet, tally: Readonly<Tally>): boolean
  /** Whether a message is about the height that is being decided. */
  isOfHeight(messageHeight: number, height: number): boolean
  /** Whose signature makes a proposal; lines 14, 22. */
  proposers(validators: ValidatorSet, proposer: number): readonly Member[]
  /** Line 15: the block to propose again, or undefined for a new one. */
  proposesAgain(valid: Lock | undefined): Lock | undefined
  /** Line 23: whether to prevote a new block. */
  prevotesNew(view: PrevoteView): boolean
  /** docs/spec/chain.md §7.4, with line 23. */
  isTimely(time: BlockTime, timing: Timing): boolean
  /** Line 28: whether these prevotes of the valid round prove that the block had a quorum. */
  isProven(validators: ValidatorSet, tally: Readonly<Tally>): boolean
  /** Line 29: whether to prevote a block proven at `validRound`. */
  prevotesProven(view: PrevoteView, validRound: number): boolean
  /** Line 36: whether these prevotes of the round let one lock and precommit. */
  locks(validators: ValidatorSet, tally: Readonly<Tally>): boolean
  /** Line 44: the lock after a quorum of nil. The paper keeps it. */
  lockAfterNil(locked: Lock | undefined): Lock | undefined
  /** Line 49: whether a block is decided by the precommits of a round. */
  decides(view: PrecommitView): boolean
  /** Line 55: f + 1, whether voters in later rounds must be followed. */
  skips(validators: ValidatorSet, tally: Readonly<Tally>): boolean
  /** Lines 21, 35, 48. */
  timeoutMs(timing: Timing, step: TimerStep, round: number): number
  /** Whether a contradiction is told. */
  reports(): boolean
  /** Whether the key may sign. */
  maySign(state: SignState, request: SignRequest): SignDecision
  /** The lock that a restarted node is bound by. */
  recoversLock(record: SignRecord): Pick<SignRecord, 'locked' | 'valid'>
}

function quorum(validators: ValidatorSet, { stake }: Readonly<Tally>): boolean {
  return isQuorum(validators, stake)
}

export const RULES: Rules = {
  ...COUNTING_RULES,
  isQuorum: quorum,
  isOfHeight: (messageHeight, height) => messageHeight === height,
  proposers: ({ members }, proposer) => members.slice(proposer, proposer + 1),
  proposesAgain: (valid) => valid,
  prevotesNew: ({ hash, isValid, locked }) => isValid && (locked === undefined || locked.hash === hash),
  isTimely,
  isProven: quorum,
  prevotesProven: ({ hash, isValid, locked }, validRound) =>
    isValid && (locked === undefined || locked.round <= validRound || locked.hash === hash),
  locks: quorum,
  lockAfterNil: (locked) => locked,
  decides: ({ validators, rounds, round, hash }) => {
    const votes = rounds.get(round)
    return votes !== undefined && quorum(validators, tallyFor(votes.precommits, hash))
  },
  skips: (validators, { stake }) => hasHonest(validators, stake),
  timeoutMs,
  reports: () => true,
  maySign,
  recoversLock: ({ locked, valid }) => ({ locked, valid }),
}
