/**
 * Numbers on which f32 goes wrong if it goes wrong anywhere, and what this machine's own f64 makes of them.
 * @module
 */
import { expF32 } from '../../../src/ml/exact-math.ts'
import { generator } from '../../contract/random-model.ts'
import type { LabFunction } from './webgpu-lab.ts'

const float = new Float32Array(1)
const word = new Uint32Array(float.buffer)

export function floatOf(bits: number): number {
  word[0] = bits
  return float[0]!
}

export function bitsOf(value: number): number {
  float[0] = value
  // NaN has many forms: one for all.
  return Number.isNaN(value) ? 0x7fc0_0000 : word[0]!
}

/** Zeros, subnormals, the least and the largest, powers of two and their neighbours, infinities, NaN; both signs. */
const EDGES = [
  ...[0, 1, 2, 3, 0x3f_ffff, 0x40_0000, 0x7f_fffe, 0x7f_ffff, 0x80_0000, 0x80_0001, 0xff_ffff, 0x100_0000],
  ...[0x0d80_0000, 0x0d7f_ffff, 0x1f80_0000, 0x33ff_ffff, 0x3400_0000, 0x3380_0000, 0x3f7f_ffff, 0x3f80_0000],
  ...[0x3f80_0001, 0x3fff_ffff, 0x4000_0000, 0x4b00_0000, 0x4b7f_ffff, 0x4b80_0001, 0x42ae_0000, 0x42b0_0000],
  ...[0x5f00_0000, 0x7eff_ffff, 0x7f00_0000, 0x7f7f_fffe, 0x7f7f_ffff, 0x7f80_0000, 0x7fc0_0000],
].flatMap((bits) => [bits, (bits | 0x8000_0000) >>> 0])

const RANDOM_PAIRS = 3_000

/** Pairs of bits: every edge with every edge, any bits with any, near neighbours, and products that end between subnormals. */
export function pairs(): number[][] {
  const random = generator(5)
  const anything = () => random.integer(2 ** 32)
  const near = (bits: number) => (bits + random.integer(5) - 2 + (random.integer(3) - 1) * 2 ** 23) >>> 0
  const list = EDGES.flatMap((a) => EDGES.map((b) => [a, b]))
  for (let count = 0; count < RANDOM_PAIRS; count++) {
    const a = anything()
    const exponent = (a >>> 23) & 255
    const faint = ((127 - exponent + random.integer(50) - 25) & 255) << 23
    list.push([a, anything()], [a, near(a)], [a, (near(a) ^ 0x8000_0000) >>> 0])
    list.push([a, (faint | random.integer(2 ** 23)) >>> 0])
  }
  return list
}

/** Arguments of exp: the whole range in steps, and edges. */
export function exponents(): number[][] {
  const list = EDGES.filter((bits) => !Number.isNaN(floatOf(bits))).map((bits) => [bits])
  for (let x = -90; x < 90; x += 0.0371) list.push([bitsOf(x)])
  return list
}

/** What `nearest` is asked for: value and exponent. */
export function roundings(): number[][] {
  const random = generator(6)
  const list: number[][] = []
  for (let count = 0; count < 2_000; count++) {
    const down = random.integer(8)
    const value = (random.integer(2) === 0 ? random.integer(512) / 2 : random.real(16_000)) * 2 ** down
    list.push([bitsOf(value > 2 ** 22 ? 1 : value), down])
  }
  return list
}

/**
 * Sums and scales. The worst for two roundings after one another: a product whose last 38 bits are half a unit of f32, or next to it, so that the rounding to
 * f64 first makes a tie of it.
 */
export function products(): { sum: number; scales: readonly [number, number] }[] {
  const random = generator(7)
  const scale = () => bitsOf(Math.abs(random.real(2)) * 2 ** (random.integer(60) - 40))
  const list: { sum: number; scales: readonly [number, number] }[] = []
  for (let count = 0; count < 3_000; count++) {
    // An integer has no −0.
    const sum = Math.floor(random.real(1) * 2 ** random.integer(39)) + 0
    list.push({ sum, scales: [scale(), scale()] })
    const weight = random.integer(2 ** 22) * 2 + 2 ** 23 + 1
    const end = 2n ** 37n + BigInt(random.integer(1_025) - 512)
    const tied = Number((inverseOf(BigInt(weight)) * end) & MASK)
    const power = 2 ** (random.integer(260) - 130)
    // The second scale is a power of two: it moves the tie, down to between subnormals, and rounds nothing.
    const [first, second] = [bitsOf(weight * 2 ** -149), bitsOf(Math.min(Math.max(power, 2 ** -126), 2 ** 100))]
    list.push({ sum: tied, scales: [first, second] }, { sum: -tied, scales: [first, second] })
    list.push({ sum: tied, scales: [bitsOf(weight * 2 ** -30), scale()] })
  }
  // The largest there is (numerics.md §5), which makes 64 bits of the first product.
  const largest = 131_072 * 504 * 16_256
  for (const sum of [largest, -largest, 1 - largest]) {
    for (const bits of [0x3f7f_ffff, 0x7f7f_ffff, 0x007f_ffff])
      list.push({ sum, scales: [bits, 0x3f7f_ffff] }, { sum, scales: [bits, 0x2f80_0000] })
  }
  for (const sum of [0, 1, -1, 65_535, 65_536, -65_536, 2 ** 38, -(2 ** 38)]) {
    for (const bits of [0, 1, 0x3f80_0000, 0x7f7f_ffff])
      list.push({ sum, scales: [bits, 0x3f80_0000] }, { sum, scales: [bits, 0x10_0001] })
  }
  return list
}

const MASK = 2n ** 38n - 1n

/** Of an odd number, modulo 2^38. */
function inverseOf(odd: bigint): bigint {
  let inverse = 1n
  for (let round = 0; round < 6; round++) inverse = (inverse * (2n - odd * inverse)) & MASK
  return inverse
}

/** S as the kernel takes it. */
export function partsOf(sum: number): [high: number, low: number] {
  const high = Math.floor(sum / 65_536)
  return [high >>> 0, sum - high * 65_536]
}

/** What IEEE gives for two f32 as bits. */
export const EXPECTED: Record<Exclude<LabFunction, 'product'>, (a: number, b: number) => number> = {
  add: (a, b) => bitsOf(floatOf(a) + floatOf(b)),
  multiply: (a, b) => bitsOf(floatOf(a) * floatOf(b)),
  divide: (a, b) => bitsOf(floatOf(a) / floatOf(b)),
  squareRoot: (a) => bitsOf(Math.sqrt(floatOf(a))),
  exponential: (a) => bitsOf(expF32(floatOf(a))),
  nearest: (a, down) => nearestOf(floatOf(a) * 2 ** -down) >>> 0,
}

function nearestOf(x: number): number {
  const floor = Math.floor(x)
  const above = x - floor
  return above < 0.5 || (above === 0.5 && floor % 2 === 0) ? floor : floor + 1
}
