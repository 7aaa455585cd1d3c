/**
 * The bytes of a sign state as it is kept on disk. Fixed length, with a checksum at the end, so that a file that was cut or
 * altered is never taken for one; what cannot be read is refused, never reset.
 * Spec: docs/spec/store.md §5.
 * @module
 */
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import { CodecError, Reader, Writer } from '../../base/codec.ts'
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from '../ed25519.ts'
import { HASH_BYTES, readCount, readHash, readRound, writeCount, writeHash } from '../fields.ts'
import { taggedHash } from '../hash.ts'
import {
  equalBytes,
  type LastSigned,
  SIGN_STEPS,
  type SignIdentity,
  type SignState,
  SignStateError,
} from './sign-guard.ts'

const MAGIC = utf8ToBytes('dllmsign')
const VERSION = 1
const CHECKSUM_BYTES = 32
/** Never signed; a position only; a position with what was signed there. */
const KIND = { never: 0, position: 1, signed: 2 } as const

/** Magic, version, network id, public key, kind, position, digest and signature (zeros where there are none), checksum. */
export function encodeSignState({ networkId, publicKey, last }: SignState): Uint8Array {
  assert(publicKey.length === PUBLIC_KEY_BYTES, 'a public key has 32 bytes')
  const writer = new Writer(256).raw(MAGIC).u8(VERSION)
  writeHash(writer, networkId).raw(publicKey)
  writer.u8(last === undefined ? KIND.never : last.signed === undefined ? KIND.position : KIND.signed)
  writeCount(writer, last?.height ?? 0)
    .u32(last?.round ?? 0)
    .u8(last === undefined ? 0 : SIGN_STEPS.indexOf(last.step))
    .raw(last?.signed?.digest ?? new Uint8Array(HASH_BYTES))
    .raw(last?.signed?.signature ?? new Uint8Array(SIGNATURE_BYTES))
  const body = writer.finish()
  return concatBytes(body, checksum(body))
}

/** @throws SignStateError SIGN_STATE_DAMAGED, SIGN_STATE_FOREIGN. */
export function decodeSignState(bytes: Uint8Array, identity: SignIdentity): SignState {
  const state = decodeAny(bytes)
  if (state.networkId !== identity.networkId) throw foreign('network')
  if (!equalBytes(state.publicKey, identity.publicKey)) throw foreign('key')
  return state
}

function decodeAny(bytes: Uint8Array): SignState {
  const body = bytes.subarray(0, -CHECKSUM_BYTES)
  if (!equalBytes(bytes.subarray(body.length), checksum(body))) throw damaged('the checksum does not match')
  try {
    const reader = new Reader(body)
    if (!equalBytes(reader.raw(MAGIC.length), MAGIC)) throw damaged('it is another kind of file')
    const version = reader.u8()
    if (version !== VERSION) throw damaged(`version ${version} is not known here`)
    const networkId = readHash(reader)
    const publicKey = reader.raw(PUBLIC_KEY_BYTES).slice()
    const last = readLast(reader)
    reader.finish()
    const state = { networkId, publicKey, last }
    if (!equalBytes(encodeSignState(state), bytes)) throw damaged('a field that must be zero is not')
    return state
  } catch (error) {
    if (error instanceof CodecError) throw damaged(error.message)
    throw error
  }
}

function readLast(reader: Reader): LastSigned | undefined {
  const kind = reader.u8()
  const height = readCount(reader)
  const round = readRound(reader)
  const step = SIGN_STEPS[reader.u8()]
  const digest = reader.raw(HASH_BYTES).slice()
  const signature = reader.raw(SIGNATURE_BYTES).slice()
  if (kind === KIND.never) return undefined
  if (step === undefined || kind > KIND.signed) throw damaged('a field has a value that it cannot have')
  return { height, round, step, signed: kind === KIND.signed ? { digest, signature } : undefined }
}

function checksum(body: Uint8Array): Uint8Array {
  return taggedHash('dllm/sign-state', body)
}

function damaged(reason: string): SignStateError {
  const message =
    'The sign-state file of this validator is damaged, so nobody knows what its key has signed. Restore the file from a backup taken after the key last signed, or register a new consensus key. Do not delete it to go on: that can cost the stake.'
  return new SignStateError('SIGN_STATE_DAMAGED', message, { details: { reason } })
}

function foreign(what: 'network' | 'key'): SignStateError {
  const message = `The sign-state file here belongs to another ${what}. Use the data folder of this validator with --home, or move the file away and import its interchange file.`
  return new SignStateError('SIGN_STATE_FOREIGN', message, { details: { what } })
}
