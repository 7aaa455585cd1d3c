/**
 * Decoders of what auditors and miners of audited lots say to each other, and of what an auditor keeps.
 * @module
 */
import fc from 'fast-check'
import { decodeVerdicts, encodeVerdicts, type KeptVerdict } from '../../src/app/audit/verdict-store.ts'
import { AUDIT_LIMITS } from '../../src/base/limits.ts'
import {
  type AuditAnswer,
  type AuditItem,
  type AuditQuestion,
  decodeAuditAnswer,
  decodeAuditQuestion,
  encodeAuditAnswer,
  encodeAuditQuestion,
} from '../../src/net/protocols/audit.ts'
import { type Decoder, decoder } from './decoder.ts'
import { anyCount, anyHash, anyU32, bytesOf, CODEC, textOf } from './fields.ts'

const question: fc.Arbitrary<AuditQuestion> = fc.oneof(
  fc.record({ type: fc.constant('ask' as const), audit: bytesOf(37) }),
  fc.record({ type: fc.constant('next' as const) }),
)
const item: fc.Arbitrary<AuditItem> = fc.oneof(
  fc.record({ type: fc.constant('receipt' as const), receipt: bytesOf(201) }),
  fc.record({ type: fc.constant('step' as const), step: fc.uint8Array({ maxLength: 60 }) }),
)
const answer: fc.Arbitrary<AuditAnswer> = fc.oneof(
  fc.record({
    ...{ type: fc.constant('cover' as const), receipt: bytesOf(201), index: anyU32, count: anyU32 },
    siblings: fc.array(anyHash, { maxLength: AUDIT_LIMITS.siblingsMax }),
  }),
  fc.record({ type: fc.constant('part' as const), items: fc.array(item, { maxLength: 5 }) }),
  fc.record({ type: fc.constant('refused' as const), code: textOf(64), message: textOf(300) }),
)
const audit = fc.record({ lease: anyHash, lot: fc.nat({ max: 0xff }), window: anyU32 })
const verdicts: fc.Arbitrary<KeptVerdict[]> = fc.array(
  fc.record({ audit, finding: anyHash, salt: anyHash, dueHeight: anyCount }),
  { maxLength: 4 },
)

const sampled =
  <Value>(values: fc.Arbitrary<Value>, encode: (value: Value) => Uint8Array) =>
  (): Uint8Array[] =>
    fc.sample(values, { seed: 1, numRuns: 12 }).map((value) => encode(value).slice())

export const AUDITOR_ROWS: readonly Decoder[] = [
  decoder({
    name: 'audit-question',
    covers: ['net/protocols/audit.ts:decodeAuditQuestion'],
    samples: sampled(question, encodeAuditQuestion),
    decode: decodeAuditQuestion,
    encode: encodeAuditQuestion,
    values: question,
    codes: CODEC,
    bytesMax: AUDIT_LIMITS.messageBytesMax,
  }),
  decoder({
    name: 'audit-answer',
    covers: ['net/protocols/audit.ts:decodeAuditAnswer'],
    samples: sampled(answer, encodeAuditAnswer),
    decode: decodeAuditAnswer,
    encode: encodeAuditAnswer,
    values: answer,
    codes: CODEC,
    bytesMax: AUDIT_LIMITS.messageBytesMax,
  }),
  decoder({
    name: 'verdicts',
    covers: ['app/audit/verdict-store.ts:decodeVerdicts'],
    samples: sampled(verdicts, encodeVerdicts),
    decode: decodeVerdicts,
    encode: encodeVerdicts,
    values: verdicts,
    codes: CODEC,
    bytesMax: 200 * 1024,
  }),
]
