import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HouseError } from '../../../src/base/error.ts'
import { decodeElements, firstNotFinite, halfToFloat } from '../../../src/ml/float-formats.ts'
import { parseSafetensorsHeader, safetensorsHeaderBytes } from '../../../src/ml/safetensors.ts'

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const prefix = (length: bigint): Uint8Array => {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, length, true)
  return bytes
}
const matrix = { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] }

describe('the length of a safetensors header', () => {
  test('is read from the first eight bytes', () => {
    expect(safetensorsHeaderBytes(prefix(100n), 200)).toBe(100)
  })

  test.each([
    ['a file of seven bytes', new Uint8Array(7), 7, 'WEIGHTS_TRUNCATED'],
    ['an empty file', new Uint8Array(0), 0, 'WEIGHTS_TRUNCATED'],
    ['a length over the file', prefix(193n), 200, 'WEIGHTS_TRUNCATED'],
    ['a length over the limit', prefix(101n * 1024n * 1024n), 2 ** 40, 'WEIGHTS_BAD_HEADER'],
    ['a length that no number holds', prefix(2n ** 64n - 1n), 200, 'WEIGHTS_BAD_HEADER'],
  ])('is refused for %s', (_case, bytes, size, code) => {
    expect(() => safetensorsHeaderBytes(bytes, size)).toThrow(expect.objectContaining({ code }))
  })
})

describe('a safetensors header', () => {
  test('lists tensors in the order of their data', () => {
    const header = {
      __metadata__: { format: 'pt' },
      b: { dtype: 'F16', shape: [4], data_offsets: [24, 32] },
      a: matrix,
    }
    expect(parseSafetensorsHeader(encode(header), 32)).toEqual([
      { name: 'a', dtype: 'F32', shape: [2, 3], start: 0, end: 24 },
      { name: 'b', dtype: 'F16', shape: [4], start: 24, end: 32 },
    ])
  })

  const second = (offsets: unknown) => ({ a: matrix, b: { dtype: 'F32', shape: [1], data_offsets: offsets } })
  test.each([
    ['that is not JSON', new TextEncoder().encode('{"a":'), 24, 'WEIGHTS_BAD_HEADER'],
    ['that is not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 24, 'WEIGHTS_BAD_HEADER'],
    ['that is a list', encode([matrix]), 24, 'WEIGHTS_BAD_HEADER'],
    ['with a tensor that is a number', encode({ a: 5 }), 24, 'WEIGHTS_BAD_HEADER'],
    ['with an unknown dtype', encode({ a: { ...matrix, dtype: 'Q4_0' } }), 24, 'WEIGHTS_BAD_DTYPE'],
    ['without a dtype', encode({ a: { ...matrix, dtype: undefined } }), 24, 'WEIGHTS_BAD_HEADER'],
    ['with a negative dimension', encode({ a: { ...matrix, shape: [-2, -3] } }), 24, 'WEIGHTS_BAD_HEADER'],
    ['with half a row', encode({ a: { ...matrix, shape: [1.5, 4] } }), 24, 'WEIGHTS_BAD_HEADER'],
    ['with a hundred dimensions', encode({ a: { ...matrix, shape: Array(100).fill(1) } }), 24, 'WEIGHTS_BAD_HEADER'],
    [
      'with a shape beyond all numbers',
      encode({ a: { ...matrix, shape: [2 ** 40, 2 ** 40] } }),
      24,
      'WEIGHTS_BAD_OFFSETS',
    ],
    ['with an offset too few', encode({ a: { ...matrix, data_offsets: [0] } }), 24, 'WEIGHTS_BAD_OFFSETS'],
    ['with negative offsets', encode({ a: { ...matrix, data_offsets: [-24, 0] } }), 24, 'WEIGHTS_BAD_OFFSETS'],
    [
      'with offsets the wrong way round',
      encode({ a: { ...matrix, data_offsets: [24, 0] } }),
      24,
      'WEIGHTS_BAD_OFFSETS',
    ],
    [
      'with offsets that do not fit the shape',
      encode({ a: { ...matrix, data_offsets: [0, 28] } }),
      28,
      'WEIGHTS_BAD_OFFSETS',
    ],
    ['with overlapping tensors', encode(second([20, 24])), 24, 'WEIGHTS_BAD_OFFSETS'],
    ['with a hole', encode(second([28, 32])), 32, 'WEIGHTS_BAD_OFFSETS'],
    ['with bytes that belong to no tensor', encode({ a: matrix }), 30, 'WEIGHTS_BAD_OFFSETS'],
    ['with tensors past the end of the file', encode({ a: matrix }), 23, 'WEIGHTS_TRUNCATED'],
  ])('%s is refused', (_case, bytes, dataBytes, code) => {
    expect(() => parseSafetensorsHeader(bytes, dataBytes)).toThrow(expect.objectContaining({ code }))
  })

  test('whatever it says, is read or refused with a code', () => {
    const anything = fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.constant(matrix)))
    fc.assert(
      fc.property(anything, fc.nat(100), (header, dataBytes) => {
        try {
          parseSafetensorsHeader(encode(header), dataBytes)
        } catch (error) {
          expect(error).toBeInstanceOf(HouseError)
        }
      }),
    )
  })
})

describe('elements', () => {
  test.each([
    ['one', 0x3c00, 1],
    ['minus two', 0xc000, -2],
    ['the largest', 0x7bff, 65504],
    ['the smallest', 0x0001, 2 ** -24],
    ['zero', 0, 0],
    ['infinity', 0x7c00, Number.POSITIVE_INFINITY],
    ['no number', 0x7e00, Number.NaN],
  ])('of F16 are decoded: %s', (_case, bits, value) => {
    expect(halfToFloat(bits)).toBe(value)
  })

  test('of F16 equal the numbers of the platform', () => {
    const view = new DataView(new ArrayBuffer(2))
    if (!('getFloat16' in view)) return // Node 22 has no Float16
    for (let bits = 0; bits < 65_536; bits++) {
      view.setUint16(0, bits)
      expect(Object.is(halfToFloat(bits), (view as DataView & { getFloat16(at: number): number }).getFloat16(0))).toBe(
        true,
      )
    }
  })

  test('of BF16 are the upper halves of F32', () => {
    const words = new Uint16Array(Float32Array.of(1.5, -3, 2 ** 100).buffer).filter((_, index) => index % 2 === 1)
    expect([...decodeElements('BF16', new Uint8Array(words.buffer))]).toEqual([1.5, -3, 2 ** 100])
  })

  test('are copied from any alignment', () => {
    const bytes = new Uint8Array(9)
    bytes.set(new Uint8Array(Float32Array.of(1, 2).buffer), 1)
    expect([...decodeElements('F32', bytes.subarray(1))]).toEqual([1, 2])
  })

  test('that are not finite are found', () => {
    expect(firstNotFinite(Float32Array.of(1, -0, 3.4e38, 1e-45))).toBe(-1)
    expect(firstNotFinite(Float32Array.of(1, Number.NaN))).toBe(1)
    expect(firstNotFinite(Float32Array.of(1, 2, Number.NEGATIVE_INFINITY))).toBe(2)
  })
})
