/**
 * Decoders of what is said about audits: bodies of contracts, receipts and their proofs, records of audits and of power.
 * @module
 */
import fc from 'fast-check'
import { hash } from '../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../src/base/chain-limits.ts'
import { writeInclusionProof } from '../../src/core/block/transactions-root.ts'
import {
  readReceipt,
  readSignedReceipt,
  type SignedReceipt,
  writeReceipt,
  writeSignedReceipt,
} from '../../src/core/market/receipt.ts'
import { readReceiptProof } from '../../src/core/market/receipt-tree.ts'
import {
  type AuditId,
  type AuditRecord,
  putAudit,
  readAudit,
  readAuditId,
  writeAuditId,
} from '../../src/core/state/audits.ts'
import { type Powers, putPowers, readPowers } from '../../src/core/state/powers.ts'
import type { Decoder } from './decoder.ts'
import { anyAccount, anyCount, anyHash, anySignature, anyU32, anyU64, bytesOf, orNothing, written } from './fields.ts'
import { contractRow, recordOf, recordRow } from './rows-contract.ts'

const anyU8 = fc.nat({ max: 0xff })
const counters = fc.record({
  ...{ promptRows: anyU64, promptPositions: anyU64, decodeRows: anyU64, decodePositions: anyU64 },
})
const receiptFields = {
  ...{ lease: anyHash, lot: anyU8, window: anyU32, before: counters, after: counters, inDigest: anyHash },
  ...{ outCommitment: anyHash, milliseconds: anyU32, previous: anyHash },
}
const receipt = fc.record(receiptFields)
const signed: fc.Arbitrary<SignedReceipt> = fc.record({ ...receiptFields, signature: anySignature })
const audit: fc.Arbitrary<AuditId> = fc.record({ lease: anyHash, lot: anyU8, window: anyU32 })
const proof = fc.integer({ min: 1, max: MARKET_LIMITS.receiptsMax }).chain((count) =>
  fc.record({
    index: fc.nat({ max: count - 1 }),
    count: fc.constant(count),
    siblings: fc.array(anyHash, { maxLength: MARKET_LIMITS.receiptSiblingsMax }),
  }),
)

/** By the type of the contract. */
const BODIES: Readonly<Record<number, fc.Arbitrary<unknown>>> = {
  16: fc.record({ audit, commitment: anyHash }),
  17: fc.record({ audit, peerKey: bytesOf(32), receipt: signed, outDigest: anyHash, salt: anyHash, proof }),
  18: fc.record({ audit, finding: anyHash, salt: anyHash }),
}

const anyAudit: fc.Arbitrary<AuditRecord> = fc.record({
  round: fc.constantFrom('first' as const, 'redrawn' as const, 'last' as const),
  ...{ commitHeight: anyCount, dueHeight: anyCount, row: anyU32, standsFor: anyCount, stake: anyU64 },
  opening: orNothing(fc.record({ finding: anyHash, units: anyU64, rows: anyU32, milliseconds: anyU32 })),
  auditors: fc.array(
    fc.record({ operator: anyAccount, weight: anyU64, commitment: orNothing(anyHash), finding: orNothing(anyHash) }),
    { maxLength: 8 },
  ),
})

const anyPowers: fc.Arbitrary<Powers> = fc
  .uniqueArray(fc.tuple(anyAccount, fc.bigInt({ min: 1n, max: 2n ** 64n - 1n })), {
    ...{ minLength: 1, maxLength: 8, selector: ([id]) => id },
  })
  .map((entries) => new Map(entries.sort(([one], [other]) => (one < other ? -1 : 1))))

const ID: AuditId = { lease: hash('ab'.repeat(32)), lot: 1, window: 2 }

export const AUDIT_ROWS: readonly Decoder[] = [
  ...Object.entries(BODIES).map(([type, values]) => contractRow(Number(type), values)),
  recordRow({
    ...{ name: 'receipt', covers: 'core/market/receipt.ts:readReceipt', read: readReceipt, values: receipt },
    encode: (value) => written((writer) => writeReceipt(writer, value)),
  }),
  recordRow({
    ...{ name: 'receipt-signed', covers: 'core/market/receipt.ts:readSignedReceipt', read: readSignedReceipt },
    encode: (value) => written((writer) => writeSignedReceipt(writer, value)),
    values: signed,
  }),
  recordRow({
    ...{ name: 'receipt-proof', covers: 'core/market/receipt-tree.ts:readReceiptProof', read: readReceiptProof },
    encode: (value) => written((writer) => writeInclusionProof(writer, value)),
    values: proof,
  }),
  recordRow({
    ...{ name: 'audit-id', covers: 'core/state/audits.ts:readAuditId', read: readAuditId, values: audit },
    encode: (value) => written((writer) => writeAuditId(writer, value)),
  }),
  recordRow({
    ...{ name: 'record-audit', covers: 'core/state/audits.ts:readAudit', read: readAudit, values: anyAudit },
    encode: (value) => recordOf((state) => putAudit(state, ID, value)),
  }),
  recordRow({
    ...{ name: 'record-power', covers: 'core/state/powers.ts:readPowers', read: readPowers, values: anyPowers },
    encode: (value) => recordOf((state) => putPowers(state, 1, value)),
  }),
]
