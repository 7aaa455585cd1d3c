/** BIP-39 words: published vectors, and refusals that tell the person which word to look at. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createWords,
  entropyToWords,
  nearestWords,
  parseWords,
  WORD_COUNTS,
  wordsToEntropy,
  wordsToSeed,
} from '../../../src/app/mnemonic.ts'
import vectors from '../../vectors/bip39-english.json' with { type: 'json' }

const PHRASE = vectors.cases[0]!.mnemonic

describe('the published vectors', () => {
  test.each(vectors.cases)('$entropy', async ({ entropy, mnemonic, seed }) => {
    expect(entropyToWords(hexToBytes(entropy)).join(' ')).toBe(mnemonic)
    expect(bytesToHex(wordsToEntropy(parseWords(mnemonic)))).toBe(entropy)
    expect(bytesToHex(await wordsToSeed(mnemonic.split(' '), vectors.passphrase))).toBe(seed)
  })
})

test.each(WORD_COUNTS)('%d new words carry what the random port gave', (count) => {
  const random = { bytes: (length: number) => new Uint8Array(length).fill(7) }
  const words = createWords(count, random)
  expect(words).toHaveLength(count)
  expect(wordsToEntropy(words)).toEqual(random.bytes((count / 3) * 4))
})

test('any entropy survives the way over words', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(16, 20, 24, 28, 32).chain((n) => fc.uint8Array({ minLength: n, maxLength: n })),
      (entropy) => {
        expect(wordsToEntropy(parseWords(entropyToWords(entropy).join(' ')))).toEqual(entropy)
      },
    ),
  )
})

test('case, line ends and spaces around words do not matter', () => {
  expect(parseWords(`\n  ${PHRASE.toUpperCase().replaceAll(' ', ' \t\r\n')}  \n`)).toEqual(PHRASE.split(' '))
})

test('a passphrase is read in its NFKD form', async () => {
  const words = PHRASE.split(' ')
  expect(await wordsToSeed(words, 'caf\u00e9')).toEqual(await wordsToSeed(words, 'cafe\u0301'))
})

test.each([
  ['no words', '', 'MNEMONIC_WORD_COUNT'],
  ['eleven words', PHRASE.split(' ').slice(1).join(' '), 'MNEMONIC_WORD_COUNT'],
  ['words of no list', 'a b c d e f g h i j k l', 'MNEMONIC_UNKNOWN_WORD'],
  ['a text that is no backup', 'to be or not to be', 'MNEMONIC_WORD_COUNT'],
  ['a wrong word of the list', PHRASE.replace('about', 'abandon'), 'MNEMONIC_CHECKSUM'],
  ['a mistyped word', PHRASE.replace('about', 'abuot'), 'MNEMONIC_UNKNOWN_WORD'],
])('refuses %s', (_case, text, code) => {
  expect(() => parseWords(text)).toThrow(expect.objectContaining({ code }))
})

test('a mistyped word is named with its position and the nearest words', () => {
  expect(() => parseWords(PHRASE.replace('about', 'abuot'))).toThrow(
    'Word 12, "abuot", is not in the list. Did you mean about?',
  )
})

test('several mistyped words are named together', () => {
  const words = PHRASE.split(' ')
  words[1] = 'abandonn'
  words[4] = 'xyzzyxyzzy'
  expect(() => parseWords(words.join(' '))).toThrow(
    'Word 2, "abandonn", is not in the list. Did you mean abandon? Word 5, "xyzzyxyzzy", is not in the list.',
  )
})

test.each([
  ['abandn', 'abandon'],
  ['zo', 'zoo'],
  ['acident', 'accident'],
  ['letetr', 'letter'],
  ['mountin', 'mountain'],
])('the nearest word to %s is %s', (typed, word) => {
  expect(nearestWords(typed)[0]).toBe(word)
})
