/**
 * Messages of the chain protocol: what a node asks another about blocks, state and votes. A channel carries questions and
 * answers in turn. Blocks, commits and proofs pass through as bytes; what is believed is the app's business.
 * Spec: docs/spec/wire.md §5.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { type Hash, hash } from '../../base/brand.ts'
import { CHAIN_LIMITS, MARKET_LIMITS, SYNC_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import type { ProtocolId, ProtocolOptions } from '../wire.ts'

export const CHAIN_PROTOCOL: ProtocolId = '/dllm/chain/1'
export const CHAIN_PROTOCOL_OPTIONS: ProtocolOptions = {
  messageBytesMax: SYNC_LIMITS.answerBytesMax,
  channelsPerPeerMax: SYNC_LIMITS.channelsPerPeerMax,
}

const HASH_BYTES = 32
const ACCOUNT_BYTES = 20

/** A question; `HeadAnswer` and lists of byte strings answer it. */
export type ChainQuestion =
  /** Items: none; the answer's head tells. */
  | { readonly type: 'head' }
  /** Items: block and commit of each height in turn, as many as fit. */
  | { readonly type: 'blocks'; readonly from: number; readonly count: number }
  /** Items: header, commit and validator set of each height in turn. */
  | { readonly type: 'headers'; readonly from: number; readonly count: number }
  /** Items: proposals and votes, each behind a byte that says which, that the asker lacks by its summary. */
  | { readonly type: 'consensus'; readonly summary: Uint8Array }
  /** Items: description of the newest snapshot. */
  | { readonly type: 'snapshot' }
  /** Items: one part of the snapshot of a height. */
  | { readonly type: 'snapshot-part'; readonly height: number; readonly index: number }
  /** Items: header and commit of a height, then the proof of a state key against it. */
  | { readonly type: 'state'; readonly key: Uint8Array }
  /** Items: height as u64, the transaction, its proof against the height's header. */
  | { readonly type: 'transaction'; readonly id: Hash }
  /** Items: height, transaction and proof of each of the account's newest transactions, as many as fit. */
  | { readonly type: 'history'; readonly account: Uint8Array; readonly count: number }
  /** Items: none; a refusal says why it was not taken. */
  | { readonly type: 'submit'; readonly transaction: Uint8Array }
  /** Items: transactions that wait, as many as fit. */
  | { readonly type: 'waiting' }
  /** Items: hashes of the registered models of this name, as many as fit. What they are is proved by `state`. */
  | { readonly type: 'models'; readonly name: string }

export type ChainAnswer =
  | { readonly type: 'items'; readonly head: HeadAnswer; readonly items: readonly Uint8Array[] }
  | { readonly type: 'refused'; readonly code: string; readonly message: string }

/** Where the answering node stands. */
export interface HeadAnswer {
  readonly networkId: Hash
  readonly height: number
  readonly blockHash: Hash
  /** Oldest height whose block it still has. */
  readonly oldestHeight: number
}

const QUESTIONS: readonly ChainQuestion['type'][] = [
  'head',
  'blocks',
  'headers',
  'consensus',
  'snapshot',
  'snapshot-part',
  'state',
  'transaction',
  'submit',
  'waiting',
  'history',
  'models',
]

export function encodeQuestion(question: ChainQuestion): Uint8Array {
  const writer = new Writer().u8(QUESTIONS.indexOf(question.type))
  switch (question.type) {
    case 'head':
    case 'snapshot':
    case 'waiting':
      return writer.finish()
    case 'blocks':
    case 'headers':
      return writer.u64(BigInt(question.from)).u16(question.count).finish()
    case 'consensus':
      return writer.bytes(question.summary).finish()
    case 'snapshot-part':
      return writer.u64(BigInt(question.height)).u32(question.index).finish()
    case 'state':
      return writer.bytes(question.key).finish()
    case 'transaction':
      return writer.raw(hexToBytes(question.id)).finish()
    case 'submit':
      return writer.bytes(question.transaction).finish()
    case 'history':
      return writer.raw(question.account).u16(question.count).finish()
    case 'models':
      return writer.text(question.name).finish()
  }
}

/** @throws CodecError. */
export function decodeQuestion(bytes: Uint8Array): ChainQuestion {
  const reader = new Reader(bytes)
  const question = readQuestion(QUESTIONS[reader.u8()], reader)
  reader.finish()
  return question
}

function readQuestion(type: ChainQuestion['type'] | undefined, reader: Reader): ChainQuestion {
  switch (type) {
    case 'head':
    case 'snapshot':
    case 'waiting':
      return { type }
    case 'blocks':
    case 'headers':
      return { type, from: readHeight(reader), count: reader.u16() }
    case 'consensus':
      return { type, summary: reader.bytes(SYNC_LIMITS.summaryBytesMax).slice() }
    case 'snapshot-part':
      return { type, height: readHeight(reader), index: reader.u32() }
    case 'state':
      return { type, key: reader.bytes(SYNC_LIMITS.stateKeyBytesMax).slice() }
    case 'transaction':
      return { type, id: hash(bytesToHex(reader.raw(HASH_BYTES))) }
    case 'submit':
      return { type, transaction: reader.bytes(CHAIN_LIMITS.transactionBytesMax).slice() }
    case 'history':
      return { type, account: reader.raw(ACCOUNT_BYTES).slice(), count: reader.u16() }
    case 'models':
      return { type, name: reader.text(MARKET_LIMITS.modelNameBytesMax) }
    case undefined:
      throw new CodecError('CODEC_BAD_VALUE', 'The question is of an unknown kind.')
  }
}

export function encodeAnswer(answer: ChainAnswer): Uint8Array {
  if (answer.type === 'refused') return new Writer().u8(1).text(answer.code).text(answer.message).finish()
  const { head, items } = answer
  const writer = new Writer(128 + items.reduce((sum, item) => sum + item.length + 4, 0))
  writer.u8(0).raw(hexToBytes(head.networkId)).u64(BigInt(head.height)).raw(hexToBytes(head.blockHash))
  return writer
    .u64(BigInt(head.oldestHeight))
    .list(items, (inner, item) => inner.bytes(item))
    .finish()
}

/** @throws CodecError. */
export function decodeAnswer(bytes: Uint8Array): ChainAnswer {
  const reader = new Reader(bytes)
  const answer = readAnswer(reader)
  reader.finish()
  return answer
}

function readAnswer(reader: Reader): ChainAnswer {
  if (reader.flag()) {
    const code = reader.text(SYNC_LIMITS.refusalBytesMax)
    return { type: 'refused', code, message: reader.text(SYNC_LIMITS.refusalBytesMax) }
  }
  const head = {
    networkId: hash(bytesToHex(reader.raw(HASH_BYTES))),
    height: readHeight(reader),
    blockHash: hash(bytesToHex(reader.raw(HASH_BYTES))),
    oldestHeight: readHeight(reader),
  }
  const items = reader.list(SYNC_LIMITS.itemsMax, (inner) => inner.bytes(SYNC_LIMITS.answerBytesMax).slice())
  return { type: 'items', head, items }
}

function readHeight(reader: Reader): number {
  const value = reader.u64()
  if (value > BigInt(CHAIN_LIMITS.heightMax)) {
    throw new CodecError('CODEC_BAD_VALUE', 'A height is larger than any there can be.')
  }
  return Number(value)
}
