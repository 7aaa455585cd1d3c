/**
 * An entry of a lot's journal with as many bytes of steps as a test wants.
 * @module
 */
import type { LotEntry } from '../src/app/market/lot-entry.ts'
import { NO_ROWS_DIGEST } from '../src/app/market/row-digest.ts'
import { type Hash, hash } from '../src/base/brand.ts'
import { ZERO_COUNTERS } from '../src/core/market/counters.ts'
import { NO_RECEIPT } from '../src/core/market/receipt.ts'

export function createMarketEntry(lease: Hash, stepBytes: number, seq = 1n): LotEntry {
  const counters = { ...ZERO_COUNTERS, decodeRows: seq * 16n }
  const open = { window: 0, before: ZERO_COUNTERS, inDigest: NO_ROWS_DIGEST, outDigest: NO_ROWS_DIGEST }
  return {
    voucher: { lease, seq, counters, transcript: hash('cd'.repeat(32)), signature: new Uint8Array(64) },
    steps: [new Uint8Array(stepBytes)],
    receipts: [],
    open: { ...open, computeMs: 0, previous: NO_RECEIPT },
  }
}
