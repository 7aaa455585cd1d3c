/**
 * The forms that tensors of a GGUF file have, and the values of those that can become weights. A block is some elements of one row
 * that share scales. Each value is the f32 nearest to what the format defines in real numbers: all products below are exact in f64,
 * and so is the one difference, so one rounding remains, as in ggml's own f32 code.
 * Format: `block_q4_0` … of ggml-common.h. Spec: docs/spec/model.md §10.
 * @module
 */
import { assert, unreachable } from '../../base/assert.ts'
import { decodeElements, halfToFloat } from '../float-formats.ts'

/** Forms with values, in the order in which sentences list them. */
export const BLOCK_NAMES = [
  'F32',
  'F16',
  'BF16',
  'Q8_0',
  'Q6_K',
  'Q5_K',
  'Q5_1',
  'Q5_0',
  'Q4_K',
  'Q4_1',
  'Q4_0',
] as const
export type BlockName = (typeof BLOCK_NAMES)[number]

export interface BlockType {
  /** As ggml calls it. */
  readonly name: string
  readonly elements: number
  readonly bytes: number
}

/** By type id. Old and odd forms are here for their size, so that a file with one can be refused by name. */
const TYPES: ReadonlyMap<number, BlockType> = new Map(
  [
    [0, 'F32', 1, 4] as const,
    [1, 'F16', 1, 2] as const,
    [2, 'Q4_0', 32, 18] as const,
    [3, 'Q4_1', 32, 20] as const,
    [6, 'Q5_0', 32, 22] as const,
    [7, 'Q5_1', 32, 24] as const,
    [8, 'Q8_0', 32, 34] as const,
    [10, 'Q2_K', 256, 84] as const,
    [11, 'Q3_K', 256, 110] as const,
    [12, 'Q4_K', 256, 144] as const,
    [13, 'Q5_K', 256, 176] as const,
    [14, 'Q6_K', 256, 210] as const,
    [16, 'IQ2_XXS', 256, 66] as const,
    [17, 'IQ2_XS', 256, 74] as const,
    [18, 'IQ3_XXS', 256, 98] as const,
    [19, 'IQ1_S', 256, 50] as const,
    [20, 'IQ4_NL', 32, 18] as const,
    [21, 'IQ3_S', 256, 110] as const,
    [22, 'IQ2_S', 256, 82] as const,
    [23, 'IQ4_XS', 256, 136] as const,
    [28, 'F64', 1, 8] as const,
    [29, 'IQ1_M', 256, 56] as const,
    [30, 'BF16', 1, 2] as const,
    [34, 'TQ1_0', 256, 54] as const,
    [35, 'TQ2_0', 256, 66] as const,
    [39, 'MXFP4', 32, 17] as const,
  ].map(([id, name, elements, bytes]) => [id, { name, elements, bytes }]),
)

/** Undefined for an id that is not known here. */
export function blockTypeOf(id: number): BlockType | undefined {
  return TYPES.get(id)
}

/** The name of a form whose values are known; undefined for another one. */
export function blockNameOf(type: Pick<BlockType, 'name'>): BlockName | undefined {
  return BLOCK_NAMES.find((name) => name === type.name)
}

/** Whole blocks as f32. Values may be infinite or NaN where a scale is. */
export function decodeBlocks(name: BlockName, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  switch (name) {
    case 'F32':
    case 'F16':
    case 'BF16':
      return decodeElements(name, bytes)
    case 'Q8_0':
      return eachBlock(bytes, 32, 34, decodeQ8)
    case 'Q4_0':
      return eachBlock(bytes, 32, 18, decodeQ4)
    case 'Q4_1':
      return eachBlock(bytes, 32, 20, decodeQ4WithMinimum)
    case 'Q5_0':
      return eachBlock(bytes, 32, 22, decodeQ5)
    case 'Q5_1':
      return eachBlock(bytes, 32, 24, decodeQ5WithMinimum)
    case 'Q4_K':
      return eachBlock(bytes, 256, 144, decodeQ4K)
    case 'Q5_K':
      return eachBlock(bytes, 256, 176, decodeQ5K)
    case 'Q6_K':
      return eachBlock(bytes, 256, 210, decodeQ6K)
    default:
      return unreachable(name)
  }
}

/** Decodes the block at byte `at` of `bytes` to `out` from index `to`. */
type DecodeBlock = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void

function eachBlock(bytes: Uint8Array, elements: number, size: number, decode: DecodeBlock): Float32Array<ArrayBuffer> {
  const count = bytes.length / size
  assert(Number.isInteger(count), 'the caller cuts whole blocks')
  const out = new Float32Array(count * elements)
  for (let block = 0; block < count; block++) decode(bytes, block * size, out, block * elements)
  return out
}

/** {f16 scale; int8 values[32]} */
function decodeQ8(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = halfAt(bytes, at)
  for (let j = 0; j < 32; j++) out[to + j] = scale * ((bytes[at + 2 + j]! << 24) >> 24)
}

/** {f16 scale; u4 values[32]}: byte j has element j low and j+16 high. */
function decodeQ4(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = halfAt(bytes, at)
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + 2 + j]!
    out[to + j] = scale * ((byte & 15) - 8)
    out[to + j + 16] = scale * ((byte >> 4) - 8)
  }
}

/** {f16 scale; f16 minimum; u4 values[32]} */
function decodeQ4WithMinimum(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = halfAt(bytes, at)
  const minimum = halfAt(bytes, at + 2)
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + 4 + j]!
    out[to + j] = scale * (byte & 15) + minimum
    out[to + j + 16] = scale * (byte >> 4) + minimum
  }
}

/** {f16 scale; u32 fifth bits; u4 values[32]}: bit j of the u32 belongs to element j. */
function decodeQ5(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = halfAt(bytes, at)
  const high = wordAt(bytes, at + 2)
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + 6 + j]!
    out[to + j] = scale * (((byte & 15) | (((high >>> j) & 1) << 4)) - 16)
    out[to + j + 16] = scale * (((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16)
  }
}

/** {f16 scale; f16 minimum; u32 fifth bits; u4 values[32]} */
function decodeQ5WithMinimum(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = halfAt(bytes, at)
  const minimum = halfAt(bytes, at + 2)
  const high = wordAt(bytes, at + 4)
  for (let j = 0; j < 16; j++) {
    const byte = bytes[at + 8 + j]!
    out[to + j] = scale * ((byte & 15) | (((high >>> j) & 1) << 4)) + minimum
    out[to + j + 16] = scale * ((byte >> 4) | (((high >>> (j + 16)) & 1) << 4)) + minimum
  }
}

/**
 * Scale (0) or minimum (1) of group `group` of eight, six bits each, from the twelve bytes at `at`: groups 0–3 lie in the low six
 * bits of bytes 0–3 (scales) and 4–7 (minima), groups 4–7 in the nibbles of bytes 8–11 and the two high bits of the former.
 */
function sixBits(bytes: Uint8Array, at: number, group: number, which: 0 | 1): number {
  const own = at + 4 * which
  if (group < 4) return bytes[own + group]! & 63
  const nibbles = bytes[at + 4 + group]!
  return (which === 0 ? nibbles & 15 : nibbles >> 4) | ((bytes[own + group - 4]! >> 6) << 4)
}

/** {f16 scale; f16 minimum; six-bit scales and minima[8] in 12; u4 values[256]}: 32 bytes have two groups, low and high. */
function decodeQ4K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = halfAt(bytes, at)
  const minimum = halfAt(bytes, at + 2)
  for (let group = 0; group < 8; group++) {
    const step = scale * sixBits(bytes, at + 4, group, 0)
    const below = minimum * sixBits(bytes, at + 4, group, 1)
    const shift = (group & 1) * 4
    const from = at + 16 + (group >> 1) * 32
    for (let j = 0; j < 32; j++) out[to + group * 32 + j] = step * ((bytes[from + j]! >> shift) & 15) - below
  }
}

/** As Q4_K, with 32 bytes of fifth bits before the values: bit `group` of byte j belongs to element j of the group. */
function decodeQ5K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = halfAt(bytes, at)
  const minimum = halfAt(bytes, at + 2)
  for (let group = 0; group < 8; group++) {
    const step = scale * sixBits(bytes, at + 4, group, 0)
    const below = minimum * sixBits(bytes, at + 4, group, 1)
    const shift = (group & 1) * 4
    const from = at + 48 + (group >> 1) * 32
    for (let j = 0; j < 32; j++) {
      const fifth = (bytes[at + 16 + j]! >> group) & 1
      out[to + group * 32 + j] = step * (((bytes[from + j]! >> shift) & 15) | (fifth << 4)) - below
    }
  }
}

/**
 * {u4 low bits[256]; u2 high bits[256]; int8 scales[16]; f16 scale}. Each half of 128 elements has 64 bytes of low bits and 32 of high
 * ones: element 32·q + j of the half has the nibble q>>1 of byte 32·(q&1) + j, and bits 2q of byte j.
 */
function decodeQ6K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const scale = halfAt(bytes, at + 208)
  for (let quarter = 0; quarter < 8; quarter++) {
    const half = quarter >> 2
    const q = quarter & 3
    const low = at + half * 64 + (q & 1) * 32
    const high = at + 128 + half * 32
    for (let j = 0; j < 32; j++) {
      const bits = ((bytes[low + j]! >> ((q >> 1) * 4)) & 15) | (((bytes[high + j]! >> (2 * q)) & 3) << 4)
      const own = (bytes[at + 192 + quarter * 2 + (j >> 4)]! << 24) >> 24
      out[to + quarter * 32 + j] = scale * own * (bits - 32)
    }
  }
}

function halfAt(bytes: Uint8Array, at: number): number {
  return halfToFloat(bytes[at]! | (bytes[at + 1]! << 8))
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
