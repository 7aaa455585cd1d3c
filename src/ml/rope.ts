/**
 * Tables of rotary position embedding: f32 cosines and sines per position and frequency, from exact f64.
 * Spec: docs/spec/numerics.md §6.4, §7.
 * @module
 */
import { unreachable } from '../base/assert.ts'
import type { ModelConfig, RopeScaling } from './config.ts'
import { cosSinF64, expF64, logF64 } from './exact-math.ts'

export interface RopeTables {
  readonly cos: Float32Array // (positions, headSize / 2)
  readonly sin: Float32Array // (positions, headSize / 2)
}

/** Tables are made for this many positions at a time, when first needed. */
const PAGE_POSITIONS = 256

/** 2π, rounded to f64. */
const TWO_PI = 2 * Math.PI

/** Angular frequencies, radians per position, f64, (headSize / 2). */
export function ropeFrequencies(
  config: Pick<ModelConfig, 'headSize' | 'ropeTheta' | 'ropeScaling'>,
): Float64Array<ArrayBuffer> {
  const half = config.headSize / 2
  const logTheta = logF64(config.ropeTheta)
  const frequencies = new Float64Array(half)
  for (let index = 0; index < half; index++) {
    const exponent = (2 * index) / config.headSize
    frequencies[index] = scaleFrequency(expF64(-(exponent * logTheta)), config.ropeScaling)
  }
  return frequencies
}

function scaleFrequency(frequency: number, scaling: RopeScaling): number {
  switch (scaling.type) {
    case 'none':
      return frequency
    case 'linear':
      return frequency / scaling.factor
    case 'llama3': {
      const wavelength = TWO_PI / frequency
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength: original } = scaling
      if (wavelength < original / high) return frequency
      if (wavelength > original / low) return frequency / factor
      const smooth = (original / wavelength - low) / (high - low)
      return ((1 - smooth) * frequency) / factor + smooth * frequency
    }
    default:
      return unreachable(scaling)
  }
}

/** Tables for positions [first, first + count). */
export function ropeTables(config: ModelConfig, count: number, first = 0): RopeTables {
  const frequencies = ropeFrequencies(config)
  const half = frequencies.length
  const cosTable = new Float32Array(count * half)
  const sinTable = new Float32Array(count * half)
  for (let row = 0; row < count; row++) {
    for (let index = 0; index < half; index++) {
      const { cos, sin } = cosSinF64((first + row) * frequencies[index]!)
      cosTable[row * half + index] = cos
      sinTable[row * half + index] = sin
    }
  }
  return { cos: cosTable, sin: sinTable }
}

/** Rows of the tables by position, (1, headSize / 2) each. */
export function createRopePages(config: ModelConfig): (position: number) => RopeTables {
  const pages = new Map<number, RopeTables>()
  const half = config.headSize / 2
  return (position) => {
    const page = Math.floor(position / PAGE_POSITIONS)
    const first = page * PAGE_POSITIONS
    const tables = pages.get(page) ?? ropeTables(config, PAGE_POSITIONS, first)
    pages.set(page, tables)
    const start = (position - first) * half
    return { cos: tables.cos.subarray(start, start + half), sin: tables.sin.subarray(start, start + half) }
  }
}
