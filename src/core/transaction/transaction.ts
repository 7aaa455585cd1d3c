/**
 * Transactions: the envelope around every contract's body, its bytes, its id and what its sender signs.
 * Knows no contract. Spec: docs/spec/chain.md §3.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { type FastAcceptance, type KeyPair, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, sign, verify } from '../ed25519.ts'
import { accountOf, hashOf } from '../fields.ts'
import { taggedHasher } from '../hash.ts'

export const TRANSACTION_VERSION = 1

const hashId = taggedHasher('dllm/transaction-id')
const hashSigned = taggedHasher('dllm/transaction')

/** What the sender decides. */
export interface TransactionDraft {
  /** Number of a contract. */
  readonly type: number
  /** Count of the sender's transactions before. */
  readonly nonce: bigint
  /** Grains per unit, at most. */
  readonly maxFee: bigint
  /** Grains per unit for the proposer. */
  readonly tip: bigint
  /** Encoded body of the contract. */
  readonly body: Uint8Array
}

export interface Transaction extends TransactionDraft {
  /** First four bytes of the network id, little-endian. */
  readonly networkTag: number
  readonly publicKey: Uint8Array
  readonly signature: Uint8Array
  /** The account of the public key. */
  readonly sender: AccountId
  readonly id: Hash
  /** Length of the encoding, bytes. */
  readonly byteLength: number
  /** All before the signature; what is signed depends on the network as well: see `hasValidSignature`. */
  readonly signedBytes: Uint8Array
}

/** Who signs without giving the secret key away. */
export interface TransactionSigner {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes over the 32 given. */
  sign(digest: Uint8Array): Uint8Array
}

/** The bytes of a signed transaction. */
export function signTransaction(networkId: Hash, draft: TransactionDraft, keys: KeyPair): Uint8Array {
  const { publicKey, secretKey } = keys
  return sealTransaction(networkId, draft, { publicKey, sign: (digest) => sign(digest, secretKey) })
}

/** The same by somebody else's signature. */
export function sealTransaction(networkId: Hash, draft: TransactionDraft, signer: TransactionSigner): Uint8Array {
  const unsigned = encodeUnsigned(networkTagOf(networkId), draft, signer.publicKey)
  const signature = signer.sign(signingDigest(networkId, unsigned))
  return new Writer(unsigned.length + SIGNATURE_BYTES).raw(unsigned).raw(signature).finish()
}

/** The bytes of a transaction that was read. */
export function encodeTransaction({ byteLength, signedBytes, signature }: Transaction): Uint8Array {
  return new Writer(byteLength).raw(signedBytes).raw(signature).finish()
}

/** Reads a transaction of any network and type; says nothing of its validity. @throws CodecError. */
export function decodeTransaction(bytes: Uint8Array): Transaction {
  if (bytes.length > CHAIN_LIMITS.transactionBytesMax) {
    throw new CodecError('CODEC_TOO_LONG', 'The transaction is larger than a transaction may be.', {
      details: { bytes: bytes.length, max: CHAIN_LIMITS.transactionBytesMax },
    })
  }
  const owned = bytes.slice()
  const reader = new Reader(owned)
  if (reader.u8() !== TRANSACTION_VERSION) {
    throw new CodecError('CODEC_BAD_VALUE', 'The transaction has a version that this program does not know.')
  }
  const networkTag = reader.u32()
  const type = reader.u8()
  const publicKey = reader.raw(PUBLIC_KEY_BYTES)
  const nonce = reader.u64()
  const maxFee = reader.u64()
  const tip = reader.u64()
  const body = reader.bytes(CHAIN_LIMITS.transactionBytesMax)
  const signedBytes = owned.subarray(0, owned.length - reader.remaining)
  const signature = reader.raw(SIGNATURE_BYTES)
  reader.finish()
  const id = hashOf(hashId(owned))
  const sender = accountOf(publicKey)
  return {
    ...{ type, nonce, maxFee, tip, body, networkTag, publicKey, signature, sender, id, signedBytes },
    byteLength: owned.length,
  }
}

/** Whether the sender signed it for this network. */
export function hasValidSignature(transaction: Transaction, networkId: Hash, accepts?: FastAcceptance): boolean {
  const { signature, publicKey, signedBytes } = transaction
  return verify({ signature, publicKey, message: signingDigest(networkId, signedBytes) }, accepts)
}

/** The four bytes by which a transaction names its network. */
export function networkTagOf(networkId: Hash): number {
  return new Reader(hexToBytes(networkId)).u32()
}

function signingDigest(networkId: Hash, unsigned: Uint8Array): Uint8Array {
  return hashSigned(hexToBytes(networkId), unsigned)
}

function encodeUnsigned(networkTag: number, draft: TransactionDraft, publicKey: Uint8Array): Uint8Array {
  const writer = new Writer(128 + draft.body.length)
  writer.u8(TRANSACTION_VERSION).u32(networkTag).u8(draft.type).raw(publicKey)
  return writer.u64(draft.nonce).u64(draft.maxFee).u64(draft.tip).bytes(draft.body).finish()
}
