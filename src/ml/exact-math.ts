/**
 * Elementary functions from + − × ÷ alone, so that every machine gives the same bits: the language leaves
 * Math.exp, Math.sin and Math.pow to the implementation. The f64 forms follow fdlibm (Sun Microsystems, 1993;
 * e_log.c, e_exp.c, k_sin.c, k_cos.c, e_rem_pio2.c) and serve tables; the f32 exp serves softmax and SiLU.
 * Spec: docs/spec/numerics.md §7.
 * @module
 */
import { assert } from '../base/assert.ts'

const f32 = Math.fround

/** 1.5·2^23 and 1.5·2^52: adding and subtracting rounds to the nearest integer, ties to even. */
const ROUND_F32 = 12_582_912
const ROUND_F64 = 6_755_399_441_055_744

/** Nearest integer of an f32 value with |x| < 2^22, ties to even. */
export function roundToEven(x: number): number {
  return f32(f32(x + ROUND_F32) - ROUND_F32)
}

const bits = new DataView(new ArrayBuffer(8))

/** 2^n as f64, −1022 ≤ n ≤ 1023. */
function powerOfTwo(n: number): number {
  bits.setUint32(0, (n + 1023) << 20)
  bits.setUint32(4, 0)
  return bits.getFloat64(0)
}

const LOG2_E = f32(Math.LOG2E)
const LN2_HIGH_F32 = f32(0.693359375)
const LN2_LOW_F32 = f32(-2.1219444e-4)
const EXP_POLYNOMIAL = [
  1.98756915e-4, 0.0013981999507, 0.0083334519073, 0.041665795894, 0.16666665459, 0.50000001201,
].map(f32)

/** exp in f32 with its argument clamped to [−87, 88]; NaN stays NaN. Relative error below 2e-7. */
export function expF32(argument: number): number {
  const x = Math.min(Math.max(argument, -87), 88)
  const n = roundToEven(f32(x * LOG2_E))
  const r = f32(f32(x - f32(n * LN2_HIGH_F32)) - f32(n * LN2_LOW_F32))
  let p = EXP_POLYNOMIAL[0]!
  for (let index = 1; index < EXP_POLYNOMIAL.length; index++) p = f32(f32(p * r) + EXP_POLYNOMIAL[index]!)
  const y = f32(f32(f32(p * f32(r * r)) + r) + 1)
  return Number.isNaN(n) ? Number.NaN : f32(y * powerOfTwo(n))
}

/** tanh in f32: 1 − 2 ÷ (exp(2x) + 1). Absolute error below 2e-7. */
export function tanhF32(x: number): number {
  return f32(1 - f32(2 / f32(expF32(2 * x) + 1)))
}

const LN2_HIGH = 0.6931471803691238
const LN2_LOW = 1.9082149292705877e-10
const LOG_POLYNOMIAL = [
  0.6666666666666735, 0.3999999999940942, 0.2857142874366239, 0.22222198432149784, 0.1818357216161805,
  0.15313837699209373, 0.14798198605116586,
] as const

/** Natural logarithm of a finite, normal, positive f64; error below 1 ulp (fdlibm e_log.c). */
export function logF64(x: number): number {
  assert(x > 0 && x < Number.POSITIVE_INFINITY, 'logF64 takes positive finite numbers')
  bits.setFloat64(0, x)
  const high = bits.getUint32(0)
  let exponent = (high >>> 20) - 1023
  const mantissaHigh = high & 0xf_ffff
  // Mantissa into [√2/2, √2): above √2 it is halved and the exponent raised.
  const carry = (mantissaHigh + 0x9_5f64) & 0x10_0000
  bits.setUint32(0, mantissaHigh | (carry ^ 0x3ff0_0000))
  exponent += carry >>> 20
  const f = bits.getFloat64(0) - 1
  const s = f / (2 + f)
  const z = s * s
  const w = z * z
  const [g1, g2, g3, g4, g5, g6, g7] = LOG_POLYNOMIAL
  const even = w * (g2 + w * (g4 + w * g6))
  const odd = z * (g1 + w * (g3 + w * (g5 + w * g7)))
  const halfSquare = 0.5 * f * f
  const tail = s * (halfSquare + (odd + even)) + exponent * LN2_LOW
  return exponent * LN2_HIGH - (halfSquare - tail - f)
}

const EXP_INVERSE_LN2 = Math.LOG2E
const EXP_P = [
  0.16666666666666602, -0.0027777777777015593, 0.00006613756321437934, -0.0000016533902205465252, 4.1381367970572385e-8,
] as const

/** exp of an f64 with |x| < 700; error below 1 ulp (fdlibm e_exp.c). */
export function expF64(x: number): number {
  assert(x > -700 && x < 700, 'expF64 takes |x| < 700')
  const k = x * EXP_INVERSE_LN2 + ROUND_F64 - ROUND_F64
  const high = x - k * LN2_HIGH
  const low = k * LN2_LOW
  const r = high - low
  const t = r * r
  const [p1, p2, p3, p4, p5] = EXP_P
  const c = r - t * (p1 + t * (p2 + t * (p3 + t * (p4 + t * p5))))
  const y = 1 - (low - (r * c) / (2 - c) - high)
  return y * powerOfTwo(k)
}

const INVERSE_HALF_PI = 0.6366197723675814
/** π/2 in three parts of 33 bits each, and what remains after the third. */
const HALF_PI_1 = 1.5707963267341256
const HALF_PI_2 = 6.077100506303966e-11
const HALF_PI_3 = 2.0222662487111665e-21
const HALF_PI_3_TAIL = 8.4784276603689e-32
/** n·HALF_PI_1 is exact for n < 2^20. */
const ANGLE_MAX = 1_600_000

const SIN = [
  -0.16666666666666632, 0.00833333333332249, -0.0001984126982985795, 0.0000027557313707070068, -2.5050760253406863e-8,
  1.58969099521155e-10,
] as const
const COS = [
  0.0416666666666666, -0.001388888888887411, 0.00002480158728947673, -2.7557314351390663e-7, 2.087572321298175e-9,
  -1.1359647557788195e-11,
] as const

function sinKernel(x: number, tail: number): number {
  const z = x * x
  const [s1, s2, s3, s4, s5, s6] = SIN
  const r = s2 + z * (s3 + z * s4) + z * (z * z) * (s5 + z * s6)
  const v = z * x
  return x - (z * (0.5 * tail - v * r) - tail - v * s1)
}

function cosKernel(x: number, tail: number): number {
  const z = x * x
  const w = z * z
  const [c1, c2, c3, c4, c5, c6] = COS
  const r = z * (c1 + z * (c2 + z * c3)) + w * w * (c4 + z * (c5 + z * c6))
  const half = 0.5 * z
  const rest = 1 - half
  return rest + (1 - rest - half + (z * r - x * tail))
}

/** Cosine and sine of 0 ≤ x ≤ 1,600,000 radians; error below 1 ulp (fdlibm k_sin.c, k_cos.c). */
export function cosSinF64(x: number): { cos: number; sin: number } {
  assert(x >= 0 && x <= ANGLE_MAX, 'cosSinF64 takes 0 ≤ x ≤ 1.6e6')
  const n = x * INVERSE_HALF_PI + ROUND_F64 - ROUND_F64
  const first = x - n * HALF_PI_1
  const secondPart = n * HALF_PI_2
  const second = first - secondPart
  const secondError = first - second - secondPart
  const thirdPart = n * HALF_PI_3 - secondError
  const third = second - thirdPart
  const thirdError = second - third - thirdPart
  const last = n * HALF_PI_3_TAIL - thirdError
  const reduced = third - last
  const tail = third - reduced - last
  const sin = sinKernel(reduced, tail)
  const cos = cosKernel(reduced, tail)
  switch (((n % 4) + 4) % 4) {
    case 0:
      return { cos, sin }
    case 1:
      return { cos: -sin, sin: cos }
    case 2:
      return { cos: -cos, sin: -sin }
    default:
      return { cos: sin, sin: -cos }
  }
}
