/**
 * Decoders of what the contracts of leases are called with, of vouchers, and of the records of leases.
 * @module
 */
import fc from 'fast-check'
import { hash } from '../../src/base/brand.ts'
import { MARKET_LIMITS } from '../../src/base/chain-limits.ts'
import type { Counters } from '../../src/core/market/counters.ts'
import { readSignedVoucher, readVoucher, writeSignedVoucher, writeVoucher } from '../../src/core/market/voucher.ts'
import {
  type LeaseRecord,
  type LeaseStatus,
  type LotRecord,
  type LotState,
  leaseKey,
  putLease,
  readLease,
} from '../../src/core/state/leases.ts'
import { createStateStore, overlayOn } from '../../src/core/state/state.ts'
import type { Decoder } from './decoder.ts'
import { anyAccount, anyCount, anyHash, anySignature, anyU32, anyU64, bytesOf, orNothing, written } from './fields.ts'
import { contractRow, recordRow } from './rows-contract.ts'

const anyU16 = fc.nat({ max: 0xffff })
const counters: fc.Arbitrary<Counters> = fc.record({
  ...{ promptRows: anyU64, promptPositions: anyU64, decodeRows: anyU64, decodePositions: anyU64 },
})
const voucher = { lease: anyHash, seq: anyU64, counters, transcript: anyHash }
const signed = fc.record({ ...voucher, signature: anySignature })

const anyLot: fc.Arbitrary<LotRecord> = fc.record({
  ...{ operator: anyAccount, standby: orNothing(anyAccount), end: anyU16 },
  work: fc.record({ linear: anyU64, attention: anyU64 }),
  ...{ rate: anyU64, task: anyU64, incarnation: anyU64, rows: anyU32, root: anyHash },
  state: fc.constantFrom<LotState>('unclaimed', 'claimed', 'faulted'),
})

const anyLease: fc.Arbitrary<LeaseRecord> = fc.record({
  ...{ payer: anyAccount, model: anyHash, voucherKey: bytesOf(32), cap: anyU64, escrow: anyU64 },
  terms: fc.record({
    ...{ price: anyU64, decodeWeight: anyU64, treasuryShare: anyU64, stakerShare: anyU64, receiptRows: anyU64 },
  }),
  ...{
    openedHeight: anyCount,
    expiryHeight: anyCount,
    dueHeight: anyCount,
    seq: anyU64,
    counters,
    transcript: anyHash,
  },
  status: fc.constantFrom<LeaseStatus>('open', 'closing', 'auditing'),
  lots: fc.array(anyLot, { maxLength: MARKET_LIMITS.leaseLotsMax }),
  openAudits: anyU16,
})

const ID = hash('cd'.repeat(32))

function encodeLease(lease: LeaseRecord): Uint8Array {
  const state = overlayOn(createStateStore([]))
  putLease(state, ID, lease)
  return state.get(leaseKey(ID))!
}

/** By the type of the contract. */
const BODIES: Readonly<Record<number, fc.Arbitrary<unknown>>> = {
  13: fc.record({
    ...{ model: anyHash, voucherKey: bytesOf(32), rows: anyU32, cap: anyU64, priceMax: anyU64, expiryHeight: anyCount },
    cuts: fc.array(anyU16, { maxLength: MARKET_LIMITS.leaseLotsMax - 1 }),
    avoid: fc.array(anyAccount, { maxLength: MARKET_LIMITS.leaseAvoidMax }),
  }),
  14: fc.record({ lease: anyHash }),
  15: fc.record({
    ...{ lease: anyHash, shown: orNothing(fc.record({ key: bytesOf(32), voucher: signed })) },
    ...{ lot: fc.nat({ max: 0xff }), rows: anyU32, root: anyHash },
  }),
}

export const LEASE_ROWS: readonly Decoder[] = [
  ...Object.entries(BODIES).map(([type, values]) => contractRow(Number(type), values)),
  recordRow({
    ...{ name: 'record-lease', covers: 'core/state/leases.ts:readLease', read: readLease },
    ...{ encode: encodeLease, values: anyLease },
  }),
  recordRow({
    ...{ name: 'voucher', covers: 'core/market/voucher.ts:readVoucher', read: readVoucher, values: fc.record(voucher) },
    encode: (value) => written((writer) => writeVoucher(writer, value)),
  }),
  recordRow({
    ...{ name: 'signed-voucher', covers: 'core/market/voucher.ts:readSignedVoucher', read: readSignedVoucher },
    encode: (value) => written((writer) => writeSignedVoucher(writer, value)),
    values: signed,
  }),
]
