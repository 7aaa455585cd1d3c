/**
 * The voucher key of a lease, from the key of its payer: nothing to keep, and who learns it can spend this lease and nothing else.
 * Spec: docs/spec/market.md §9.2.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { Writer } from '../../base/codec.ts'
import { type KeyPair, keyPairFromSecret } from '../ed25519.ts'
import { taggedHash } from '../hash.ts'

/** `payerSecret`: 32 bytes; `nonce`: of the transaction that opens the lease, so it is known before the lease's id is. */
export function voucherKeyOf(payerSecret: Uint8Array, networkId: Hash, nonce: bigint): KeyPair {
  const number = new Writer(8).u64(nonce).finish()
  return keyPairFromSecret(taggedHash('dllm/voucher-key', payerSecret, hexToBytes(networkId), number))
}
