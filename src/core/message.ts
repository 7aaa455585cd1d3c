/**
 * Signed messages: a person proves that an address is theirs by signing a text. The digest has its own domain tag, so
 * that such a signature can never be passed off as a transaction, vote or voucher. The text form carries the public
 * key, because an address is only its hash. Spec: docs/spec/keys.md §6.
 * @module
 */
import { concatBytes } from '@noble/hashes/utils.js'
import { bech32m } from '@scure/base'
import { HouseError } from '../base/error.ts'
import { addressOf, decodeAddress } from './address.ts'
import { type FastAcceptance, type KeyPair, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, sign, verify } from './ed25519.ts'
import { taggedHash } from './hash.ts'

export class MessageError extends HouseError<'SIGNATURE_BAD_TEXT' | 'SIGNATURE_OTHER_ADDRESS' | 'SIGNATURE_INVALID'> {}

const MESSAGE_TAG = 'dllm signed message'
const PREFIX = 'dllmsig'
/** Prefix, separator, 96 bytes as 154 characters, checksum. */
const SIGNATURE_CHARACTERS = PREFIX.length + 1 + 154 + 6

export interface MessageToVerify {
  readonly address: string
  /** Text form, `dllmsig1…`. */
  readonly signature: string
  readonly message: Uint8Array
}

/** Signs a message; the result is its text form, `dllmsig1…`, 168 characters. */
export function signMessage(message: Uint8Array, keys: KeyPair): string {
  const signature = sign(taggedHash(MESSAGE_TAG, message), keys.secretKey)
  const words = bech32m.toWords(concatBytes(keys.publicKey, signature))
  return bech32m.encode(PREFIX, words, SIGNATURE_CHARACTERS)
}

/**
 * Returns if the signature is the address's own over exactly these bytes.
 * @throws AddressError for a bad address; MessageError SIGNATURE_BAD_TEXT when the text form is damaged,
 * SIGNATURE_OTHER_ADDRESS when another key made it, SIGNATURE_INVALID when it does not match the message.
 */
export function verifyMessage(claim: MessageToVerify, accepts?: FastAcceptance): void {
  const { network } = decodeAddress(claim.address)
  const { publicKey, signature } = decodeSignature(claim.signature)
  const signer = addressOf(publicKey, network)
  if (signer !== claim.address.toLowerCase()) {
    throw new MessageError('SIGNATURE_OTHER_ADDRESS', `The signature was made by ${signer}, not by this address.`, {
      details: { signer },
    })
  }
  if (verify({ signature, message: taggedHash(MESSAGE_TAG, claim.message), publicKey }, accepts)) return
  throw new MessageError(
    'SIGNATURE_INVALID',
    'The signature does not match this message. A single changed character, space or line end is enough.',
  )
}

function decodeSignature(text: string): { publicKey: Uint8Array; signature: Uint8Array } {
  const bytes = signatureBytes(text)
  if (bytes === undefined) {
    throw new MessageError(
      'SIGNATURE_BAD_TEXT',
      `The signature is mistyped or cut off. It begins with ${PREFIX}1 and has ${SIGNATURE_CHARACTERS} characters.`,
    )
  }
  return { publicKey: bytes.slice(0, PUBLIC_KEY_BYTES), signature: bytes.slice(PUBLIC_KEY_BYTES) }
}

function signatureBytes(text: string): Uint8Array | undefined {
  if (text.length !== SIGNATURE_CHARACTERS) return undefined
  const decoded = bech32m.decodeUnsafe(text, SIGNATURE_CHARACTERS)
  if (!decoded || decoded.prefix !== PREFIX) return undefined
  const bytes = bech32m.fromWordsUnsafe(decoded.words)
  return bytes && bytes.length === PUBLIC_KEY_BYTES + SIGNATURE_BYTES ? bytes : undefined
}
