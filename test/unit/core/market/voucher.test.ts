/** Vouchers and transcripts: their bytes, what a signature is good for, and that a transcript knows every token. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { Reader, Writer } from '../../../../src/base/codec.ts'
import { keyPairFromSecret } from '../../../../src/core/ed25519.ts'
import { EMPTY_TRANSCRIPT, nextTranscript } from '../../../../src/core/market/transcript.ts'
import {
  isVoucherOf,
  readVoucher,
  signVoucher,
  VOUCHER_BYTES,
  type Voucher,
  writeVoucher,
} from '../../../../src/core/market/voucher.ts'
import { anyHash, anyU64 } from '../../../fuzz/fields.ts'

const networkId = hash('11'.repeat(32))
const keys = keyPairFromSecret(new Uint8Array(32).fill(5))
const voucher: Voucher = {
  ...{ lease: hash('22'.repeat(32)), seq: 3n, transcript: hash('33'.repeat(32)) },
  counters: { promptRows: 1n, promptPositions: 2n, decodeRows: 3n, decodePositions: 4n },
}
const signed = signVoucher(networkId, voucher, keys.secretKey)

describe('a voucher', () => {
  test('is 104 bytes, read as they were written', () => {
    const counters = fc.record({
      promptRows: anyU64,
      promptPositions: anyU64,
      decodeRows: anyU64,
      decodePositions: anyU64,
    })
    fc.assert(
      fc.property(fc.record({ lease: anyHash, seq: anyU64, counters, transcript: anyHash }), (one) => {
        const bytes = writeVoucher(new Writer(), one).finish()
        expect(bytes).toHaveLength(VOUCHER_BYTES)
        expect(readVoucher(new Reader(bytes))).toEqual(one)
      }),
    )
  })

  test('is good for its key and network', () => {
    expect(isVoucherOf(keys.publicKey, signed, { networkId })).toBe(true)
  })

  test.each([
    ['another network', keys, signed, hash('12'.repeat(32))],
    ['another key', keyPairFromSecret(new Uint8Array(32).fill(6)), signed, networkId],
    ['another lease', keys, { ...signed, lease: hash('23'.repeat(32)) }, networkId],
    ['another number', keys, { ...signed, seq: 4n }, networkId],
    ['another transcript', keys, { ...signed, transcript: networkId }, networkId],
    ['other prompt rows', keys, { ...signed, counters: { ...voucher.counters, promptRows: 9n } }, networkId],
    ['other prompt positions', keys, { ...signed, counters: { ...voucher.counters, promptPositions: 9n } }, networkId],
    ['other decode rows', keys, { ...signed, counters: { ...voucher.counters, decodeRows: 9n } }, networkId],
    ['other decode positions', keys, { ...signed, counters: { ...voucher.counters, decodePositions: 9n } }, networkId],
    ['a short signature', keys, { ...signed, signature: signed.signature.subarray(1) }, networkId],
  ])('is not good for %s', (_case, { publicKey }, other, network) => {
    expect(isVoucherOf(publicKey, other, { networkId: network })).toBe(false)
  })
})

describe('a transcript', () => {
  test('is another after every window, and for every token in it', () => {
    const once = nextTranscript(EMPTY_TRANSCRIPT, [1, 2, 3])
    const others = [
      EMPTY_TRANSCRIPT,
      nextTranscript(EMPTY_TRANSCRIPT, []),
      nextTranscript(EMPTY_TRANSCRIPT, [1, 2]),
      nextTranscript(EMPTY_TRANSCRIPT, [1, 3, 2]),
      nextTranscript(nextTranscript(EMPTY_TRANSCRIPT, [1, 2]), [3]),
      nextTranscript(once, [1, 2, 3]),
    ]
    expect(new Set([once, ...others]).size).toBe(others.length + 1)
    expect(nextTranscript(EMPTY_TRANSCRIPT, [1, 2, 3])).toBe(once)
  })
})
