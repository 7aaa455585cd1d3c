/**
 * Entries of the journal: what a replica took in and said at one height, so that a restart comes to the same state. Bytes only.
 * Spec: docs/spec/consensus.md §5.
 * @module
 */
import type { Milliseconds } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { readCount, readRound, readTime, writeCount } from '../fields.ts'
import { decodeProposal, encodeProposal, readVote, writeVote } from './messages.ts'
import type { Message, TimerStep } from './replica-port.ts'

/** `own`: said by this node. `heard`: taken in. */
export type Entry =
  | { readonly type: 'own' | 'heard'; readonly nowMs: Milliseconds; readonly message: Message }
  | {
      readonly type: 'timer'
      readonly nowMs: Milliseconds
      readonly height: number
      readonly round: number
      readonly step: TimerStep
    }

const TIMER_STEPS: readonly TimerStep[] = ['commit', 'propose', 'prevote', 'precommit']
const KIND = { own: 1, heard: 2, timer: 3 } as const

export function encodeEntry(entry: Entry): Uint8Array {
  const writer = new Writer(entry.type !== 'timer' && entry.message.type === 'proposal' ? 4_096 : 192)
  writeCount(writer.u8(KIND[entry.type]), entry.nowMs)
  if (entry.type !== 'timer') return writeMessage(writer, entry.message).finish()
  return writeCount(writer, entry.height).u32(entry.round).u8(TIMER_STEPS.indexOf(entry.step)).finish()
}

/** @throws CodecError. */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new Reader(bytes)
  const entry = readEntry(reader)
  reader.finish()
  return entry
}

function readEntry(reader: Reader): Entry {
  const kind = reader.u8()
  const nowMs = readTime(reader)
  if (kind === KIND.own) return { type: 'own', nowMs, message: readMessage(reader) }
  if (kind === KIND.heard) return { type: 'heard', nowMs, message: readMessage(reader) }
  if (kind !== KIND.timer) throw new CodecError('CODEC_BAD_VALUE', 'A journal entry is of an unknown kind.')
  const height = readCount(reader)
  const round = readRound(reader)
  const step = TIMER_STEPS[reader.u8()]
  if (step === undefined) throw new CodecError('CODEC_BAD_VALUE', 'A journal entry has an unknown step.')
  return { type: 'timer', nowMs, height, round, step }
}

function writeMessage(writer: Writer, message: Message): Writer {
  if (message.type === 'vote') return writeVote(writer.u8(1), message.vote)
  return writer.u8(0).bytes(encodeProposal(message.proposal))
}

function readMessage(reader: Reader): Message {
  if (reader.flag()) return { type: 'vote', vote: readVote(reader) }
  return { type: 'proposal', proposal: decodeProposal(reader.bytes(CHAIN_LIMITS.proposalBytesMax)) }
}
