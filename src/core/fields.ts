/**
 * Fields that occur in many encodings of the chain: digests, account ids, heights, rounds. In memory a digest is hex text
 * (it is a map key), in bytes it is 32 raw bytes. Spec: docs/spec/chain.md.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import {
  type AccountId,
  type Address,
  accountId,
  type Hash,
  hash,
  type Milliseconds,
  milliseconds,
} from '../base/brand.ts'
import { CHAIN_LIMITS } from '../base/chain-limits.ts'
import { CodecError, type Reader, type Writer } from '../base/codec.ts'
import { ADDRESS_HASH_BYTES, addressHashOf, addressOfHash, decodeAddressOn } from './address.ts'
import type { NetworkKind } from './network-kind.ts'

export const HASH_BYTES = 32
/** Parent of the genesis block, root of an empty list. */
export const ZERO_HASH: Hash = hash('00'.repeat(HASH_BYTES))

export function writeHash(writer: Writer, value: Hash): Writer {
  return writer.raw(hexToBytes(value))
}

export function readHash(reader: Reader): Hash {
  return hash(bytesToHex(reader.raw(HASH_BYTES)))
}

/** 32 digest bytes as their text form. */
export function hashOf(digest: Uint8Array): Hash {
  return hash(bytesToHex(digest))
}

export function writeAccount(writer: Writer, value: AccountId): Writer {
  return writer.raw(hexToBytes(value))
}

export function readAccount(reader: Reader): AccountId {
  return accountId(bytesToHex(reader.raw(ADDRESS_HASH_BYTES)))
}

/** The account of a 32-byte public key: the hash inside its address, whatever the network. */
export function accountOf(publicKey: Uint8Array): AccountId {
  return accountId(bytesToHex(addressHashOf(publicKey)))
}

/** The text form of an account for people. */
export function addressOfAccount(id: AccountId, network: NetworkKind): Address {
  return addressOfHash(hexToBytes(id), network)
}

/** The account that an address of this network names. @throws AddressError. */
export function accountOfAddress(text: string, network: NetworkKind): AccountId {
  return accountId(bytesToHex(decodeAddressOn(text, network)))
}

/** A height, a time or another count of at most 2^48 as u64. @throws CodecError CODEC_BAD_VALUE above. */
export function readCount(reader: Reader): number {
  const value = reader.u64()
  if (value > BigInt(CHAIN_LIMITS.heightMax)) {
    throw new CodecError('CODEC_BAD_VALUE', 'A height or time is larger than any there can be.')
  }
  return Number(value)
}

export function writeCount(writer: Writer, value: number): Writer {
  return writer.u64(BigInt(value))
}

export function readTime(reader: Reader): Milliseconds {
  return milliseconds(readCount(reader))
}

/** @throws CodecError CODEC_BAD_VALUE for rounds that nobody reaches. */
export function readRound(reader: Reader): number {
  const value = reader.u32()
  if (value > CHAIN_LIMITS.roundMax) throw new CodecError('CODEC_BAD_VALUE', 'A round is larger than any there can be.')
  return value
}
