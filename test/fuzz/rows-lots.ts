/**
 * Decoders of what clients and miners of a lease keep in files.
 * @module
 */
import fc from 'fast-check'
import { decodeKeptLease, encodeKeptLease, type KeptLease } from '../../src/app/market/client-lease-file.ts'
import { decodeLotEntry, encodeLotEntry, type LotEntry } from '../../src/app/market/lot-entry.ts'
import { encodeRecord, readRecords } from '../../src/app/market/record-file.ts'
import { decodeVoucher, encodeVoucher } from '../../src/app/market/voucher-store.ts'
import type { Counters } from '../../src/core/market/counters.ts'
import type { SignedVoucher } from '../../src/core/market/voucher.ts'
import { type Decoder, decoder } from './decoder.ts'
import {
  anyAccount,
  anyCount,
  anyHash,
  anySignature,
  anyTime,
  anyU32,
  anyU64,
  bytesOf,
  CODEC,
  orNothing,
} from './fields.ts'

const FILE_BYTES_MAX = 64 * 1024

const counters: fc.Arbitrary<Counters> = fc.record({
  ...{ promptRows: anyU64, promptPositions: anyU64, decodeRows: anyU64, decodePositions: anyU64 },
})
const voucher: fc.Arbitrary<SignedVoucher> = fc.record({
  ...{ lease: anyHash, seq: anyU64, counters, transcript: anyHash, signature: anySignature },
})
const receipt = fc.record({
  ...{ lease: anyHash, lot: fc.nat({ max: 255 }), window: anyU32, before: counters, after: counters },
  ...{ inDigest: anyHash, outCommitment: anyHash, milliseconds: anyU32, previous: anyHash, signature: anySignature },
})
const entry: fc.Arbitrary<LotEntry> = fc.record({
  voucher,
  steps: fc.array(fc.uint8Array({ maxLength: 30 }), { maxLength: 4 }),
  receipts: fc.array(fc.record({ receipt, outDigest: anyHash, salt: anyHash }), { maxLength: 3 }),
  open: fc.record({
    ...{ window: anyU32, before: counters, inDigest: bytesOf(32), outDigest: bytesOf(32) },
    ...{ computeMs: fc.double({ noNaN: true }), previous: anyHash },
  }),
})

const u16 = fc.nat({ max: 0xffff })
const keptLease: fc.Arbitrary<KeptLease> = fc.record({
  ...{ id: anyHash, networkId: anyHash, model: anyHash, payer: anyAccount, nonce: anyU64, secret: bytesOf(32) },
  ...{ expiryHeight: anyCount, openUntilMs: anyTime },
  opened: orNothing(
    fc.record({
      terms: fc.record({
        ...{ price: anyU64, decodeWeight: anyU64, treasuryShare: anyU64, stakerShare: anyU64, receiptRows: anyU64 },
      }),
      ...{ cap: anyU64, voucherKey: bytesOf(32) },
      lots: fc.array(
        fc.record({
          ...{ operator: anyAccount, peerKey: bytesOf(32), firstSegment: u16, lastSegment: u16, rate: anyU64 },
          work: fc.record({ linear: anyU64, attention: anyU64 }),
        }),
        { maxLength: 3 },
      ),
    }),
  ),
})

const sampled =
  <Value>(values: fc.Arbitrary<Value>, encode: (value: Value) => Uint8Array) =>
  (): Uint8Array[] =>
    fc.sample(values, { seed: 1, numRuns: 8 }).map((value) => encode(value).slice())

const payloads = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 })
const fileOf = (list: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(list.map(encodeRecord)))

export const LOT_ROWS: readonly Decoder[] = [
  decoder({
    name: 'lot-entry',
    covers: ['app/market/lot-entry.ts:decodeLotEntry'],
    samples: sampled(entry, encodeLotEntry),
    decode: decodeLotEntry,
    encode: encodeLotEntry,
    values: entry,
    codes: CODEC,
    bytesMax: FILE_BYTES_MAX,
  }),
  decoder({
    name: 'kept-lease',
    covers: ['app/market/client-lease-file.ts:decodeKeptLease'],
    samples: sampled(keptLease, encodeKeptLease),
    decode: decodeKeptLease,
    encode: encodeKeptLease,
    values: keptLease,
    codes: CODEC,
    bytesMax: FILE_BYTES_MAX,
  }),
  decoder({
    name: 'kept-voucher',
    covers: ['app/market/voucher-store.ts:decodeVoucher'],
    samples: sampled(voucher, encodeVoucher),
    decode: decodeVoucher,
    encode: encodeVoucher,
    values: voucher,
    codes: CODEC,
    bytesMax: FILE_BYTES_MAX,
  }),
  decoder({
    name: 'record-file',
    covers: ['app/market/record-file.ts:readRecords'],
    samples: sampled(payloads, fileOf),
    decode: (bytes) => {
      const { records, length } = readRecords(bytes)
      return { records: records.map((record) => record.slice()), rest: bytes.slice(length) }
    },
    encode: ({ records, rest }) => new Uint8Array(Buffer.concat([fileOf(records), rest])),
    values: payloads.map((records) => ({ records, rest: new Uint8Array(0) })),
    codes: [],
    bytesMax: FILE_BYTES_MAX,
  }),
]
