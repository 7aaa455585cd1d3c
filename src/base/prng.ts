/**
 * Counter-based pseudo-random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). The n-th number of a key is a pure function of (key, n), so that a sampled text can be
 * recomputed from any position. Not for secrets.
 * @module
 */

const MULTIPLIER_0 = 0xd2511f53
const MULTIPLIER_1 = 0xcd9e8d57
const WEYL_0 = 0x9e3779b9
const WEYL_1 = 0xbb67ae85
const ROUNDS = 10

type Four = [number, number, number, number]

/** High 32 bits of the 64-bit product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + Math.floor(middle / 65_536) + Math.floor(carry / 65_536)) >>> 0
}

/** One Philox4x32-10 block: counter (4 × u32) and key (2 × u32) to four u32. */
export function philox4x32(counter: Readonly<Four>, key: readonly [number, number]): Four {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0)
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0
    const high1 = multiplyHigh(MULTIPLIER_1, c2)
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0
    k0 = (k0 + WEYL_0) >>> 0
    k1 = (k1 + WEYL_1) >>> 0
  }
  return [c0, c1, c2, c3]
}

/**
 * Uniform in [0, 1) with 53 bits, from a 64-bit seed and a 64-bit counter.
 * docs/spec/numerics.md §8.
 */
export function uniformAt(seed: bigint, counter: bigint): number {
  const key: [number, number] = [Number(seed & 0xffff_ffffn), Number((seed >> 32n) & 0xffff_ffffn)]
  const [a, b] = philox4x32([Number(counter & 0xffff_ffffn), Number((counter >> 32n) & 0xffff_ffffn), 0, 0], key)
  return ((a >>> 5) * 67_108_864 + (b >>> 6)) / 9_007_199_254_740_992
}
