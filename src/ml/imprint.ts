/**
 * Imprints: what two machines of the float class compare, whose numbers are near each other but not equal. The largest values of a
 * window of rows, with their places, as the coefficients of one polynomial: whoever computed the same rows knows the places, and reads the values there;
 * whoever did not, reads noise. After TOPLOC (Ong et al., arXiv 2501.16007), with 15 bits of mantissa in place of 7, because float engines with the same
 * weights differ in the last bits only. Knows no engine and no audits.
 * Spec: docs/spec/float.md §5, with the measured rates.
 * @module
 */
import { assert } from '../base/assert.ts'
import { floatBytes, floatsFromBytes } from './digest.ts'

/** Coefficients of the polynomial, from the constant on, each below PRIME: 3 bytes. */
export interface Imprint {
  readonly coefficients: Uint32Array // (k)
}

/** How far an imprint is from values that somebody computed. */
export interface ImprintMatch {
  /** Of the largest places, the share where the imprint has another value altogether: another sign, or more than twice or less than half. */
  readonly missing: number
  /** Median over the other places of |difference| ÷ |value|; 0 where there is none. */
  readonly medianDifference: number
}

/** How many of the largest values count. */
const PLACES = 128
/** The largest prime below 2^24: a value's upper 24 bits are below it unless it is not finite, and products are exact in f64. */
const PRIME = 16_777_213
/** Bits of an f32 that do not count. */
const DROPPED_BITS = 8

/** Within these, two results are the same computation (docs/spec/float.md §5). */
export const IMPRINT_TOLERANCE: ImprintMatch = { missing: 0.05, medianDifference: 1e-4 }

/** Of rows as they leave a stage, one after another; fewer values than PRIME. */
export function imprintOf(values: Float32Array): Imprint {
  const places = largestPlaces(values)
  const upper = upperBits(values)
  return {
    coefficients: interpolate(
      places,
      places.map((place) => upper[place]!),
    ),
  }
}

/** Looks where `values` are largest. */
export function compareImprint({ coefficients }: Imprint, values: Float32Array): ImprintMatch {
  const places = largestPlaces(values)
  const claimed = floatsFromUpperBits(places.map((place) => evaluate(coefficients, place)))
  const differences: number[] = []
  for (const [index, place] of places.entries()) {
    const value = values[place]!
    const ratio = claimed[index]! / value
    if (ratio > 0.5 && ratio < 2) differences.push(Math.abs(ratio - 1))
  }
  differences.sort((a, b) => a - b)
  return {
    missing: 1 - differences.length / places.length,
    medianDifference: differences[Math.floor(differences.length / 2)] ?? 0,
  }
}

export function isWithin(match: ImprintMatch, tolerance: ImprintMatch = IMPRINT_TOLERANCE): boolean {
  return match.missing <= tolerance.missing && match.medianDifference <= tolerance.medianDifference
}

/** Places of the largest magnitudes, ascending; of equals the first. */
function largestPlaces(values: Float32Array): number[] {
  assert(values.length > 0 && values.length < PRIME, 'a window has places, and fewer than the prime')
  const order = Array.from(values.keys()).sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!) || a - b)
  return order.slice(0, PLACES).sort((a, b) => a - b)
}

function upperBits(values: Float32Array): Uint32Array {
  const bytes = floatBytes(values)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Uint32Array.from(values, (_unused, at) => view.getUint32(at * 4, true) >>> DROPPED_BITS)
}

function floatsFromUpperBits(upper: readonly number[]): Float32Array {
  const view = new DataView(new ArrayBuffer(upper.length * 4))
  for (const [at, bits] of upper.entries()) view.setUint32(at * 4, bits << DROPPED_BITS, true)
  return floatsFromBytes(new Uint8Array(view.buffer))
}

/** Coefficients of the polynomial of least degree with P(x[i]) = y[i], by Newton's divided differences. */
function interpolate(x: readonly number[], y: readonly number[]): Uint32Array {
  const divided = [...y]
  for (let order = 1; order < x.length; order++) {
    for (let at = x.length - 1; at >= order; at--) {
      const run = inverse(x[at]! - x[at - order]!)
      divided[at] = (((divided[at]! - divided[at - 1]! + PRIME) % PRIME) * run) % PRIME
    }
  }
  // Horner's rule on Newton's form: P ← P·(t − x) + c, from the last difference to the first.
  const coefficients = new Uint32Array(x.length)
  for (let at = x.length - 1; at >= 0; at--) {
    for (let degree = x.length - 1; degree > 0; degree--) {
      const kept = (coefficients[degree]! * (PRIME - x[at]!)) % PRIME
      coefficients[degree] = (kept + coefficients[degree - 1]!) % PRIME
    }
    coefficients[0] = (coefficients[0]! * (PRIME - x[at]!) + divided[at]!) % PRIME
  }
  return coefficients
}

function evaluate(coefficients: Uint32Array, x: number): number {
  let value = 0
  for (let degree = coefficients.length - 1; degree >= 0; degree--) value = (value * x + coefficients[degree]!) % PRIME
  return value
}

/** 1 ÷ a modulo PRIME, for 0 < a < PRIME, by the extended algorithm of Euclid. */
function inverse(a: number): number {
  let [r, next] = [PRIME, a]
  let [t, nextT] = [0, 1]
  while (next !== 0) {
    const quotient = Math.floor(r / next)
    ;[r, next] = [next, r - quotient * next]
    ;[t, nextT] = [nextT, t - quotient * nextT]
  }
  return t < 0 ? t + PRIME : t
}
