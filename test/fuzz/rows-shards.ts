/**
 * Decoders of what peers say to each other about shards: over channels, and on bulk links.
 * @module
 */
import fc from 'fast-check'
import {
  decodeLinkHead,
  decodeLinkRequest,
  encodeLinkHead,
  encodeLinkRequest,
  LINK_REQUEST_BYTES,
  type LinkHead,
  type LinkRequest,
} from '../../src/app/shards/link-frames.ts'
import { SHARD_LIMITS } from '../../src/base/swarm-limits.ts'
import { CHUNK_BYTES } from '../../src/ml/chunk-tree.ts'
import {
  decodeShardAnswer,
  decodeShardQuestion,
  encodeShardAnswer,
  encodeShardQuestion,
  LINK_TICKET_BYTES,
  type ShardAnswer,
  type ShardQuestion,
} from '../../src/net/protocols/shards.ts'
import { type Decoder, decoder } from './decoder.ts'
import { anyHash, anyU32, bytesOf, CODEC, textOf } from './fields.ts'

const is = <Type extends string>(type: Type) => fc.constant(type)
const question: fc.Arbitrary<ShardQuestion> = fc.oneof(
  fc.record({ id: anyU32, type: is('manifest'), model: anyHash, page: anyU32 }),
  fc.record({ id: anyU32, type: is('leaves'), root: anyHash, page: anyU32 }),
  fc.record({ id: anyU32, type: is('holdings'), root: anyHash }),
  fc.record({ id: anyU32, type: is('chunk'), root: anyHash, index: anyU32 }),
  fc.record({ id: anyU32, type: is('link') }),
  fc.record({ id: anyU32, type: is('leave') }),
)
const anyBytes = fc.uint8Array({ maxLength: 60 })
const answer: fc.Arbitrary<ShardAnswer> = fc.oneof(
  fc.record({ id: anyU32, type: is('piece'), isLast: fc.boolean(), total: anyU32, bytes: anyBytes }),
  fc.record({ id: anyU32, type: is('holdings'), map: anyBytes }),
  fc.record({ id: anyU32, type: is('absent') }),
  fc.record({ id: anyU32, type: is('link'), port: fc.nat({ max: 0xffff }), ticket: bytesOf(LINK_TICKET_BYTES) }),
  fc.record({ id: anyU32, type: is('refused'), code: textOf(64) }),
)
const request: fc.Arbitrary<LinkRequest> = fc.oneof(
  fc.record({ type: is('chunk'), id: anyU32, root: anyHash, index: anyU32 }),
  fc.record({ type: is('leave'), id: anyU32 }),
)
const head: fc.Arbitrary<LinkHead> = fc.record({ id: anyU32, length: fc.nat({ max: CHUNK_BYTES }) })

const sampled =
  <Value>(values: fc.Arbitrary<Value>, encode: (value: Value) => Uint8Array) =>
  (): Uint8Array[] =>
    fc.sample(values, { seed: 1, numRuns: 12 }).map((value) => encode(value).slice())

export const SHARD_ROWS: readonly Decoder[] = [
  decoder({
    name: 'shard-question',
    covers: ['net/protocols/shards.ts:decodeShardQuestion'],
    samples: sampled(question, encodeShardQuestion),
    decode: decodeShardQuestion,
    encode: encodeShardQuestion,
    values: question,
    codes: CODEC,
    bytesMax: SHARD_LIMITS.messageBytesMax,
  }),
  decoder({
    name: 'shard-answer',
    covers: ['net/protocols/shards.ts:decodeShardAnswer'],
    samples: sampled(answer, encodeShardAnswer),
    decode: decodeShardAnswer,
    encode: encodeShardAnswer,
    values: answer,
    codes: CODEC,
    bytesMax: SHARD_LIMITS.messageBytesMax,
  }),
  decoder({
    name: 'link-request',
    covers: ['app/shards/link-frames.ts:decodeLinkRequest'],
    samples: sampled(request, encodeLinkRequest),
    decode: decodeLinkRequest,
    encode: encodeLinkRequest,
    values: request,
    codes: CODEC,
    bytesMax: LINK_REQUEST_BYTES,
  }),
  decoder({
    name: 'link-head',
    covers: ['app/shards/link-frames.ts:decodeLinkHead'],
    samples: sampled(head, encodeLinkHead),
    decode: decodeLinkHead,
    encode: encodeLinkHead,
    values: head,
    codes: CODEC,
    bytesMax: LINK_REQUEST_BYTES,
  }),
]
