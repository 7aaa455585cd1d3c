/**
 * Accounts that send transfers to each other. Their keys follow from their numbers, so that every process of a measure can sign
 * for its share of them; OpenSSL signs, because a measure needs tens of thousands of signatures before it begins.
 * @module
 */

import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../src/base/brand.ts'
import { Writer } from '../../src/base/codec.ts'
import type { KeyPair } from '../../src/core/ed25519.ts'
import { accountOf } from '../../src/core/fields.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { networkTagOf, TRANSACTION_VERSION } from '../../src/core/transaction/transaction.ts'
import { transfer } from '../../src/core/transaction/transfer.ts'

export interface Sender {
  readonly id: AccountId
  readonly publicKey: Uint8Array
  readonly key: KeyObject
}

/** PrivateKeyInfo and SubjectPublicKeyInfo of an Ed25519 key (RFC 8410), up to its 32 bytes. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const SPKI_PREFIX_BYTES = 12
/** More than the base fee of any block of a measure. */
const FEE = { maxFee: 100_000n, tip: 1n }
const FIRST_VALIDATOR = 1_000_000

export function sender(number: number): Sender {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secret(number)]), format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  const publicKey = Uint8Array.from(spki.subarray(SPKI_PREFIX_BYTES))
  return { id: accountOf(publicKey), publicKey, key }
}

/** Of an account that owns a validator, or of the validator itself. */
export function validatorKeys(role: 'owner' | 'operator', account: number): KeyPair {
  const number = FIRST_VALIDATOR + 2 * account + (role === 'owner' ? 0 : 1)
  return { secretKey: secret(number), publicKey: sender(number).publicKey }
}

/** The signed bytes of a transfer of one grain. */
export function transferBytes(
  networkId: Hash,
  from: Sender,
  { to, nonce }: { to: AccountId; nonce: number },
): Uint8Array {
  const body = new Writer()
  transfer.write(body, { to, amount: 1n, memo: new Uint8Array(0) })
  const writer = new Writer(256)
  writer.u8(TRANSACTION_VERSION).u32(networkTagOf(networkId)).u8(transfer.type).raw(from.publicKey)
  const unsigned = writer.u64(BigInt(nonce)).u64(FEE.maxFee).u64(FEE.tip).bytes(body.finish()).finish()
  const digest = taggedHash('dllm/transaction', hexToBytes(networkId), unsigned)
  return new Writer(256)
    .raw(unsigned)
    .raw(new Uint8Array(sign(null, digest, from.key)))
    .finish()
}

function secret(number: number): Uint8Array {
  const bytes = new Uint8Array(32).fill(7)
  new DataView(bytes.buffer).setUint32(4, number)
  return bytes
}
