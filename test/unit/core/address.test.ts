/** Addresses: the BIP-350 vectors hold for the encoding used, and what is wrong is refused by its cause. */
import { hexToBytes } from '@noble/hashes/utils.js'
import { bech32, bech32m } from '@scure/base'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOf, decodeAddress, decodeAddressOn } from '../../../src/core/address.ts'
import { NETWORK_KINDS } from '../../../src/core/network-kind.ts'
import vectors from '../../vectors/bech32m-bip350.json' with { type: 'json' }

const KEY = hexToBytes('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
const LOCAL = addressOf(KEY, 'local')

describe('BIP-350', () => {
  test.each(vectors.valid)('%s is valid', (text) => {
    const decoded = bech32m.decode(text as `${string}1${string}`)
    expect(bech32m.encode(decoded.prefix, decoded.words)).toBe(text.toLowerCase())
  })
  test.each(vectors.invalid)('$text is invalid: $why', ({ text }) => {
    expect(bech32m.decodeUnsafe(text)).toBeUndefined()
  })
})

test('the address of a key is fixed on every network', () => {
  expect(NETWORK_KINDS.map((network) => addressOf(KEY, network))).toMatchInlineSnapshot(`
    [
      "dllm1a4ez8nux8rxqarnauakf3rv9adclnl4esl2qy8",
      "tdllm1a4ez8nux8rxqarnauakf3rv9adclnl4e5gmsaz",
      "ldllm1a4ez8nux8rxqarnauakf3rv9adclnl4eq3lr0p",
    ]
  `)
})

test('every address decodes to its network and to the same hash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.constantFrom(...NETWORK_KINDS), (key, network) => {
      const text = addressOf(key, network)
      const decoded = decodeAddress(text)
      expect(decoded.network).toBe(network)
      expect(decoded.hash).toHaveLength(20)
      expect(decodeAddressOn(text.toUpperCase(), network)).toEqual(decoded.hash)
    }),
  )
})

test('one or two changed characters never go unnoticed', () => {
  const alphabet = [...'qpzry9x8gf2tvdw0s3jn54khce6mua7l']
  const position = fc.integer({ min: 6, max: LOCAL.length - 1 })
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(position, fc.constantFrom(...alphabet)), { maxLength: 2 }), (changes) => {
      const characters = [...LOCAL]
      for (const [index, character] of changes) characters[index] = character
      const text = characters.join('')
      if (text === LOCAL) return
      expect(() => decodeAddress(text)).toThrow(expect.objectContaining({ code: 'ADDRESS_BAD_CHECKSUM' }))
    }),
  )
})

test('an address of another network is refused by the name of that network', () => {
  expect(() => decodeAddressOn(addressOf(KEY, 'mainnet'), 'local')).toThrow(
    'This address belongs to the mainnet, not to a local network. Addresses here begin with ldllm1.',
  )
  expect(() => decodeAddressOn(LOCAL, 'testnet')).toThrow(expect.objectContaining({ code: 'ADDRESS_WRONG_NETWORK' }))
})

test.each([
  ['nothing', '', 'ADDRESS_UNKNOWN_PREFIX'],
  [
    'an address of another coin',
    'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0',
    'ADDRESS_UNKNOWN_PREFIX',
  ],
  ['a letter that addresses never have', `${LOCAL.slice(0, 20)}b${LOCAL.slice(21)}`, 'ADDRESS_BAD_CHARACTER'],
  ['a space inside', `${LOCAL.slice(0, 20)} ${LOCAL.slice(20)}`, 'ADDRESS_BAD_CHARACTER'],
  ['a missing end', LOCAL.slice(0, -3), 'ADDRESS_BAD_CHECKSUM'],
  ['mixed case', LOCAL.slice(0, -1) + LOCAL.slice(-1).toUpperCase(), 'ADDRESS_BAD_CHECKSUM'],
  ['an endless text', `ldllm1${'q'.repeat(100_000)}`, 'ADDRESS_BAD_CHECKSUM'],
  ['the checksum of bech32', bech32.encodeFromBytes('ldllm', new Uint8Array(20)), 'ADDRESS_BAD_CHECKSUM'],
  ['19 bytes instead of 20', bech32m.encodeFromBytes('ldllm', new Uint8Array(19)), 'ADDRESS_BAD_CHECKSUM'],
])('refuses %s', (_case, text, code) => {
  expect(() => decodeAddress(text)).toThrow(expect.objectContaining({ code }))
})
