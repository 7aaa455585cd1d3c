/** Receipts: their bytes, signatures and tree, and what each hash binds. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Hash, hash } from '../../../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../../../src/base/chain-limits.ts'
import { Reader, Writer } from '../../../../src/base/codec.ts'
import { writeInclusionProof } from '../../../../src/core/block/transactions-root.ts'
import { keyPairFromSecret, sign, verify } from '../../../../src/core/ed25519.ts'
import { ZERO_HASH } from '../../../../src/core/fields.ts'
import { ZERO_COUNTERS } from '../../../../src/core/market/counters.ts'
import {
  findingOf,
  handoverDigest,
  isReceiptOf,
  outCommitmentOf,
  RECEIPT_BYTES,
  type Receipt,
  readReceipt,
  receiptHash,
  signReceipt,
  writeReceipt,
} from '../../../../src/core/market/receipt.ts'
import {
  createGrowingReceipts,
  isReceiptIncluded,
  proveReceipt,
  readReceiptProof,
  receiptsRoot,
} from '../../../../src/core/market/receipt-tree.ts'
import { verdictCommitment } from '../../../../src/core/market/verdict.ts'
import { person } from '../../../chain-accounts.ts'

const h = (digit: string): Hash => hash(digit.repeat(64))
const NETWORK = h('7')
const KEYS = keyPairFromSecret(new Uint8Array(32).fill(9))
const RECEIPT: Receipt = {
  ...{ lease: h('1'), lot: 2, window: 3, milliseconds: 400, inDigest: h('4'), previous: h('5') },
  outCommitment: outCommitmentOf(h('6'), h('8')),
  before: { ...ZERO_COUNTERS, promptRows: 7n },
  after: { ...ZERO_COUNTERS, promptRows: 9n, promptPositions: 15n },
}

/** One change of each field. */
const CHANGES: readonly [string, Partial<Receipt>][] = [
  ['lease', { lease: h('2') }],
  ['lot', { lot: 3 }],
  ['window', { window: 4 }],
  ['counters before', { before: ZERO_COUNTERS }],
  ['counters after', { after: { ...RECEIPT.after, decodeRows: 1n } }],
  ['in digest', { inDigest: h('9') }],
  ['commitment', { outCommitment: h('9') }],
  ['milliseconds', { milliseconds: 1 }],
  ['previous receipt', { previous: ZERO_HASH }],
]

test('a receipt has 201 bytes and comes back as it was', () => {
  const bytes = writeReceipt(new Writer(), RECEIPT).finish()
  expect(bytes).toHaveLength(RECEIPT_BYTES)
  expect(readReceipt(new Reader(bytes))).toEqual(RECEIPT)
})

test.each(CHANGES)('hash and signature bind the %s', (_field, change) => {
  const signed = signReceipt(NETWORK, RECEIPT, KEYS.secretKey)
  const changed = { ...signed, ...change }
  expect(receiptHash(changed)).not.toBe(receiptHash(RECEIPT))
  expect(isReceiptOf(KEYS.publicKey, signed, { networkId: NETWORK })).toBe(true)
  expect(isReceiptOf(KEYS.publicKey, changed, { networkId: NETWORK })).toBe(false)
  expect(isReceiptOf(KEYS.publicKey, signed, { networkId: h('a') })).toBe(false)
})

describe('a finding', () => {
  test.each(CHANGES.filter(([field]) => /counters|in digest/.test(field)))('hangs on the %s', (_field, change) => {
    expect(findingOf({ ...RECEIPT, ...change }, h('6'))).not.toBe(findingOf(RECEIPT, h('6')))
  })

  test('hangs on what went out, and not on when or with which salt', () => {
    expect(findingOf(RECEIPT, h('7'))).not.toBe(findingOf(RECEIPT, h('6')))
    expect(findingOf({ ...RECEIPT, milliseconds: 1, outCommitment: h('9') } as Receipt, h('6'))).toBe(
      findingOf(RECEIPT, h('6')),
    )
  })
})

test('a commitment of a receipt or of an auditor is for one digest, salt, audit and auditor', () => {
  const audit = { lease: h('1'), lot: 0, window: 1 }
  const verdict = { finding: h('2'), salt: h('3') }
  const all = [
    outCommitmentOf(h('2'), h('3')),
    outCommitmentOf(h('3'), h('2')),
    verdictCommitment(audit, person(1).id, verdict),
    verdictCommitment(audit, person(2).id, verdict),
    verdictCommitment({ ...audit, window: 2 }, person(1).id, verdict),
    verdictCommitment(audit, person(1).id, { finding: h('3'), salt: h('2') }),
  ]
  expect(new Set(all).size).toBe(all.length)
})

test('the next hop signs what it received of one window', () => {
  const handover = { lease: h('1'), lot: 2, window: 3, outDigest: h('6') }
  const message = handoverDigest(NETWORK, handover)
  const signature = sign(message, KEYS.secretKey)
  expect(verify({ message, signature, publicKey: KEYS.publicKey })).toBe(true)
  const other = handoverDigest(NETWORK, { ...handover, outDigest: h('9') })
  expect(verify({ message: other, signature, publicKey: KEYS.publicKey })).toBe(false)
})

describe('the tree', () => {
  const hashes = (count: number): Hash[] =>
    Array.from({ length: count }, (_, window) => receiptHash({ ...RECEIPT, window }))

  test('proves each of its receipts and no other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), (count, at) => {
        const all = hashes(count)
        const root = receiptsRoot(all)
        const growing = createGrowingReceipts()
        for (const one of all) growing.append(one)
        expect(growing.root).toBe(root)
        const proof = proveReceipt(all, at % count)
        expect(isReceiptIncluded(root, all[at % count]!, proof)).toBe(true)
        expect(isReceiptIncluded(root, receiptHash({ ...RECEIPT, window: count }), proof)).toBe(false)
        const writer = writeInclusionProof(new Writer(), proof)
        expect(readReceiptProof(new Reader(writer.finish()))).toEqual(proof)
      }),
    )
  })

  test('of none is zeros', () => {
    expect(receiptsRoot([])).toBe(ZERO_HASH)
    expect(createGrowingReceipts().root).toBe(ZERO_HASH)
  })

  test.each([
    ['an index that is not below the count', { index: 2, count: 2, siblings: [] }],
    ['more receipts than there can be', { index: 0, count: MARKET_LIMITS.receiptsMax + 1, siblings: [] }],
    [
      'a longer path than there can be',
      { index: 0, count: 2, siblings: Array<Hash>(MARKET_LIMITS.receiptSiblingsMax + 1).fill(ZERO_HASH) },
    ],
  ])('has no proof with %s', (_what, proof) => {
    const bytes = writeInclusionProof(new Writer(), proof).finish()
    expect(() => readReceiptProof(new Reader(bytes))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^CODEC_/) }),
    )
  })
})
