/**
 * What a client keeps of a lease, for tests that need one.
 * @module
 */
import type { KeptLease } from '../src/app/market/client-lease-file.ts'
import { accountId, hash, milliseconds } from '../src/base/brand.ts'

export function keptLease(change: Partial<KeptLease> = {}): KeptLease {
  return {
    ...{ id: hash('01'.repeat(32)), networkId: hash('11'.repeat(32)), model: hash('ab'.repeat(32)) },
    ...{ payer: accountId('05'.repeat(20)), nonce: 3n, secret: new Uint8Array(32).fill(7) },
    ...{ expiryHeight: 100, openUntilMs: milliseconds(1_750_000_000_000) },
    opened: {
      terms: { price: 12n, decodeWeight: 4n, treasuryShare: 100n, stakerShare: 70n, receiptRows: 256n },
      ...{ cap: 1_000_000n, voucherKey: new Uint8Array(32).fill(8) },
      lots: [
        {
          ...{ operator: accountId('06'.repeat(20)), peerKey: new Uint8Array(32).fill(9) },
          ...{ firstSegment: 0, lastSegment: 3, work: { linear: 2_000_000n, attention: 1_000n }, rate: 7n },
        },
      ],
    },
    ...change,
  }
}
