/**
 * Messages of the shard protocol: a peer asks another for manifests, lists of leaves, holdings and chunks. Questions have numbers, several may be under
 * way on a channel, and their answers come in any order; long answers come in pieces. Bytes only: nothing here knows files, and nothing is believed.
 * Spec: docs/spec/wire.md §7.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { type Hash, hash } from '../../base/brand.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'
import type { ProtocolId, ProtocolOptions } from '../wire.ts'

export const SHARD_PROTOCOL: ProtocolId = '/dllm/shards/1'
export const SHARD_PROTOCOL_OPTIONS: ProtocolOptions = {
  messageBytesMax: SHARD_LIMITS.messageBytesMax,
  channelsPerPeerMax: SHARD_LIMITS.channelsPerPeerMax,
}

const HASH_BYTES = 32
const CODE_BYTES_MAX = 64
/** A ticket opens one bulk link, once (docs/spec/shards.md §5). */
export const LINK_TICKET_BYTES = 16

/** What is asked; `id` is the asker's and in use for no other question of its that has no answer yet. */
export type ShardQuestion = { readonly id: number } & ShardQuestionBody
export type ShardQuestionBody =
  /** A page of `SHARD_LIMITS.pageBytesMax` of a manifest. */
  | { readonly type: 'manifest'; readonly model: Hash; readonly page: number }
  /** A page of the list of a file's leaves. */
  | { readonly type: 'leaves'; readonly root: Hash; readonly page: number }
  | { readonly type: 'holdings'; readonly root: Hash }
  | { readonly type: 'chunk'; readonly root: Hash; readonly index: number }
  /** Where a bulk link can be opened. */
  | { readonly type: 'link' }
  /** The question with this number needs no answer any more; it gets its last one all the same, if only `absent`. */
  | { readonly type: 'leave' }

/** The answer to the question with this number. All but a piece that has more behind it are the last one. */
export type ShardAnswer = { readonly id: number } & ShardAnswerBody
export type ShardAnswerBody =
  /** The next bytes of a chunk or page. `total`: bytes of the chunk, or of the whole manifest or list. */
  | { readonly type: 'piece'; readonly isLast: boolean; readonly total: number; readonly bytes: Uint8Array }
  | { readonly type: 'holdings'; readonly map: Uint8Array }
  | { readonly type: 'absent' }
  | { readonly type: 'link'; readonly port: number; readonly ticket: Uint8Array }
  | { readonly type: 'refused'; readonly code: string }

const QUESTIONS = ['manifest', 'leaves', 'holdings', 'chunk', 'link', 'leave'] as const
const ANSWERS = ['piece', 'holdings', 'absent', 'link', 'refused'] as const

export function encodeShardQuestion(question: ShardQuestion): Uint8Array {
  const writer = new Writer(64).u8(QUESTIONS.indexOf(question.type)).u32(question.id)
  switch (question.type) {
    case 'manifest':
      return writer.raw(hexToBytes(question.model)).u32(question.page).finish()
    case 'leaves':
      return writer.raw(hexToBytes(question.root)).u32(question.page).finish()
    case 'holdings':
      return writer.raw(hexToBytes(question.root)).finish()
    case 'chunk':
      return writer.raw(hexToBytes(question.root)).u32(question.index).finish()
    case 'link':
    case 'leave':
      return writer.finish()
  }
}

/** @throws CodecError. */
export function decodeShardQuestion(bytes: Uint8Array): ShardQuestion {
  const reader = new Reader(bytes)
  const type = kindOf(QUESTIONS, reader.u8())
  const question: ShardQuestion = { id: reader.u32(), ...readQuestion(type, reader) }
  reader.finish()
  return question
}

function readQuestion(type: ShardQuestion['type'], reader: Reader): ShardQuestionBody {
  switch (type) {
    case 'manifest':
      return { type, model: readHash(reader), page: reader.u32() }
    case 'leaves':
      return { type, root: readHash(reader), page: reader.u32() }
    case 'holdings':
      return { type, root: readHash(reader) }
    case 'chunk':
      return { type, root: readHash(reader), index: reader.u32() }
    case 'link':
    case 'leave':
      return { type }
  }
}

export function encodeShardAnswer(answer: ShardAnswer): Uint8Array {
  const room = answer.type === 'piece' ? answer.bytes.length : answer.type === 'holdings' ? answer.map.length : 0
  const writer = new Writer(96 + room).u8(ANSWERS.indexOf(answer.type)).u32(answer.id)
  switch (answer.type) {
    case 'piece':
      return writer
        .u8(answer.isLast ? 1 : 0)
        .u32(answer.total)
        .bytes(answer.bytes)
        .finish()
    case 'holdings':
      return writer.bytes(answer.map).finish()
    case 'absent':
      return writer.finish()
    case 'link':
      return writer.u16(answer.port).raw(answer.ticket).finish()
    case 'refused':
      return writer.text(answer.code).finish()
  }
}

/** Views into `bytes`, without copy. @throws CodecError. */
export function decodeShardAnswer(bytes: Uint8Array): ShardAnswer {
  const reader = new Reader(bytes)
  const type = kindOf(ANSWERS, reader.u8())
  const answer: ShardAnswer = { id: reader.u32(), ...readAnswer(type, reader) }
  reader.finish()
  return answer
}

function readAnswer(type: ShardAnswer['type'], reader: Reader): ShardAnswerBody {
  switch (type) {
    case 'piece':
      return { type, isLast: reader.flag(), total: reader.u32(), bytes: reader.bytes(SHARD_LIMITS.pieceBytesMax) }
    case 'holdings':
      return { type, map: reader.bytes(SHARD_LIMITS.mapBytesMax) }
    case 'absent':
      return { type }
    case 'link':
      return { type, port: reader.u16(), ticket: reader.raw(LINK_TICKET_BYTES) }
    case 'refused':
      return { type, code: reader.text(CODE_BYTES_MAX) }
  }
}

function kindOf<Kind>(kinds: readonly Kind[], index: number): Kind {
  const kind = kinds[index]
  if (kind === undefined) {
    throw new CodecError('CODEC_BAD_VALUE', 'A message about shards is of an unknown kind.', { details: { index } })
  }
  return kind
}

function readHash(reader: Reader): Hash {
  return hash(bytesToHex(reader.raw(HASH_BYTES)))
}
