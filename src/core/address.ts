/**
 * Account addresses: bech32m (BIP-350) of a 20-byte hash of the public key, with one prefix per network, so that an
 * address of another network is refused by name and a mistyped one by its checksum. Knows no accounts and no keys.
 * Spec: docs/spec/keys.md §4.
 * @module
 */
import { bech32m } from '@scure/base'
import { assert } from '../base/assert.ts'
import { type Address, address } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'
import { PUBLIC_KEY_BYTES } from './ed25519.ts'
import { taggedHasher } from './hash.ts'
import { NETWORK_KINDS, type NetworkKind } from './network-kind.ts'

export class AddressError extends HouseError<
  'ADDRESS_WRONG_NETWORK' | 'ADDRESS_UNKNOWN_PREFIX' | 'ADDRESS_BAD_CHARACTER' | 'ADDRESS_BAD_CHECKSUM'
> {}

const PREFIX: Readonly<Record<NetworkKind, string>> = { mainnet: 'dllm', testnet: 'tdllm', local: 'ldllm' }

export const ADDRESS_HASH_BYTES = 20
/** Prefix of at most 5, separator, 32 characters of hash, 6 of checksum. */
const ADDRESS_CHARACTERS_MAX = 44
const hashAddress = taggedHasher('dllm/address')

export interface DecodedAddress {
  readonly network: NetworkKind
  /** 20 bytes. */
  readonly hash: Uint8Array
}

/** The address of a 32-byte public key on a network. */
export function addressOf(publicKey: Uint8Array, network: NetworkKind): Address {
  return addressOfHash(addressHashOf(publicKey), network)
}

/** The 20-byte hash inside the addresses of a 32-byte public key. */
export function addressHashOf(publicKey: Uint8Array): Uint8Array {
  assert(publicKey.length === PUBLIC_KEY_BYTES, 'a public key has 32 bytes')
  return hashAddress(publicKey).subarray(0, ADDRESS_HASH_BYTES)
}

/** The address with this 20-byte hash inside. */
export function addressOfHash(hash: Uint8Array, network: NetworkKind): Address {
  assert(hash.length === ADDRESS_HASH_BYTES, 'the hash in an address has 20 bytes')
  return address(bech32m.encodeFromBytes(PREFIX[network], hash))
}

/**
 * Reads an address of any network; upper case is read as lower case.
 * @throws AddressError when the prefix, a character, the length or the checksum is wrong.
 */
export function decodeAddress(text: string): DecodedAddress {
  const network = networkByPrefix(text)
  checkCharacters(text, PREFIX[network].length + 1)
  const hash = decodeHash(text)
  if (hash === undefined) {
    throw new AddressError(
      'ADDRESS_BAD_CHECKSUM',
      'The address is mistyped or cut off: its checksum is wrong. Copy it again.',
    )
  }
  return { network, hash }
}

/**
 * Reads an address that must belong to `network`; the result is its 20-byte hash.
 * @throws AddressError like `decodeAddress`, and ADDRESS_WRONG_NETWORK, which names the network it belongs to.
 */
export function decodeAddressOn(text: string, network: NetworkKind): Uint8Array {
  const decoded = decodeAddress(text)
  if (decoded.network !== network) {
    throw new AddressError(
      'ADDRESS_WRONG_NETWORK',
      `This address belongs to ${describe(decoded.network)}, not to ${describe(network)}. Addresses here begin with ${PREFIX[network]}1.`,
      { details: { found: decoded.network, expected: network } },
    )
  }
  return decoded.hash
}

function describe(network: NetworkKind): string {
  return network === 'local' ? 'a local network' : `the ${network}`
}

function networkByPrefix(text: string): NetworkKind {
  const separator = text.lastIndexOf('1')
  const prefix = text.slice(0, Math.max(separator, 0)).toLowerCase()
  const network = NETWORK_KINDS.find((kind) => PREFIX[kind] === prefix)
  if (network !== undefined) return network
  const known = NETWORK_KINDS.map((kind) => `${PREFIX[kind]}1`).join(', ')
  throw new AddressError('ADDRESS_UNKNOWN_PREFIX', `This is not a DLLM address: addresses begin with ${known}.`)
}

const DATA_CHARACTERS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'

/** Names the first character that no address has: the common slips are b, i, o and a space. */
function checkCharacters(text: string, start: number): void {
  for (let index = start; index < Math.min(text.length, ADDRESS_CHARACTERS_MAX); index++) {
    const character = text.charAt(index)
    if (DATA_CHARACTERS.includes(character.toLowerCase())) continue
    throw new AddressError(
      'ADDRESS_BAD_CHARACTER',
      `Character ${index + 1} of the address, ${JSON.stringify(character)}, never occurs in addresses. Copy it again.`,
      { details: { position: index + 1 } },
    )
  }
}

function decodeHash(text: string): Uint8Array | undefined {
  if (text.length > ADDRESS_CHARACTERS_MAX) return undefined
  const decoded = bech32m.decodeUnsafe(text, ADDRESS_CHARACTERS_MAX)
  const hash = decoded ? bech32m.fromWordsUnsafe(decoded.words) : undefined
  return hash && hash.length === ADDRESS_HASH_BYTES ? hash : undefined
}
