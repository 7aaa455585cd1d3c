/**
 * Starting again: the journal of the height is worked off once more, own messages are the ones said before, and the sign state
 * binds where the journal ends too early.
 * Spec: docs/spec/consensus.md §5.
 * @module
 */
import { CodecError } from '../../base/codec.ts'
import { decodeBlock } from '../block/block.ts'
import { countVote, keepProposal, receive } from './intake.ts'
import { decodeEntry, type Entry } from './journal.ts'
import { digestOf, type Machine, positionOf, raiseFloor, signKey, wake } from './machine.ts'
import { proposalDigest } from './messages.ts'
import type { Lock, Message, Recovered, SignRecord } from './replica-port.ts'
import { onTimer } from './rules/rounds.ts'
import { comparePositions, type SignPosition } from './sign-guard.ts'

/** `settle` fires the rules, as after every input. */
export function recover(machine: Machine, recovered: Recovered | undefined, settle: () => void): void {
  const { height } = machine.state
  const { nowMs } = machine
  let said: readonly Message[] = []
  if (recovered !== undefined) {
    bind(machine, recovered)
    const entries = readJournal(recovered.journal).filter((entry) => heightOf(entry) === height)
    said = entries.flatMap((entry) => (entry.type === 'own' ? [entry.message] : []))
    for (const message of said) rememberOwn(machine, message)
    replay(machine, entries, settle)
  }
  machine.nowMs = nowMs
  if (machine.state.height === height) {
    confirm(machine, said, recovered?.record)
    if (recovered?.record !== undefined) adopt(machine, recovered.record)
    holdOwn(machine)
    sayAgain(machine)
  }
  arm(machine)
}

/** The key signs nothing before, or other than, what it signed last. */
function bind(machine: Machine, { record, floor }: Recovered): void {
  if (machine.signed !== undefined && record !== undefined) {
    const { height, round, step, digest } = record.request
    machine.signed = {
      ...machine.signed,
      last: { height, round, step, signed: { digest, signature: record.signature } },
    }
  }
  if (floor !== undefined) raiseFloor(machine, floor)
}

/** Entries up to the first that cannot be read: a crash may have cut it. */
function readJournal(journal: readonly Uint8Array[]): Entry[] {
  const entries: Entry[] = []
  for (const bytes of journal) {
    try {
      entries.push(decodeEntry(bytes))
    } catch (error) {
      if (error instanceof CodecError) break
      throw error
    }
  }
  return entries
}

function heightOf(entry: Entry): number {
  return entry.type === 'timer' ? entry.height : positionOf(entry.message).height
}

function rememberOwn(machine: Machine, message: Message): void {
  const position = positionOf(message)
  machine.own.set(signKey(position), message)
  raiseFloor(machine, position)
}

/**
 * Works entries off as when they came. What was sent then is not sent again, and timers are set anew afterwards; only what
 * follows from the last entry, and was not done before the crash, is an effect.
 */
function replay(machine: Machine, entries: readonly Entry[], settle: () => void): void {
  machine.isReplaying = true
  for (const entry of entries) {
    machine.nowMs = entry.nowMs
    if (entry.type === 'heard') receive(machine, undefined, entry.message)
    else if (entry.type === 'timer') onTimer(machine, entry)
    settle()
  }
  machine.isReplaying = false
  machine.effects = machine.effects.filter(({ type }) => type !== 'wake' && type !== 'judge' && type !== 'behind')
}

/**
 * What stands in the journal but came no further than there goes to the sign state before it is said: the journal may be
 * lost the next time.
 */
function confirm(machine: Machine, said: readonly Message[], record: SignRecord | undefined): void {
  const newest = said.reduce<Message | undefined>(
    (found, message) =>
      found === undefined || comparePositions(positionOf(message), positionOf(found)) > 0 ? message : found,
    undefined,
  )
  if (newest === undefined) return
  const position = positionOf(newest)
  if (record !== undefined && comparePositions(position, record.request) <= 0) return
  const { state } = machine
  const { signature, blockHash } = newest.type === 'vote' ? newest.vote : newest.proposal
  const digest =
    newest.type === 'vote' ? digestOf(machine, newest.vote) : proposalDigest(machine.networkId, newest.proposal)
  const { locked, valid } = state
  machine.effects.unshift({
    type: 'sign-state',
    record: { request: { ...position, digest }, signature, blockHash, locked, valid },
  })
}

/** Where the sign state is further than the journal, the round goes on behind what was signed, under its lock. */
function adopt(machine: Machine, record: SignRecord): void {
  const { state, rules } = machine
  if (record.request.height !== state.height) return
  const { locked, valid } = rules.recoversLock(record)
  state.locked = later(state.locked, locked)
  state.valid = later(state.valid, valid)
  const { round, step } = record.request
  const isFurther = state.step === 'commit' || comparePositions(record.request, presentPosition(machine)) > 0
  if (!isFurther) return
  state.round = round
  state.step = step
  rememberRecord(machine, record)
}

/** The vote in the record, which the journal lost. A lost proposal cannot be made again: its block is gone. */
function rememberRecord(machine: Machine, { request, signature, blockHash }: SignRecord): void {
  const { height, round, step } = request
  const { self } = machine.state
  if (step === 'propose' || self < 0 || machine.own.has(signKey(request))) return
  machine.own.set(signKey(request), {
    type: 'vote',
    vote: { type: step, height, round, blockHash, voter: self, signature },
  })
}

function presentPosition({ state: { height, round, step } }: Machine): SignPosition {
  return { height, round, step: step === 'commit' ? 'propose' : step }
}

function later(one: Lock | undefined, other: Lock | undefined): Lock | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return other.round > one.round ? other : one
}

/** Own messages count, whether or not the replay came to their place again. */
function holdOwn(machine: Machine): void {
  const { state } = machine
  for (const message of machine.own.values()) {
    if (message.type === 'vote') {
      countVote(machine, message.vote)
    } else if (!state.blocks.has(message.proposal.blockHash)) {
      const { blockHash, block } = message.proposal
      state.blocks.set(blockHash, { block: decodeBlock(block), verdict: undefined, work: 'none' })
      keepProposal(machine, undefined, message.proposal)
    }
  }
}

/** The crash may have come between the sign state and the news. */
function sayAgain(machine: Machine): void {
  for (const message of machine.own.values()) {
    if (positionOf(message).round === machine.state.round) machine.effects.push({ type: 'publish', message })
  }
}

/**
 * Timers were lost with the process. The present step gets one whatever was heard: messages that would have set it may be lost
 * at every validator at once, and leaving a step late is always safe.
 */
function arm(machine: Machine): void {
  const { state } = machine
  state.timers.clear()
  wake(machine, state.step, state.step === 'commit' ? 0 : state.round)
}
