/**
 * Elements of F32, F16 and BF16 files as f32. Every F16 and BF16 value is an f32, so nothing is rounded.
 * @module
 */
import { unreachable } from '../base/assert.ts'
import type { WeightDtype } from './safetensors.ts'

/** Bytes of one element. */
export function dtypeBytes(dtype: WeightDtype): number {
  return dtype === 'F32' ? 4 : 2
}

/** Little-endian elements as f32; `bytes` is a whole number of elements. Always a copy. */
export function decodeElements(dtype: WeightDtype, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const copy = bytes.slice().buffer
  switch (dtype) {
    case 'F32':
      return new Float32Array(copy)
    case 'BF16': {
      const halves = new Uint16Array(copy)
      const words = new Uint32Array(halves.length)
      for (let index = 0; index < halves.length; index++) words[index] = halves[index]! << 16
      return new Float32Array(words.buffer)
    }
    case 'F16': {
      const halves = new Uint16Array(copy)
      const values = new Float32Array(halves.length)
      const table = halfTable()
      for (let index = 0; index < halves.length; index++) values[index] = table[halves[index]!]!
      return values
    }
    default:
      return unreachable(dtype)
  }
}

/** Index of the first NaN or infinity, or −1. */
export function firstNotFinite(values: Float32Array): number {
  for (let index = 0; index < values.length; index++) {
    // x − x is 0 for every finite x and NaN for the others.
    if (values[index]! - values[index]! !== 0) return index
  }
  return -1
}

let halfValues: Float32Array | undefined

/** The number of each binary16, made at the first use: imports read thousands of millions of them. */
function halfTable(): Float32Array {
  halfValues ??= Float32Array.from({ length: 65_536 }, (_, half) => computeHalf(half))
  return halfValues
}

/** IEEE 754 binary16 bits as a number. */
export function halfToFloat(half: number): number {
  return halfTable()[half]!
}

function computeHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (fraction + 1024) * 2 ** (exponent - 25)
}
