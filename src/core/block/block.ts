/**
 * Blocks, their headers and the commits that make them final: types, bytes, hashes. Knows nothing of validity.
 * Spec: docs/spec/chain.md §4.
 * @module
 */

import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash, Milliseconds } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { SIGNATURE_BYTES } from '../ed25519.ts'
import {
  hashOf,
  readAccount,
  readCount,
  readHash,
  readRound,
  readTime,
  writeAccount,
  writeCount,
  writeHash,
} from '../fields.ts'
import { taggedHash } from '../hash.ts'

export const BLOCK_VERSION = 1
export const SEED_SIGNATURE_BYTES = 96

export interface Header {
  readonly height: number
  /** Round in which the block was first proposed. */
  readonly round: number
  /** Unix time. */
  readonly timeMs: Milliseconds
  readonly proposer: AccountId
  readonly parentHash: Hash
  /** Of the parent's commit, as it stands in the block. */
  readonly lastCommitHash: Hash
  readonly transactionsRoot: Hash
  /** After this block. */
  readonly stateRoot: Hash
  /** Of the set that votes on this block. */
  readonly validatorsHash: Hash
  /** Of the set that votes on the next one. */
  readonly nextValidatorsHash: Hash
  /** BLS12-381 G2, 96 bytes. */
  readonly seedSignature: Uint8Array
  /** Grains per unit that this block's transactions paid. */
  readonly baseFee: bigint
  /** Units that its transactions took. */
  readonly units: number
}

/** The precommits for one block. */
export interface Commit {
  readonly height: number
  readonly round: number
  readonly blockHash: Hash
  /** One entry per member of the set, in its order: a 64-byte signature, or undefined for who did not precommit this block. */
  readonly signatures: readonly (Uint8Array | undefined)[]
}

export interface Block {
  readonly header: Header
  /** Of the parent; undefined at height 1, whose parent needs none. */
  readonly lastCommit: Commit | undefined
  /** Encoded transactions. */
  readonly transactions: readonly Uint8Array[]
}

/** `networkId`: the genesis hash. */
export function blockHash(networkId: Hash, header: Header): Hash {
  return hashOf(taggedHash('dllm/block', hexToBytes(networkId), encodeHeader(header)))
}

export function commitHash(commit: Commit | undefined): Hash {
  const writer = new Writer()
  writeOptionalCommit(writer, commit)
  return hashOf(taggedHash('dllm/commit', writer.finish()))
}

export function encodeHeader(header: Header): Uint8Array {
  return writeHeader(new Writer(512), header).finish()
}

export function writeHeader(writer: Writer, header: Header): Writer {
  writer.u16(BLOCK_VERSION)
  writeCount(writer, header.height).u32(header.round)
  writeCount(writer, header.timeMs)
  writeAccount(writer, header.proposer)
  writeHash(writer, header.parentHash)
  writeHash(writer, header.lastCommitHash)
  writeHash(writer, header.transactionsRoot)
  writeHash(writer, header.stateRoot)
  writeHash(writer, header.validatorsHash)
  writeHash(writer, header.nextValidatorsHash)
  return writer.raw(header.seedSignature).u64(header.baseFee).u64(BigInt(header.units))
}

/** @throws CodecError. */
export function readHeader(reader: Reader): Header {
  if (reader.u16() !== BLOCK_VERSION) {
    throw new CodecError('CODEC_BAD_VALUE', 'The block has a version that this program does not know. Update dllm.')
  }
  return {
    height: readCount(reader),
    round: readRound(reader),
    timeMs: readTime(reader),
    proposer: readAccount(reader),
    parentHash: readHash(reader),
    lastCommitHash: readHash(reader),
    transactionsRoot: readHash(reader),
    stateRoot: readHash(reader),
    validatorsHash: readHash(reader),
    nextValidatorsHash: readHash(reader),
    seedSignature: reader.raw(SEED_SIGNATURE_BYTES).slice(),
    baseFee: reader.u64(),
    units: readCount(reader),
  }
}

export function writeCommit(writer: Writer, commit: Commit): Writer {
  writeCount(writer, commit.height).u32(commit.round)
  writeHash(writer, commit.blockHash)
  return writer.list(commit.signatures, (inner, signature) => {
    inner.u8(signature === undefined ? 0 : 1)
    if (signature !== undefined) inner.raw(signature)
  })
}

/** @throws CodecError. */
export function readCommit(reader: Reader): Commit {
  return {
    height: readCount(reader),
    round: readRound(reader),
    blockHash: readHash(reader),
    signatures: reader.list(CHAIN_LIMITS.validatorsMax, (inner) =>
      inner.flag() ? inner.raw(SIGNATURE_BYTES).slice() : undefined,
    ),
  }
}

function writeOptionalCommit(writer: Writer, commit: Commit | undefined): void {
  writer.u8(commit === undefined ? 0 : 1)
  if (commit !== undefined) writeCommit(writer, commit)
}

export function encodeBlock(block: Block): Uint8Array {
  const writer = new Writer(4_096)
  writeHeader(writer, block.header)
  writeOptionalCommit(writer, block.lastCommit)
  return writer.list(block.transactions, (inner, bytes) => inner.bytes(bytes)).finish()
}

/** Reads a block of at most `blockBytesMax`; what is variable in it is bounded. @throws CodecError. */
export function decodeBlock(bytes: Uint8Array): Block {
  if (bytes.length > CHAIN_LIMITS.blockBytesMax) {
    throw new CodecError('CODEC_TOO_LONG', 'The block is larger than a block may be.', {
      details: { bytes: bytes.length, max: CHAIN_LIMITS.blockBytesMax },
    })
  }
  const reader = new Reader(bytes)
  const header = readHeader(reader)
  const lastCommit = reader.flag() ? readCommit(reader) : undefined
  const transactions = reader.list(CHAIN_LIMITS.blockTransactionsMax, (inner) =>
    inner.bytes(CHAIN_LIMITS.transactionBytesMax).slice(),
  )
  reader.finish()
  return { header, lastCommit, transactions }
}
