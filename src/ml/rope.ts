/**
 * Tables of rotary position embedding: f32 cosines and sines per position and frequency, from exact f64.
 * Spec: docs/spec/numerics.md §6.4, §7.
 * @module
 */
import { unreachable } from '../base/assert.ts'
import type { ModelConfig, RopeScaling } from './config.ts'
import { cosSinF64, expF64, logF64 } from './exact-math.ts'
import { extrasOf } from './extras.ts'

export interface RopeTables {
  readonly cos: Float32Array // (positions, rotarySize / 2)
  readonly sin: Float32Array // (positions, rotarySize / 2)
}

/** Tables are made for this many positions at a time, when first needed. */
const PAGE_POSITIONS = 256

/** 2π, rounded to f64. */
const TWO_PI = 2 * Math.PI

type RopeConfig = Pick<ModelConfig, 'headSize' | 'ropeTheta' | 'ropeScaling' | 'extras'> & Partial<ModelConfig>

/** Angular frequencies, radians per position, f64, (rotarySize / 2). */
export function ropeFrequencies(config: RopeConfig): Float64Array<ArrayBuffer> {
  const { rotarySize } = extrasOf(config)
  const logTheta = logF64(config.ropeTheta)
  const frequencies = new Float64Array(rotarySize / 2)
  const scale = scalingOf(config, { rotarySize, logTheta })
  for (let index = 0; index < frequencies.length; index++) {
    const exponent = (2 * index) / rotarySize
    frequencies[index] = scale(expF64(-(exponent * logTheta)), index)
  }
  return frequencies
}

function scalingOf(
  { ropeScaling: scaling, contextLength = 0 }: RopeConfig,
  { rotarySize, logTheta }: { rotarySize: number; logTheta: number },
): (frequency: number, index: number) => number {
  switch (scaling.type) {
    case 'none':
      return (frequency) => frequency
    case 'linear':
      return (frequency) => frequency / scaling.factor
    case 'llama3':
      return (frequency) => llama3Frequency(frequency, scaling)
    case 'longrope': {
      const isLong = contextLength > scaling.originalContextLength
      const factors = isLong ? scaling.longFactors : scaling.shortFactors
      return (frequency, index) => frequency / factors[index]!
    }
    case 'yarn': {
      const { factor, originalContextLength, fastRotations, slowRotations } = scaling
      /** Index of the frequency that turns so often within the original context. */
      const indexOf = (rotations: number) =>
        (rotarySize * logF64(originalContextLength / (rotations * TWO_PI))) / (2 * logTheta)
      const low = Math.max(Math.floor(indexOf(fastRotations)), 0)
      const high = Math.min(Math.ceil(indexOf(slowRotations)), rotarySize - 1)
      const width = low === high ? 0.001 : high - low
      return (frequency, index) => {
        const ramp = Math.min(Math.max((index - low) / width, 0), 1)
        return (frequency / factor) * ramp + frequency * (1 - ramp)
      }
    }
    default:
      return unreachable(scaling)
  }
}

function llama3Frequency(frequency: number, scaling: RopeScaling & { type: 'llama3' }): number {
  const wavelength = TWO_PI / frequency
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength: original } = scaling
  if (wavelength < original / high) return frequency
  if (wavelength > original / low) return frequency / factor
  const smooth = (original / wavelength - low) / (high - low)
  return ((1 - smooth) * frequency) / factor + smooth * frequency
}

/** What cosines and sines are multiplied by. */
function attentionFactorOf(scaling: RopeScaling): number {
  return scaling.type === 'yarn' || scaling.type === 'longrope' ? scaling.attentionFactor : 1
}

/** Tables for positions [first, first + count). */
export function ropeTables(config: ModelConfig, count: number, first = 0): RopeTables {
  const frequencies = ropeFrequencies(config)
  const half = frequencies.length
  const factor = attentionFactorOf(config.ropeScaling)
  const cosTable = new Float32Array(count * half)
  const sinTable = new Float32Array(count * half)
  for (let row = 0; row < count; row++) {
    for (let index = 0; index < half; index++) {
      const { cos, sin } = cosSinF64((first + row) * frequencies[index]!)
      cosTable[row * half + index] = cos * factor
      sinTable[row * half + index] = sin * factor
    }
  }
  return { cos: cosTable, sin: sinTable }
}

/** Rows of the tables by position, (1, rotarySize / 2) each. */
export function createRopePages(config: ModelConfig): (position: number) => RopeTables {
  const pages = new Map<number, RopeTables>()
  const half = extrasOf(config).rotarySize / 2
  return (position) => {
    const page = Math.floor(position / PAGE_POSITIONS)
    const first = page * PAGE_POSITIONS
    const tables = pages.get(page) ?? ropeTables(config, PAGE_POSITIONS, first)
    pages.set(page, tables)
    const start = (position - first) * half
    return { cos: tables.cos.subarray(start, start + half), sin: tables.sin.subarray(start, start + half) }
  }
}
