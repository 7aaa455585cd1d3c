/**
 * BIP-39 words: the one backup of a wallet. English list, 12 to 24 words, optional passphrase. Refusals say which word
 * is wrong, because the person who reads them is copying from paper. Errors here may name words that were typed wrong;
 * they go to the person who typed them and nowhere else. Spec: docs/spec/keys.md §3.
 * @module
 */
import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { entropyToMnemonic, mnemonicToEntropy, wordlists } from 'bip39'
import { assert } from '../base/assert.ts'
import { HouseError } from '../base/error.ts'
import type { Random } from '../base/ports.ts'

export class MnemonicError extends HouseError<'MNEMONIC_WORD_COUNT' | 'MNEMONIC_UNKNOWN_WORD' | 'MNEMONIC_CHECKSUM'> {}

/** How many words a wallet may have; 24 unless asked otherwise. */
export const WORD_COUNTS: readonly number[] = [12, 15, 18, 21, 24]

/** BIP-39: PBKDF2 with HMAC-SHA512. */
const SEED_ROUNDS = 2048
const SEED_BYTES = 64
const pbkdf2Async = promisify(pbkdf2)

const UNKNOWN_WORDS_NAMED = 3
const SUGGESTIONS = 3
/** Typing slips that are still worth a suggestion. */
const SUGGESTION_DISTANCE_MAX = 2

/** New words from the random port; 24 words carry 256 bits. */
export function createWords(count: number, random: Random): string[] {
  assert(WORD_COUNTS.includes(count), 'word counts are 12, 15, 18, 21 or 24')
  return entropyToWords(random.bytes((count / 3) * 4))
}

/** The words of 16, 20, 24, 28 or 32 bytes of entropy. */
export function entropyToWords(entropy: Uint8Array): string[] {
  return entropyToMnemonic(Buffer.from(entropy)).split(' ')
}

/**
 * Reads words as people type them: any case, any white space.
 * @throws MnemonicError which names the position of a word that is not in the list, with the nearest words.
 */
export function parseWords(text: string): string[] {
  const words = text.normalize('NFKD').toLowerCase().split(/\s+/).filter(Boolean)
  const unknown = words.flatMap((word, index) => (wordList().includes(word) ? [] : [{ word, position: index + 1 }]))
  if (unknown.length > 0 && unknown.length <= words.length / 2) throw unknownWords(unknown)
  if (!WORD_COUNTS.includes(words.length)) {
    throw new MnemonicError(
      'MNEMONIC_WORD_COUNT',
      `Found ${words.length} words; a wallet has 12, 15, 18, 21 or 24. Check for missing or joined words.`,
      { details: { found: words.length } },
    )
  }
  if (unknown.length > 0) throw unknownWords(unknown)
  wordsToEntropy(words)
  return words
}

/** @throws MnemonicError MNEMONIC_CHECKSUM when the words are of the list but not a backup. */
export function wordsToEntropy(words: readonly string[]): Uint8Array {
  try {
    return Uint8Array.from(Buffer.from(mnemonicToEntropy(words.join(' ')), 'hex'))
  } catch (cause) {
    throw new MnemonicError(
      'MNEMONIC_CHECKSUM',
      'Every word is in the list, but together they are no backup: at least one is wrong, or two changed places.',
      { cause },
    )
  }
}

/** The 64-byte BIP-39 seed. An empty passphrase is the same as none. By OpenSSL, which is thirty times as fast as the library. */
export async function wordsToSeed(words: readonly string[], passphrase: string): Promise<Uint8Array> {
  const salt = `mnemonic${passphrase}`.normalize('NFKD')
  return Uint8Array.from(await pbkdf2Async(words.join(' ').normalize('NFKD'), salt, SEED_ROUNDS, SEED_BYTES, 'sha512'))
}

/** Words of the list nearest to a mistyped one, best first; none when nothing is near. */
export function nearestWords(mistyped: string): string[] {
  // Longer ones are further away than counts, and would take long to compare.
  const similar = wordList().filter((word) => Math.abs(word.length - mistyped.length) <= SUGGESTION_DISTANCE_MAX)
  const scored = similar.map((word) => ({ word, distance: editDistance(mistyped, word) }))
  const within = (limit: number): string[] => {
    const near = scored.filter(({ distance }) => distance <= limit)
    near.sort((a, b) => a.distance - b.distance || sharedPrefix(mistyped, b.word) - sharedPrefix(mistyped, a.word))
    return near.map(({ word }) => word)
  }
  // The first four letters identify a word of the list, so a word that was cut off has one answer.
  const cutOff = wordList().filter((word) => mistyped.length >= 4 && word.startsWith(mistyped.slice(0, 4)))
  const oneSlip = within(1)
  const near = oneSlip.length > 0 ? oneSlip : [...cutOff, ...within(SUGGESTION_DISTANCE_MAX)]
  return [...new Set(near)].slice(0, SUGGESTIONS)
}

function wordList(): readonly string[] {
  const list = wordlists['english']
  assert(list?.length === 2048, 'the English list has 2048 words')
  return list
}

function unknownWords(unknown: readonly { word: string; position: number }[]): MnemonicError {
  const sentences = unknown.slice(0, UNKNOWN_WORDS_NAMED).map(({ word, position }) => {
    const near = nearestWords(word)
    const hint = near.length === 0 ? '' : ` Did you mean ${near.join(' or ')}?`
    return `Word ${position}, ${JSON.stringify(word.slice(0, 24))}, is not in the list.${hint}`
  })
  const more = unknown.length - sentences.length
  if (more > 0) sentences.push(`${more} more are not in the list either.`)
  return new MnemonicError('MNEMONIC_UNKNOWN_WORD', sentences.join(' '), {
    details: { positions: unknown.map(({ position }) => position).join(',') },
  })
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1
      let best = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + cost)
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, beforePrevious[column - 2]! + 1)
      }
      current.push(best)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length]!
}

function sharedPrefix(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}
