/**
 * What a decoder is given: noise, and valid samples that were cut, changed, joined, stretched. By fast-check, so that a failing
 * input is made as small as it can be.
 * @module
 */
import fc from 'fast-check'
import { type Decoder, utf8 } from './decoder.ts'

const NOISE_BYTES_MAX = 300
/** The largest numbers of a length field, and those around its limits. */
const LENGTHS = [0xffff_ffff, 0xffff_fffe, 0x8000_0000, 0x7fff_ffff, 0x0100_0000, 0x0001_0000, 0x1001, 0x101, 0]
const DEPTH = 20_000

/** Values that JSON allows and nobody expects, as JSON. */
const ODD_JSON: readonly string[] = [
  ...['null', 'true', '""', '[]', '{}', '0', '-0', '-1', '1.5', '1e400', '9007199254740993', '1e-320', '"\\ud800"'],
  ...['{"toString":1,"valueOf":1}', '{"__proto__":{"x":1}}', '{"length":4294967296}', '{"then":1}', '[null]', '[[]]'],
  ...['"constructor"', '"__proto__"', '"\\u0000"', '"\\ufeff"', '18446744073709551616', '"18446744073709551616"'],
  '['.repeat(DEPTH) + ']'.repeat(DEPTH),
  `${'{"a":'.repeat(DEPTH)}1${'}'.repeat(DEPTH)}`,
]

/** Inputs of every kind for a decoder. */
export function inputsOf(decoder: Decoder): fc.Arbitrary<Uint8Array> {
  const sample = fc.constantFrom(...decoder.samples(), ...(decoder.near?.() ?? []))
  const noise = fc.uint8Array({ maxLength: NOISE_BYTES_MAX })
  const changed = fc.oneof(
    sample.chain(cut),
    sample.chain(flip),
    sample.chain(lengthen),
    sample.chain(repeat),
    fc.tuple(sample, sample).chain(splice),
  )
  const kinds = [noise, fc.tuple(sample, noise).chain(behind), changed, changed]
  if (decoder.reseal !== undefined) kinds.push(changed.map(decoder.reseal), noise.map(decoder.reseal))
  if (decoder.isText) kinds.push(fc.string({ unit: 'binary' }).map(utf8), sample.chain(oddJson), sample.chain(oddJson))
  return fc.oneof(...kinds).map((bytes) => bytes.subarray(0, decoder.bytesMax))
}

function cut(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.nat({ max: Math.max(bytes.length - 1, 0) }).map((length) => bytes.slice(0, length))
}

/** One to three bytes become others. */
function flip(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat({ max: Math.max(bytes.length - 1, 0) })
  return fc.array(fc.tuple(at, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }).map((changes) => {
    const changed = bytes.slice()
    for (const [position, change] of changes) changed[position]! ^= change
    return changed
  })
}

/** Four bytes become the number of a length. */
function lengthen(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat({ max: Math.max(bytes.length - 4, 0) })
  return fc.tuple(at, fc.constantFrom(...LENGTHS)).map(([position, length]) => withLength(bytes, position, length))
}

/** A part stands twice, or not at all. */
function repeat(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const at = fc.nat({ max: bytes.length })
  return fc.tuple(at, at).map(([one, other]) => joined(bytes.subarray(0, one), bytes.subarray(other)))
}

function splice([one, other]: readonly [Uint8Array, Uint8Array]): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.nat({ max: one.length }), fc.nat({ max: other.length }))
    .map(([end, start]) => joined(one.subarray(0, end), other.subarray(start)))
}

function behind([bytes, more]: readonly [Uint8Array, Uint8Array]): fc.Arbitrary<Uint8Array> {
  return fc.constant(joined(bytes, more))
}

/** One value of a JSON sample becomes an odd one, or stands under an odd name; other text gets it at some place. */
function oddJson(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const text = new TextDecoder().decode(bytes)
  const places = valuePlaces(text)
  return fc
    .tuple(fc.constantFrom(...places), fc.constantFrom(...ODD_JSON))
    .map(([[start, end], odd]) => utf8(text.slice(0, start) + odd + text.slice(end)))
}

/** Where values stand in JSON: strings, numbers and words as they are, lists and objects by their brackets. */
function valuePlaces(text: string): [number, number][] {
  const places: [number, number][] = []
  const open: number[] = []
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{]|[\]}]|-?\d[\d.eE+-]*|true|false|null/g)) {
    if (token === '[' || token === '{') open.push(index)
    else if (token === ']' || token === '}') places.push([open.pop() ?? index, index + 1])
    else places.push([index, index + token.length])
  }
  return places.length > 0 ? places : [[0, text.length]]
}

/** Every cut of a sample; of a long one, so many spread over it. */
export function cutsOf(bytes: Uint8Array, most = 400): Uint8Array[] {
  return positionsIn(bytes.length, most).map((length) => bytes.slice(0, length))
}

/** The sample with one bit of one byte changed, for every byte; of a long one, so many spread over it. */
export function flipsOf(bytes: Uint8Array, most = 400): Uint8Array[] {
  return positionsIn(bytes.length, most).map((position) => {
    const changed = bytes.slice()
    changed[position]! ^= 1 << ((position * 5 + 3) % 8)
    return changed
  })
}

/** The sample with the number of an endless length at every place. */
export function lengthsOf(bytes: Uint8Array, most = 400): Uint8Array[] {
  return positionsIn(bytes.length - 3, most).map((position) => withLength(bytes, position, 0xffff_ffff))
}

/** As large as its caller lets through: one value over and over, a sample with more behind it, and what nests. */
export function largestOf({ samples, bytesMax, isText }: Decoder): Uint8Array[] {
  if (isText) return ['[', '{"a":', '9', ' '].map((piece) => utf8(piece.repeat(bytesMax / piece.length)))
  const stretched = new Uint8Array(bytesMax)
  stretched.set(samples()[0]!.subarray(0, bytesMax))
  return [new Uint8Array(bytesMax), new Uint8Array(bytesMax).fill(1), new Uint8Array(bytesMax).fill(0xff), stretched]
}

function positionsIn(length: number, most: number): number[] {
  const step = Math.max(1, Math.ceil(length / most))
  return Array.from({ length: Math.ceil(Math.max(length, 0) / step) }, (_, index) => index * step)
}

function withLength(bytes: Uint8Array, position: number, length: number): Uint8Array {
  const changed = bytes.slice()
  const four = new Uint8Array(4)
  new DataView(four.buffer).setUint32(0, length, true)
  changed.set(four.subarray(0, Math.max(0, changed.length - position)), Math.min(position, changed.length))
  return changed
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
