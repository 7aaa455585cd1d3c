/**
 * Sign states as text, to move a validator to another machine: what was signed last, per key, for one network. The shape
 * follows EIP-3076; integers are decimal text. A reader may only raise what it knows.
 * Spec: docs/spec/store.md §5.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { CHAIN_LIMITS, STORE_LIMITS } from '../../base/chain-limits.ts'
import {
  comparePositions,
  SIGN_STEPS,
  type SignIdentity,
  type SignPosition,
  type SignState,
  SignStateError,
} from './sign-guard.ts'

const VERSION = '1'

/** The text of one key's state. */
export function exportSignState({ networkId, publicKey, last }: SignState): string {
  const data =
    last === undefined
      ? []
      : [
          {
            pubkey: bytesToHex(publicKey),
            last_signed: {
              height: String(last.height),
              round: String(last.round),
              step: String(SIGN_STEPS.indexOf(last.step)),
            },
          },
        ]
  const metadata = { interchange_format_version: VERSION, genesis_hash: networkId }
  return `${JSON.stringify({ metadata, data }, undefined, 2)}\n`
}

/**
 * The last position of a key in an interchange text, or undefined when the text does not name the key.
 * @throws SignStateError SIGN_INTERCHANGE_INVALID, SIGN_STATE_FOREIGN for another network.
 */
export function readInterchange(text: string, { networkId, publicKey }: SignIdentity): SignPosition | undefined {
  if (text.length > STORE_LIMITS.interchangeFileBytesMax) throw invalid('it is too long')
  const { metadata, data } = fieldsOf(parse(text), 'the file')
  const { interchange_format_version: version, genesis_hash: genesisHash } = fieldsOf(metadata, 'metadata')
  if (version !== VERSION) throw invalid(`metadata.interchange_format_version is not "${VERSION}"`)
  if (typeof genesisHash !== 'string' || !/^[0-9a-f]{64}$/.test(genesisHash)) {
    throw invalid('metadata.genesis_hash is not 64 hexadecimal digits')
  }
  if (genesisHash !== networkId) {
    const message =
      'This interchange file belongs to another network. Import the one that was exported for this network.'
    throw new SignStateError('SIGN_STATE_FOREIGN', message, { details: { what: 'network', genesisHash } })
  }
  if (!Array.isArray(data) || data.length > STORE_LIMITS.interchangeKeysMax) {
    throw invalid(`data is not a list of at most ${STORE_LIMITS.interchangeKeysMax} keys`)
  }
  // Every entry is read, so that a damaged file is refused whoever it names.
  const found = data.map(readEntry).filter(({ pubkey }) => pubkey === bytesToHex(publicKey))
  return found
    .map(({ position }) => position)
    .sort(comparePositions)
    .at(-1)
}

function readEntry(value: unknown, index: number): { pubkey: string; position: SignPosition } {
  const at = `data[${index}]`
  const { pubkey, last_signed: lastSigned } = fieldsOf(value, at)
  if (typeof pubkey !== 'string' || !/^[0-9a-f]{64}$/.test(pubkey)) {
    throw invalid(`${at}.pubkey is not 64 hexadecimal digits`)
  }
  const { height, round, step } = fieldsOf(lastSigned, `${at}.last_signed`)
  const name = SIGN_STEPS[readInteger(step, `${at}.last_signed.step`, SIGN_STEPS.length - 1)]
  if (name === undefined) throw invalid(`${at}.last_signed.step is not 0, 1 or 2`)
  return {
    pubkey,
    position: {
      height: readInteger(height, `${at}.last_signed.height`, CHAIN_LIMITS.heightMax),
      round: readInteger(round, `${at}.last_signed.round`, CHAIN_LIMITS.roundMax),
      step: name,
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalid('it is not JSON', cause)
  }
}

function fieldsOf(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${at} is not an object`)
  return value as Record<string, unknown>
}

function readInteger(value: unknown, at: string, max: number): number {
  const number = typeof value === 'string' && /^(?:0|[1-9]\d{0,15})$/.test(value) ? Number(value) : Number.NaN
  if (!(number <= max)) throw invalid(`${at} is not an integer from 0 to ${max} as decimal text`)
  return number
}

function invalid(reason: string, cause?: unknown): SignStateError {
  const message = `This is no sign-state interchange file: ${reason}. Export it again on the machine that the key comes from.`
  return new SignStateError('SIGN_INTERCHANGE_INVALID', message, { cause })
}
