/**
 * The replica's insides as its parts share them: state, ports, effects so far, and the one way to sign.
 * Spec: docs/spec/consensus.md §2, §5.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { type Hash, type Milliseconds, milliseconds, type PeerId } from '../../base/brand.ts'
import type { Commit } from '../block/block.ts'
import { type Entry, encodeEntry } from './journal.ts'
import type { LedgerWork } from './ledger.ts'
import { ballotDigest, type Proposal, proposalDigest, type Vote } from './messages.ts'
import type { ConductCode, Effect, Message, ReplicaPorts, SignRecord, TimerStep } from './replica-port.ts'
import type { HeightState, WorkState } from './round-state.ts'
import type { Rules } from './rules/rules.ts'
import { raiseTo, type SignPosition, type SignRequest, type SignState } from './sign-guard.ts'
import type { ValidatorSet } from './validator-set.ts'

/** The height before: others may still need it, and its precommits still come in. */
export interface LastHeight {
  /** Who voted there; undefined when the head came from elsewhere: late precommits are then not taken. */
  readonly validators: ValidatorSet | undefined
  /** Precommits of the finalized block; undefined at the genesis block. Late ones are put in. */
  commit: Commit | undefined
  /** That carried the finalized block, if it was seen. */
  readonly proposal: Proposal | undefined
}

/** Messages of the next height, which came before this one ended. */
export interface Early {
  readonly votes: Map<number, { readonly from: PeerId | undefined; readonly vote: Vote }[]>
  readonly proposals: { readonly from: PeerId | undefined; readonly proposal: Proposal }[]
  /** By voter: the highest height above ours that it voted at. */
  readonly heights: Map<number, number>
  /** The last height told as `behind`. */
  toldHeight: number
}

export interface Machine {
  readonly networkId: Hash
  readonly ports: ReplicaPorts
  readonly rules: Rules
  nowMs: Milliseconds
  state: HeightState
  last: LastHeight
  readonly early: Early
  /** What the key signed last; undefined without a key. */
  signed: SignState | undefined
  /** Own messages of this height, by `signKey`: what was said once is said alike ever after. */
  readonly own: Map<string, Message>
  /** Digests of the ballots at this height: many votes are over the same. */
  readonly digests: Map<string, Uint8Array>
  effects: Effect[]
  /** While the journal is read back: what is taken in stands there already. */
  isReplaying: boolean
}

/** Remembers what was taken in. It need not be on disk at once: what it led to has its own record there. */
export function journal(machine: Machine, entry: Entry): void {
  if (!machine.isReplaying) machine.effects.push({ type: 'journal', entry: encodeEntry(entry), sync: false })
}

/** What came is right, and was not held. */
export function relay(machine: Machine): void {
  if (!machine.isReplaying) machine.effects.push({ type: 'relay' })
}

export function judge(
  machine: Machine,
  peer: PeerId | undefined,
  conduct: { readonly verdict: 'reject' | 'ignore'; readonly code: ConductCode; readonly message: string },
): void {
  machine.effects.push({ type: 'judge', peer, ...conduct })
}

/** Sets a timer of the present height, once per round and step. */
export function wake(machine: Machine, step: TimerStep, round: number): void {
  const { state, rules, nowMs } = machine
  const key = `${round}/${step}`
  if (state.timers.has(key)) return
  state.timers.add(key)
  const atMs = milliseconds(nowMs + rules.timeoutMs(state.head.timing, step, round))
  machine.effects.push({ type: 'wake', atMs, height: state.height, round, step })
}

/**
 * Whether the ledger may be asked now: the answer is at hand, or work on it was asked for ahead and is over. Otherwise it is asked
 * for, once. In a replay nothing is put off: what followed from the answer then stands in the journal as our own messages.
 */
export function isReady(machine: Machine, item: { work: WorkState }, work: LedgerWork): boolean {
  const { ledger } = machine.ports
  if (item.work === 'done' || machine.isReplaying || ledger.isReady?.(work) !== false) return true
  if (item.work === 'none') machine.effects.push({ type: 'prepare', work })
  item.work = 'asked'
  return false
}

/** The digest of a vote at the present height. */
export function digestOf(
  machine: Machine,
  { type, height, round, blockHash }: Omit<Vote, 'voter' | 'signature'>,
): Uint8Array {
  const key = `${type}/${height}/${round}/${blockHash ?? ''}`
  const known = machine.digests.get(key)
  if (known !== undefined) return known
  const digest = ballotDigest(machine.networkId, { type, height, round, blockHash })
  if (machine.digests.size < DIGESTS_MAX) machine.digests.set(key, digest)
  return digest
}

/** Strangers' ballots must not fill the memory. */
const DIGESTS_MAX = 1_024

export function signKey({ round, step }: Pick<SignPosition, 'round' | 'step'>): string {
  return `${round}/${step}`
}

/** Place of a message among those of its sender. */
export function positionOf(message: Message): SignPosition {
  if (message.type === 'vote')
    return { height: message.vote.height, round: message.vote.round, step: message.vote.type }
  return { height: message.proposal.height, round: message.proposal.round, step: 'propose' }
}

/**
 * Our vote, signed, or the one given before at this place; undefined for who does not vote, or may not sign any more.
 * The lock must be set before: it goes to disk with the signature.
 */
export function signVote(machine: Machine, ballot: Omit<Vote, 'voter' | 'signature'>): Vote | undefined {
  const { type, height, round, blockHash } = ballot
  const known = machine.own.get(signKey({ round, step: type }))
  if (known !== undefined) return known.type === 'vote' ? known.vote : undefined
  const request: SignRequest = { height, round, step: type, digest: digestOf(machine, ballot) }
  const signature = signRequest(machine, request)
  if (signature === undefined) return undefined
  const vote: Vote = { type, height, round, blockHash, voter: machine.state.self, signature }
  say(machine, { type: 'vote', vote }, { request, signature, blockHash })
  return vote
}

/** Our proposal, as `signVote`. */
export function signProposal(machine: Machine, unsigned: Omit<Proposal, 'signature'>): Proposal | undefined {
  const { height, round, blockHash } = unsigned
  const request: SignRequest = { height, round, step: 'propose', digest: proposalDigest(machine.networkId, unsigned) }
  const signature = signRequest(machine, request)
  if (signature === undefined) return undefined
  const proposal: Proposal = { ...unsigned, signature }
  say(machine, { type: 'proposal', proposal }, { request, signature, blockHash })
  return proposal
}

/** Refuses the place for ever, and all before it. */
export function raiseFloor(machine: Machine, position: SignPosition): void {
  if (machine.signed !== undefined) machine.signed = raiseTo(machine.signed, position)
}

function signRequest(machine: Machine, request: SignRequest): Uint8Array | undefined {
  const { ports, signed, state, rules } = machine
  if (state.self < 0 || ports.signer === undefined || signed === undefined) return undefined
  const decision = rules.maySign(signed, request)
  if (decision.type === 'refuse') return undefined
  if (decision.type === 'again') return decision.signature
  return ports.signer.sign(request.digest)
}

/** Journal, sign state, news: in this order, so that whatever was published is remembered. */
function say(
  machine: Machine,
  message: Message,
  signed: Pick<SignRecord, 'request' | 'signature' | 'blockHash'>,
): void {
  const { state, effects, nowMs } = machine
  assert(machine.signed !== undefined, 'who signs has a sign state')
  const position = positionOf(message)
  machine.own.set(signKey(position), message)
  if (machine.rules.maySign(machine.signed, signed.request).type === 'sign') remember(machine, signed)
  // Whoever locks a block must be able to give it to others after a crash of all: the block stands in the journal before this.
  const sync = position.step === 'precommit' && signed.blockHash !== undefined
  effects.push({ type: 'journal', entry: encodeEntry({ type: 'own', nowMs, message }), sync })
  const record: SignRecord = { ...signed, locked: state.locked, valid: state.valid }
  effects.push({ type: 'sign-state', record }, { type: 'publish', message })
}

function remember(machine: Machine, { request, signature }: Pick<SignRecord, 'request' | 'signature'>): void {
  const { signed } = machine
  assert(signed !== undefined, 'who signs has a sign state')
  const { height, round, step, digest } = request
  machine.signed = { ...signed, last: { height, round, step, signed: { digest, signature } } }
}
