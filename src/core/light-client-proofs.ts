/**
 * What a trusted header proves: values of the state after it, its transactions, and the headers before it. And the bytes of a
 * trusted header, to begin with it again. Spec: docs/spec/light-client.md.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../base/brand.ts'
import { CodecError, Reader, Writer } from '../base/codec.ts'
import { HouseError } from '../base/error.ts'
import { blockHash, type Header, readCommit, readHeader, writeCommit, writeHeader } from './block/block.ts'
import { type InclusionProof, isIncluded } from './block/transactions-root.ts'
import { readValidatorSet, writeMembers } from './consensus/validator-set.ts'
import type { Trusted } from './light-client.ts'
import { type StateProof, verifyProof } from './state/tree-proof.ts'
import { decodeTransaction, type Transaction } from './transaction/transaction.ts'

export class LightProofError extends HouseError<'LIGHT_NOT_INCLUDED' | 'LIGHT_NOT_BEFORE'> {}

/** The value of a state key after the block, or undefined when it has none. @throws ProofError. */
export function verifyState(header: Header, key: Uint8Array, proof: StateProof): Uint8Array | undefined {
  return verifyProof({ root: hexToBytes(header.stateRoot), key, proof })
}

/** The transaction, which is in the block. @throws CodecError, LightProofError LIGHT_NOT_INCLUDED. */
export function verifyTransaction(header: Header, bytes: Uint8Array, proof: InclusionProof): Transaction {
  const transaction = decodeTransaction(bytes)
  if (isIncluded(header.transactionsRoot, transaction.id, proof)) return transaction
  throw new LightProofError(
    'LIGHT_NOT_INCLUDED',
    `The transaction is not in block ${header.height}. Ask another node.`,
    {
      details: { id: transaction.id, height: header.height },
    },
  )
}

/**
 * The last of `headers`, which go down from the trusted one height by height: each is named by the one above it, so nobody needs to
 * sign them again. @throws LightProofError LIGHT_NOT_BEFORE.
 */
export function verifyAncestors(trusted: Header, headers: readonly Header[], networkId: Hash): Header {
  let above = trusted
  for (const header of headers) {
    if (header.height !== above.height - 1 || blockHash(networkId, header) !== above.parentHash) {
      const sentence = `The block that came as number ${above.height - 1} is not the one before block ${above.height}.`
      throw new LightProofError('LIGHT_NOT_BEFORE', sentence)
    }
    above = header
  }
  return above
}

const VERSION = 1

/** To be kept where nobody else writes: who reads it back believes it. */
export function encodeTrusted({ header, set, commit }: Trusted): Uint8Array {
  const writer = new Writer(16_384).u16(VERSION)
  writeMembers(writeHeader(writer, header), set.members).u8(commit === undefined ? 0 : 1)
  if (commit !== undefined) writeCommit(writer, commit)
  return writer.finish()
}

/** @throws CodecError. */
export function decodeTrusted(bytes: Uint8Array, networkId: Hash): Trusted {
  const reader = new Reader(bytes)
  if (reader.u16() !== VERSION) throw new CodecError('CODEC_BAD_VALUE', 'The trusted header is of another version.')
  const header = readHeader(reader)
  const set = readValidatorSet(reader)
  const commit = reader.flag() ? readCommit(reader) : undefined
  reader.finish()
  return { header, set, commit, hash: blockHash(networkId, header) }
}
