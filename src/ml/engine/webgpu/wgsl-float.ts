/**
 * IEEE binary32 in WGSL from 32-bit integers. WGSL lets a driver fuse, reassociate, flush subnormals and round division as it likes;
 * on integers it may do nothing of the kind, so that these functions give the bits of the specification wherever WGSL runs.
 * A number is its bits in a u32. Spec: docs/spec/numerics.md, docs/spec/gpu.md §8.
 * @module
 */

/** How sums and products of f32 are made; all else is always made from integers. */
export type FloatArithmetic =
  /** From integers. */
  | 'soft'
  /** By the device, where its result cannot have been flushed; from integers elsewhere. For devices that pass the self-test. */
  | 'native'

/**
 * The value of a result is sig·2^(e−156), as in Hauser's SoftFloat: sig has its leading one at bit 30, seven bits below those that stay, and a last bit
 * that is also one if anything below it is; e is the biased exponent less one, as the leading one adds itself to it. Selects, no branches, and loops that no
 * compiler unrolls (they start at `now.zero`): all calls are made part of the caller, so that short code is what compiles in time.
 */
const SOFT = /* wgsl */ `
const SIGN: u32 = 0x80000000u;
const INF: u32 = 0x7f800000u;
const NAN: u32 = 0x7fc00000u;

// count ≤ 31
fn shift_jam(value: u32, count: u32) -> u32 {
  return (value >> count) | select(0u, 1u, (value & ((1u << count) - 1u)) != 0u);
}

fn round_pack(sign: u32, exponent: i32, sig: u32) -> u32 {
  let e = max(exponent, 0);
  let s = shift_jam(sig, u32(min(e - exponent, 31)));
  let rounded = ((s + 0x40u) >> 7u) & select(0xffffffffu, 0xfffffffeu, (s & 0x7fu) == 0x40u);
  let over = e > 253 || (e == 253 && s >= 0x7fffffc0u);
  return sign | select((u32(e) << 23u) + rounded, INF, over);
}

struct Parts { exponent: i32, sig: u32 }

// Of a number that is neither zero nor special: 24 bits, the first of them one.
fn parts(magnitude: u32) -> Parts {
  let e = i32(magnitude >> 23u);
  let m = magnitude & 0x7fffffu;
  let shift = countLeadingZeros(m | 1u) - 8u;
  return Parts(select(e, 1 - i32(shift), e == 0), select(m | 0x800000u, m << (shift & 31u), e == 0));
}

fn soft_add(a: u32, b: u32) -> u32 {
  let swap = (a & 0x7fffffffu) < (b & 0x7fffffffu);
  let x = select(a, b, swap);
  let y = select(b, a, swap);
  let mx = x & 0x7fffffffu;
  let my = y & 0x7fffffffu;
  let opposite = ((x ^ y) & SIGN) != 0u;
  let ex = max(i32(mx >> 23u), 1);
  let ey = max(i32(my >> 23u), 1);
  let sx = ((mx & 0x7fffffu) | select(0u, 0x800000u, mx >= 0x800000u)) << 6u;
  let sy = ((my & 0x7fffffu) | select(0u, 0x800000u, my >= 0x800000u)) << 6u;
  let aligned = shift_jam(sy, u32(min(ex - ey, 31)));
  let s = select(sx + aligned, sx - aligned, opposite);
  let shift = countLeadingZeros(s | 1u) - 1u;
  var r = round_pack(x & SIGN, ex - i32(shift), s << shift);
  r = select(r, select(0u, x & y, mx == 0u), s == 0u);
  return select(r, select(x, NAN, mx > INF || (my == INF && opposite)), mx >= INF);
}

fn soft_multiply(a: u32, b: u32) -> u32 {
  let sign = (a ^ b) & SIGN;
  let most = max(a & 0x7fffffffu, b & 0x7fffffffu);
  let least = min(a & 0x7fffffffu, b & 0x7fffffffu);
  let x = parts(most);
  let y = parts(least);
  // 24 bits by 24 in halves of 12: high·2^24 + low.
  let middle = (x.sig >> 12u) * (y.sig & 0xfffu) + (x.sig & 0xfffu) * (y.sig >> 12u);
  let low = ((middle & 0xfffu) << 12u) + (x.sig & 0xfffu) * (y.sig & 0xfffu);
  let high = (x.sig >> 12u) * (y.sig >> 12u) + (middle >> 12u) + (low >> 24u);
  let top = (high << 8u) | ((low >> 16u) & 255u);
  let rest = select(0u, 1u, (low & 0xffffu) != 0u);
  let carry = top >> 31u;
  let sig = (top >> carry) | (top & carry) | rest;
  let r = round_pack(sign, x.exponent + y.exponent - 128 + i32(carry), sig);
  let special = select(sign | INF, NAN, most > INF || least == 0u);
  return select(select(r, sign, least == 0u), special, most >= INF);
}

fn divide(a: u32, b: u32) -> u32 {
  let sign = (a ^ b) & SIGN;
  let ma = a & 0x7fffffffu;
  let mb = b & 0x7fffffffu;
  let x = parts(ma);
  let y = parts(mb);
  let less = x.sig < y.sig;
  // One bit, then three digits of eight: 25 bits and whether anything is left.
  var rest = select(x.sig, x.sig << 1u, less) - y.sig;
  var quotient = 1u;
  for (var digit = now.zero; digit < 3u; digit++) {
    rest <<= 8u;
    let next = rest / y.sig;
    quotient = (quotient << 8u) | next;
    rest -= next * y.sig;
  }
  let e = x.exponent - y.exponent + 126 - select(0, 1, less);
  var r = round_pack(sign, e, (quotient << 6u) | select(0u, 1u, rest != 0u));
  r = select(r, sign, mb == INF || ma == 0u);
  r = select(r, sign | INF, ma == INF || mb == 0u);
  return select(r, NAN, max(ma, mb) > INF || (ma == mb && (ma == 0u || ma == INF)));
}

// Of a number without sign.
fn square_root(a: u32) -> u32 {
  let x = parts(a);
  let odd = (x.exponent & 1) == 0;
  // 26 bits, so that the root of 52 has its leading one at bit 25.
  let radicand = x.sig << select(1u, 2u, odd);
  var rest = 0u;
  var root = 0u;
  for (var bit = now.zero; bit < 26u; bit++) {
    let pair = select(0u, (radicand >> ((24u - 2u * bit) & 31u)) & 3u, bit < 13u);
    rest = (rest << 2u) | pair;
    let trial = (root << 2u) | 1u;
    let fits = rest >= trial;
    rest = select(rest, rest - trial, fits);
    root = (root << 1u) | select(0u, 1u, fits);
  }
  let e = (x.exponent - 127 - select(0, 1, odd)) / 2 + 126;
  return select(round_pack(0u, e, (root << 5u) | select(0u, 1u, rest != 0u)), a, a == 0u || a >= INF);
}

fn negate(a: u32) -> u32 { return a ^ SIGN; }

// Of an integer below 2^24 in magnitude: exact.
fn from_integer(value: i32) -> u32 {
  let magnitude = u32(abs(value));
  let shift = countLeadingZeros(magnitude | 1u) - 8u;
  return select(select(0u, SIGN, value < 0) | (((149u - shift) << 23u) + (magnitude << shift)), 0u, value == 0);
}

// Nearest integer to a·2^−down, ties to even; what is 2^23 or more is only known to be so.
fn nearest_integer(a: u32, down: u32) -> i32 {
  let m = (a & 0x7fffffu) | 0x800000u;
  let e = (a >> 23u) & 255u;
  let drop = min(150 + i32(down) - i32(e), 26);
  let half = 1u << u32(max(drop - 1, 0));
  let rest = m & ((half << 1u) - 1u);
  let whole = m >> u32(max(drop, 0));
  let near = whole + select(0u, 1u, rest > half || (rest == half && (whole & 1u) == 1u));
  let q = i32(select(0x800000u, near, drop > 0));
  return select(q, -q, (a & SIGN) != 0u);
}

fn is_finite(a: u32) -> bool { return (a & 0x7fffffffu) < INF; }

// As integers in the order of the numbers.
fn ordered(a: u32) -> u32 { return a ^ select(SIGN, 0xffffffffu, (a & SIGN) != 0u); }
`

/**
 * A result of 2^−100 or more is the same with and without flushing: a summand below 2^−126 is less than half the distance between numbers there, and a factor that is
 * flushed gives 0. All other results are made again from integers. `zero` is one word of a buffer, which holds 0: what the compiler cannot see through, it
 * can neither fuse nor reassociate.
 */
const NATIVE = /* wgsl */ `
fn trusted(r: u32) -> bool { return ((r >> 23u) & 255u) - 27u < 228u; }
fn add(a: u32, b: u32) -> u32 {
  let r = bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b)) ^ now.zero;
  if (trusted(r)) { return r; }
  return soft_add(a, b);
}
fn multiply(a: u32, b: u32) -> u32 {
  let r = bitcast<u32>(bitcast<f32>(a) * bitcast<f32>(b)) ^ now.zero;
  if (trusted(r)) { return r; }
  return soft_multiply(a, b);
}
`

const ALL_SOFT = /* wgsl */ `
fn add(a: u32, b: u32) -> u32 { return soft_add(a, b); }
fn multiply(a: u32, b: u32) -> u32 { return soft_multiply(a, b); }
`

/**
 * §7 of numerics.md as eleven steps of one form, factor·other + summand; where the specification has a product alone the summand is −0, and where it has a sum alone the other
 * factor is 1: neither changes a bit. e^x is normal for −87 ≤ x ≤ 88, so that the product with 2^n is a sum of exponents.
 */
const EXPONENTIAL = /* wgsl */ `
const EXP_TERMS = array<u32, 5>(${[0.0013981999507, 0.0083334519073, 0.041665795894, 0.16666665459, 0.50000001201].map(bitsOf).join(', ')});

fn exponential(argument: u32) -> u32 {
  let magnitude = argument & 0x7fffffffu;
  let negative = (argument & SIGN) != 0u;
  let x = select(min(magnitude, 0x42b00000u), min(magnitude, 0x42ae0000u) | SIGN, negative);
  var terms = EXP_TERMS;
  var n = 0;
  var whole = 0u;
  var r = x;
  var square = 0u;
  var p = ${bitsOf(1.98756915e-4)};
  for (var stage = now.zero; stage < 11u; stage++) {
    var factor = p;
    var other = r;
    var summand = SIGN;
    switch stage {
      case 0u: { factor = x; other = ${bitsOf(Math.LOG2E)}; }
      case 1u: { factor = whole; other = ${bitsOf(-0.693359375)}; summand = x; }
      case 2u: { factor = whole; other = ${bitsOf(2.1219444e-4)}; summand = r; }
      case 3u: { factor = r; }
      case 9u: { other = square; summand = r; }
      case 10u: { other = ${bitsOf(1)}; summand = ${bitsOf(1)}; }
      default: { summand = terms[stage - 4u]; }
    }
    let result = add(multiply(factor, other), summand);
    switch stage {
      case 0u: {
        n = nearest_integer(result, 0u);
        whole = from_integer(n);
      }
      case 1u, 2u: { r = result; }
      case 3u: { square = result; }
      default: { p = result; }
    }
  }
  return p + (u32(n) << 23u);
}
`

/** Bits of f32(value) as a WGSL literal. */
function bitsOf(value: number): string {
  return `${new Uint32Array(Float32Array.of(value).buffer)[0]}u`
}

/** Functions `add`, `multiply`, `divide`, `square_root`, `exponential` and their helpers. `native` reads `now.zero`. */
export function floatSource(arithmetic: FloatArithmetic): string {
  return SOFT + (arithmetic === 'native' ? NATIVE : ALL_SOFT) + EXPONENTIAL
}
