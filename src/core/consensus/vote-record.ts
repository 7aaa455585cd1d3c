/**
 * The bytes of a replica's newest vote and lock as they are kept on disk: with them a node that lost its journal votes neither
 * twice nor against its lock. With a checksum, so that a damaged file is refused, never guessed at.
 * Spec: docs/spec/store.md §8.
 * @module
 */
import { concatBytes } from '@noble/hashes/utils.js'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { SIGNATURE_BYTES } from '../ed25519.ts'
import { HASH_BYTES, readCount, readHash, readRound, writeCount, writeHash } from '../fields.ts'
import { taggedHash } from '../hash.ts'
import type { Lock, SignRecord } from './replica-port.ts'
import { equalBytes, SIGN_STEPS, SignStateError } from './sign-guard.ts'

const VERSION = 1
const TAG = 'dllm/vote-record'

export function encodeVoteRecord({ request, signature, blockHash, locked, valid }: SignRecord): Uint8Array {
  const writer = new Writer(384).u8(VERSION)
  writeCount(writer, request.height).u32(request.round).u8(SIGN_STEPS.indexOf(request.step))
  writer.raw(request.digest).raw(signature)
  writer.u8(blockHash === undefined ? 0 : 1)
  if (blockHash !== undefined) writeHash(writer, blockHash)
  for (const lock of [locked, valid]) {
    writer.u8(lock === undefined ? 0 : 1)
    if (lock !== undefined) writeHash(writer.u32(lock.round), lock.hash)
  }
  const body = writer.finish()
  return concatBytes(body, taggedHash(TAG, body))
}

/** @throws SignStateError SIGN_STATE_DAMAGED. */
export function decodeVoteRecord(bytes: Uint8Array): SignRecord {
  const body = bytes.subarray(0, -HASH_BYTES)
  if (!equalBytes(bytes.subarray(body.length), taggedHash(TAG, body))) throw damaged('the checksum does not match')
  try {
    const reader = new Reader(body)
    if (reader.u8() !== VERSION) throw damaged('its version is not known here')
    const record = readRecord(reader)
    reader.finish()
    return record
  } catch (error) {
    if (error instanceof CodecError) throw damaged(error.message)
    throw error
  }
}

function readRecord(reader: Reader): SignRecord {
  const height = readCount(reader)
  const round = readRound(reader)
  const step = SIGN_STEPS[reader.u8()]
  if (step === undefined) throw damaged('a field has a value that it cannot have')
  const digest = reader.raw(HASH_BYTES).slice()
  const signature = reader.raw(SIGNATURE_BYTES).slice()
  const blockHash = reader.flag() ? readHash(reader) : undefined
  const locked = readLock(reader)
  return { request: { height, round, step, digest }, signature, blockHash, locked, valid: readLock(reader) }
}

function readLock(reader: Reader): Lock | undefined {
  return reader.flag() ? { round: readRound(reader), hash: readHash(reader) } : undefined
}

function damaged(reason: string): SignStateError {
  const message =
    'The file with the newest vote of this validator is damaged, so nobody knows what it is bound to. Restore the folder from a backup taken after it last voted, or register a new consensus key. Do not delete the file to go on: that can cost the stake.'
  return new SignStateError('SIGN_STATE_DAMAGED', message, { details: { reason } })
}
