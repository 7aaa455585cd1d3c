import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Reader, Writer } from '../../../src/base/codec.ts'
import { codeOf } from '../../../src/base/error.ts'

type Field =
  | { type: 'u8' | 'u16' | 'u32' | 'f32' | 'f64'; value: number }
  | { type: 'u64'; value: bigint }
  | { type: 'bytes'; value: Uint8Array }
  | { type: 'raw'; value: Uint8Array }
  | { type: 'text'; value: string }
  | { type: 'list'; value: number[] }

const bytes = fc.uint8Array({ maxLength: 600 })
const field: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ type: fc.constant('u8' as const), value: fc.integer({ min: 0, max: 0xff }) }),
  fc.record({ type: fc.constant('u16' as const), value: fc.integer({ min: 0, max: 0xffff }) }),
  fc.record({ type: fc.constant('u32' as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
  fc.record({ type: fc.constant('u64' as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ type: fc.constant('f32' as const), value: fc.float() }),
  fc.record({ type: fc.constant('f64' as const), value: fc.double() }),
  fc.record({ type: fc.constant('bytes' as const), value: bytes }),
  fc.record({ type: fc.constant('raw' as const), value: bytes }),
  fc.record({ type: fc.constant('text' as const), value: fc.string({ unit: 'grapheme', maxLength: 200 }) }),
  fc.record({ type: fc.constant('list' as const), value: fc.array(fc.integer({ min: 0, max: 0xffff })) }),
)

function write(writer: Writer, item: Field): void {
  switch (item.type) {
    case 'u8':
    case 'u16':
    case 'u32':
    case 'f32':
    case 'f64':
      writer[item.type](item.value)
      break
    case 'u64':
      writer.u64(item.value)
      break
    case 'bytes':
    case 'raw':
      writer[item.type](item.value)
      break
    case 'text':
      writer.text(item.value)
      break
    case 'list':
      writer.list(item.value, (inner, value) => inner.u16(value))
  }
}

function read(reader: Reader, item: Field): unknown {
  switch (item.type) {
    case 'raw':
      return reader.raw(item.value.length)
    case 'bytes':
    case 'text':
      return reader[item.type](10_000)
    case 'list':
      return reader.list(10_000, (inner) => inner.u16())
    default:
      return reader[item.type]()
  }
}

function encode(fields: readonly Field[]): Uint8Array {
  const writer = new Writer()
  for (const item of fields) write(writer, item)
  return writer.finish()
}

/** What reading `fields` from `encoded` ends with. */
function outcome(encoded: Uint8Array, fields: readonly Field[]): string {
  try {
    const reader = new Reader(encoded)
    for (const item of fields) read(reader, item)
    reader.finish()
    return 'read'
  } catch (error) {
    return codeOf(error) ?? String(error)
  }
}

describe('codec', () => {
  test('reads what was written, from any offset of a buffer', () => {
    fc.assert(
      fc.property(fc.array(field), fc.nat(9), (fields, offset) => {
        const encoded = encode(fields)
        const shifted = new Uint8Array(offset + encoded.length + 3)
        shifted.set(encoded, offset)
        const reader = new Reader(shifted.subarray(offset, offset + encoded.length))
        for (const item of fields) expect(read(reader, item)).toEqual(item.value)
        expect(reader.remaining).toBe(0)
        reader.finish()
      }),
    )
  })

  test('refuses every message that is cut short', () => {
    fc.assert(
      fc.property(fc.array(field, { minLength: 1 }), fc.nat(), (fields, at) => {
        const encoded = encode(fields)
        fc.pre(encoded.length > 0)
        expect(outcome(encoded.subarray(0, at % encoded.length), fields)).toBe('CODEC_TRUNCATED')
      }),
    )
  })

  test('refuses bytes after the last field', () => {
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        expect(outcome(encode([...fields, { type: 'u8', value: 0 }]), fields)).toBe('CODEC_TRAILING')
      }),
    )
  })

  test('never throws anything but its own errors on noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(field), (noise, fields) => {
        expect(outcome(noise, fields)).toMatch(/^(read|CODEC_[A-Z_]+)$/)
      }),
    )
  })

  test('is little-endian, lengths are u32', () => {
    const encoded = new Writer().u16(0x0102).u32(0x03040506).text('é').u8(1).finish()
    expect([...encoded]).toEqual([2, 1, 6, 5, 4, 3, 2, 0, 0, 0, 0xc3, 0xa9, 1])
  })

  test.each([
    ['a length over its limit', [5, 0, 0, 0, 1, 2, 3, 4, 5], (reader: Reader) => reader.bytes(4), 'CODEC_TOO_LONG'],
    ['a count over its limit', [5, 0, 0, 0], (reader: Reader) => reader.list(4, () => 0), 'CODEC_TOO_LONG'],
    ['the largest length', [255, 255, 255, 255], (reader: Reader) => reader.bytes(2 ** 32), 'CODEC_TRUNCATED'],
    ['a flag of 2', [2], (reader: Reader) => reader.flag(), 'CODEC_BAD_VALUE'],
    ['text that is not UTF-8', [1, 0, 0, 0, 0xff], (reader: Reader) => reader.text(9), 'CODEC_BAD_TEXT'],
    ['text with half a character', [1, 0, 0, 0, 0xc3], (reader: Reader) => reader.text(9), 'CODEC_BAD_TEXT'],
  ])('refuses %s', (_, encoded, decode, code) => {
    expect(() => decode(new Reader(new Uint8Array(encoded)))).toThrowError(expect.objectContaining({ code }))
  })
})
