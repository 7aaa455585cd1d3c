/**
 * Messages of the stage protocol: a client opens one control channel to every stage of its ring, each stage
 * opens one link to the next, and the tail's link closes the ring at stage 1. This file turns messages into
 * bytes and back, with a bound on every field; it does not know what they do (app/ring/).
 * Spec: docs/spec/wire.md §4.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { unreachable } from '../../base/assert.ts'
import { type Hash, hash, type SessionId, sessionId } from '../../base/brand.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { MODEL_LIMITS, SESSION_LIMITS, WIRE_LIMITS } from '../../base/limits.ts'
import type { ProtocolId, ProtocolOptions } from '../wire.ts'
import { type Generation, readGeneration, writeGeneration } from './generation.ts'
import {
  type OpenFields,
  readOpen,
  SIGNATURE_BYTES,
  VOUCHER_BYTES,
  type VoucherBytes,
  writeOpen,
} from './stage-open.ts'
import { readStatistics, type StageStatistics, writeStatistics } from './statistics.ts'

export const STAGE_PROTOCOL: ProtocolId = '/dllm/stage/1'
export const STAGE_PROTOCOL_OPTIONS: ProtocolOptions = {
  messageBytesMax: WIRE_LIMITS.stageMessageBytesMax,
  channelsPerPeerMax: WIRE_LIMITS.channelsPerPeerMax,
}

export type EndReason = 'end-token' | 'max-tokens' | 'context-full'
const END_REASONS: readonly EndReason[] = ['end-token', 'max-tokens', 'context-full']

export type StageMessage =
  // client to stage, on the control channel
  | (OpenFields & { readonly type: 'open' })
  | {
      readonly type: 'prompt'
      readonly turn: number
      /** Of the first token: everything before it is kept, everything after it is forgotten. */
      readonly position: number
      readonly tokens: Int32Array
      readonly chunkTokens: number
      /** Rows that a step of decoding may take along for drafts; 0: none. */
      readonly draftsMax: number
      readonly generation: Generation
    }
  | { readonly type: 'cancel'; readonly turn: number }
  | { readonly type: 'ask-statistics' }
  | { readonly type: 'voucher'; readonly voucher: VoucherBytes }
  // stage to client, on the control channel
  | { readonly type: 'ready' }
  | { readonly type: 'statistics'; readonly statistics: StageStatistics }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  // stage to next stage, on the link
  | { readonly type: 'link'; readonly session: SessionId }
  | {
      readonly type: 'step'
      readonly turn: number
      readonly position: number
      /** The last rows of this turn's prompt, or a decode step: the tail samples after it. */
      readonly sample: boolean
      /** Prefill frames are acknowledged, so that a slow stage slows the one before it. */
      readonly acknowledge: boolean
      /** With the first frame of a turn. */
      readonly generation: Generation | undefined
      /** Token ids of the rows, where the tail's repetition penalty needs them; else empty. */
      readonly tokens: Int32Array
      /** (rows, hidden), little-endian f32 bytes, 4-byte aligned in the message. */
      readonly rows: Uint8Array
    }
  | { readonly type: 'acknowledge'; readonly turn: number }
  // in sessions with a lease: of the last step with drafts, the rows before the position stay
  | { readonly type: 'keep'; readonly turn: number; readonly position: number }
  // next stage to stage, on the link: that it received what a receipt says
  | { readonly type: 'countersignature'; readonly window: number; readonly signature: Uint8Array }
  // tail to client and to stage 1
  | {
      readonly type: 'token'
      readonly turn: number
      /** Of the first token. */
      readonly position: number
      /** One, and one more for each draft that was right. */
      readonly tokens: Int32Array
      /** Of the logits that each was drawn from; none where nobody asks for them. */
      readonly digests: readonly Hash[]
    }
  | { readonly type: 'end'; readonly turn: number; readonly reason: EndReason; readonly position: number }
  // tail to client, in sessions with a lease: all rows before the position are computed
  | { readonly type: 'progress'; readonly turn: number; readonly position: number }

export type StageMessageType = StageMessage['type']

/** One kind of message. */
export type StageMessageOf<Type extends StageMessageType> = Extract<StageMessage, { type: Type }>

const TYPES: readonly StageMessageType[] = [
  'open',
  'prompt',
  'cancel',
  'ask-statistics',
  'ready',
  'statistics',
  'failed',
  'link',
  'step',
  'acknowledge',
  'token',
  'end',
  'voucher',
  'progress',
  'countersignature',
  'keep',
]

/** One message as bytes; the first byte is its type. */
export function encodeStageMessage(message: StageMessage): Uint8Array {
  const size = message.type === 'step' ? message.rows.length + message.tokens.length * 4 + 128 : 256
  const writer = new Writer(size).u8(TYPES.indexOf(message.type))
  writeBody(writer, message)
  return writer.finish()
}

function writeBody(writer: Writer, message: StageMessage): void {
  switch (message.type) {
    case 'open':
      writeOpen(writer, message)
      return
    case 'prompt':
      writer.u32(message.turn).u32(message.position).u32(message.chunkTokens).u32(message.draftsMax)
      writeGeneration(writer, message.generation)
      writeTokens(writer, message.tokens)
      return
    case 'cancel':
    case 'acknowledge':
      writer.u32(message.turn)
      return
    case 'ask-statistics':
    case 'ready':
      return
    case 'statistics':
      writeStatistics(writer, message.statistics)
      return
    case 'failed':
      writer.text(message.code).text(message.message)
      return
    case 'link':
      writer.raw(hexToBytes(message.session))
      return
    case 'step':
      writeStep(writer, message)
      return
    case 'token':
      writer.u32(message.turn).u32(message.position)
      writeTokens(writer, message.tokens)
      writer.list(message.digests, (inner, digest) => inner.raw(hexToBytes(digest)))
      return
    case 'end':
      writer.u32(message.turn).u8(END_REASONS.indexOf(message.reason)).u32(message.position)
      return
    case 'voucher':
      writer.raw(message.voucher)
      return
    case 'progress':
    case 'keep':
      writer.u32(message.turn).u32(message.position)
      return
    case 'countersignature':
      writer.u32(message.window).raw(message.signature)
      return
    default:
      unreachable(message)
  }
}

/** Bytes to a message; throws CodecError on anything that is not exactly one message within its bounds. */
export function decodeStageMessage(bytes: Uint8Array): StageMessage {
  const reader = new Reader(bytes)
  const type = TYPES[reader.u8()]
  if (type === undefined) throw new CodecError('CODEC_BAD_VALUE', 'The stage message has an unknown type.')
  const message = readBody(reader, type)
  reader.finish()
  return message
}

function readBody(reader: Reader, type: StageMessageType): StageMessage {
  switch (type) {
    case 'open':
      return { type, ...readOpen(reader) }
    case 'prompt':
      return {
        type,
        turn: reader.u32(),
        position: reader.u32(),
        chunkTokens: reader.u32(),
        draftsMax: reader.u32(),
        generation: readGeneration(reader),
        tokens: readTokens(reader, SESSION_LIMITS.promptTokensMax),
      }
    case 'cancel':
    case 'acknowledge':
      return { type, turn: reader.u32() }
    case 'ask-statistics':
    case 'ready':
      return { type }
    case 'statistics':
      return { type, statistics: readStatistics(reader) }
    case 'failed':
      return { type, code: reader.text(64), message: reader.text(WIRE_LIMITS.errorTextBytesMax) }
    case 'link':
      return { type, session: readSession(reader) }
    case 'step':
      return readStep(reader)
    case 'token':
      return readDrawn(reader)
    case 'end':
      return { type, turn: reader.u32(), reason: readReason(reader), position: reader.u32() }
    case 'voucher':
      return { type, voucher: reader.raw(VOUCHER_BYTES) }
    case 'progress':
    case 'keep':
      return { type, turn: reader.u32(), position: reader.u32() }
    case 'countersignature':
      return { type, window: reader.u32(), signature: reader.raw(SIGNATURE_BYTES) }
    default:
      return unreachable(type)
  }
}

type StepMessage = StageMessageOf<'step'>

/** Flags of a step, one bit each. */
const SAMPLE = 1
const ACKNOWLEDGE = 2
const GENERATION = 4

function writeStep(writer: Writer, step: StepMessage): void {
  const flags = (step.sample ? SAMPLE : 0) | (step.acknowledge ? ACKNOWLEDGE : 0) | (step.generation ? GENERATION : 0)
  writer.u8(flags).u32(step.turn).u32(step.position)
  if (step.generation) writeGeneration(writer, step.generation)
  writeTokens(writer, step.tokens)
  writer.bytes(step.rows)
}

function readStep(reader: Reader): StepMessage {
  const flags = reader.u8()
  if (flags > 7) throw new CodecError('CODEC_BAD_VALUE', 'The step has unknown flags.')
  return {
    type: 'step',
    sample: (flags & SAMPLE) !== 0,
    acknowledge: (flags & ACKNOWLEDGE) !== 0,
    turn: reader.u32(),
    position: reader.u32(),
    generation: flags & GENERATION ? readGeneration(reader) : undefined,
    tokens: readTokens(reader, SESSION_LIMITS.prefillChunkTokensMax),
    rows: reader.bytes(WIRE_LIMITS.stageMessageBytesMax),
  }
}

function readSession(reader: Reader): SessionId {
  return sessionId(bytesToHex(reader.raw(16)))
}

/** At least one token, and a digest for each or for none. */
function readDrawn(reader: Reader): StageMessageOf<'token'> {
  const [turn, position] = [reader.u32(), reader.u32()]
  const tokens = readTokens(reader, SESSION_LIMITS.windowRowsMax)
  const digests = reader.list(SESSION_LIMITS.windowRowsMax, (inner) => hash(bytesToHex(inner.raw(32))))
  if (tokens.length === 0 || (digests.length > 0 && digests.length !== tokens.length)) {
    throw new CodecError('CODEC_BAD_VALUE', 'The token message has no token, or digests that are not theirs.')
  }
  return { type: 'token', turn, position, tokens, digests }
}

function readReason(reader: Reader): EndReason {
  const reason = END_REASONS[reader.u8()]
  if (reason === undefined) throw new CodecError('CODEC_BAD_VALUE', 'The end message has an unknown reason.')
  return reason
}

function writeTokens(writer: Writer, tokens: Int32Array): void {
  writer.u32(tokens.length)
  for (const token of tokens) writer.u32(token)
}

function readTokens(reader: Reader, countMax: number): Int32Array {
  return Int32Array.from(reader.list(countMax, readToken))
}

/** No model has more tokens; whether this one has it, the engine says. */
function readToken(reader: Reader): number {
  const token = reader.u32()
  if (token < MODEL_LIMITS.vocabularyMax) return token
  throw new CodecError('CODEC_BAD_VALUE', 'No vocabulary has a token with this id.', { details: { token } })
}
