/**
 * Token ids to text, one at a time: the bytes of every token, worked out once from the decoder section of
 * tokenizer.json, and a UTF-8 decoder that holds back unfinished characters. Decoders of byte-level
 * and of SentencePiece-style BPE are known; others are refused by name.
 * Spec: docs/spec/model.md §8.
 * @module
 */
import { type JsonFields, readFields } from './json-fields.ts'
import { ModelError } from './model-error.ts'

/** Text that grows token by token. The pieces, joined, are the text of all tokens. */
export interface TextStream {
  /** Text that became certain with this token; empty while a character is unfinished. */
  push(token: number): string
  /** The rest: an unfinished character becomes U+FFFD. */
  flush(): string
}

/** How tokens become bytes. */
export interface TokenDecoder {
  /** Bytes of one token's text; empty for special tokens and unknown ids. */
  bytesOf(token: number): Uint8Array
  /** Whether one space at the very start of a text belongs to the encoding, not to the text. */
  readonly stripsFirstSpace: boolean
}

/** The part of a vocabulary that decoding needs. */
export interface TokenNames {
  /** Text form of a token; undefined for ids outside the vocabulary. */
  nameOf(token: number): string | undefined
  /** Special tokens have no text. */
  isSpecial(token: number): boolean
  /** Added tokens stand for themselves, whatever the decoder. */
  isAdded(token: number): boolean
}

declare const TextEncoder: new () => { encode(text: string): Uint8Array }
declare const TextDecoder: new (
  label: string,
  options: { ignoreBOM: boolean },
) => { decode(bytes?: Uint8Array, options?: { stream: boolean }): string }

const METASPACE = '\u2581'
const SPACE_BYTE = 0x20
const NOTHING = new Uint8Array(0)
const DECODERS_MAX = 16

interface DecoderSteps {
  readonly byteLevel: boolean
  readonly byteFallback: boolean
  readonly replacements: readonly (readonly [from: string, to: string])[]
  readonly stripsFirstSpace: boolean
}

/**
 * The decoder that `decoderJson`, the section of tokenizer.json, describes.
 * Throws TOKENIZER_BAD for a kind that is not known.
 */
export function createTokenDecoder(decoderJson: unknown, names: TokenNames): TokenDecoder {
  const steps = readSteps(decoderJson)
  const encoder = new TextEncoder()
  return {
    stripsFirstSpace: steps.stripsFirstSpace,
    bytesOf(token) {
      const name = names.nameOf(token)
      if (name === undefined || names.isSpecial(token)) return NOTHING
      if (names.isAdded(token)) return encoder.encode(name)
      if (steps.byteLevel) return byteLevelBytes(name)
      const byte = steps.byteFallback ? /^<0x([0-9A-Fa-f]{2})>$/.exec(name)?.[1] : undefined
      if (byte !== undefined) return Uint8Array.of(Number.parseInt(byte, 16))
      return encoder.encode(steps.replacements.reduce((text, [from, to]) => text.replaceAll(from, to), name))
    },
  }
}

/** A stream at the start of a text. */
export function createStream(decoder: TokenDecoder): TextStream {
  const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
  let atStart = decoder.stripsFirstSpace
  return {
    push(token) {
      const bytes = decoder.bytesOf(token)
      if (bytes.length === 0) return ''
      const strip = atStart && bytes[0] === SPACE_BYTE
      atStart = false
      return utf8.decode(strip ? bytes.subarray(1) : bytes, { stream: true })
    },
    flush: () => utf8.decode(),
  }
}

function readSteps(json: unknown): DecoderSteps {
  const fields = readFields(json, bad)
  const sections =
    fields.text('type') === 'Sequence'
      ? fields.list('decoders', DECODERS_MAX).map((item) => readFields(item, bad))
      : [fields]
  const types = sections.map((section) => section.text('type'))
  const strips = sections.map(readStep)
  return {
    byteLevel: types.includes('ByteLevel'),
    byteFallback: types.includes('ByteFallback'),
    replacements: sections.flatMap(readReplacement),
    stripsFirstSpace: strips.includes(true),
  }
}

/** Checks one section; true where it takes the first space of the text. */
function readStep(section: JsonFields): boolean {
  const type = section.text('type')
  switch (type) {
    case 'ByteLevel':
    case 'ByteFallback':
    case 'Fuse':
    case 'Replace':
      return false
    case 'Metaspace':
      return !section.has('prepend_scheme') || section.text('prepend_scheme') !== 'never'
    case 'Strip': {
      const count = { min: 0, max: 1 }
      if (section.text('content') !== ' ' || section.integer('stop', { min: 0, max: 0 }) !== 0) {
        throw bad('decoder strips something other than a first space')
      }
      return section.integer('start', count) === 1
    }
    default:
      throw bad(`decoder is of type ${type}, which this program does not have`)
  }
}

function readReplacement(section: JsonFields): [string, string][] {
  const type = section.text('type')
  if (type === 'Metaspace') return [[section.has('replacement') ? section.text('replacement') : METASPACE, ' ']]
  if (type !== 'Replace') return []
  const pattern = section.object('pattern')
  if (!pattern.has('String')) throw bad('decoder replaces a regular expression')
  return [[pattern.text('String'), section.text('content')]]
}

const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = byteLevelAlphabet()

function byteLevelBytes(name: string): Uint8Array {
  const bytes = Array.from(name, (character) => BYTE_OF_CHARACTER.get(character))
  // Outside the alphabet a token can only stand for itself.
  if (bytes.includes(undefined)) return new TextEncoder().encode(name)
  return Uint8Array.from(bytes as number[])
}

/** GPT-2's printable character for each byte: itself if printable Latin-1, else the next from U+0100. */
function byteLevelAlphabet(): Map<string, number> {
  const alphabet = new Map<string, number>()
  let next = 0x100
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
    alphabet.set(String.fromCodePoint(printable ? byte : next++), byte)
  }
  return alphabet
}

function bad(problem: string): ModelError {
  return new ModelError('TOKENIZER_BAD', `tokenizer.json cannot be used: its ${problem}.`)
}
