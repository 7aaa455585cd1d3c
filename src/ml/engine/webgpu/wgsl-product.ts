/**
 * `f32((f64(S)·f64(scale of the weights))·f64(scale of the row))` (numerics.md §5) in WGSL, which has no f64: both products in 32-bit words,
 * rounded to 53 bits as f64 rounds them. |S| < 2^40, scales are f32, so that no f64 overflows or is subnormal. Spec: docs/spec/gpu.md §8.
 * @module
 */

/**
 * `product(high, low, weights, row)`: S = high·2^16 + low with low ≥ 0. S has 40 bits at most (131,072·504·16,256) and a scale 24, so the first product has 64; rounded to 53 (or 2^53), times 24 bits
 * more it has 78. Whoever rounds to nearest drops `count` bits, at most 25, of the value.
 */
export const PRODUCT_SOURCE: string = /* wgsl */ `
struct Wide { low: u32, high: u32 }

fn multiply_wide(a: u32, b: u32) -> Wide {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let low = a0 * b0;
  let middle = a1 * b0 + (low >> 16u);
  let other = a0 * b1 + (middle & 0xffffu);
  return Wide((other << 16u) | (low & 0xffffu), a1 * b1 + (middle >> 16u) + (other >> 16u));
}

fn bit_length(low: u32, middle: u32, high: u32) -> u32 {
  if (high != 0u) { return 96u - countLeadingZeros(high); }
  if (middle != 0u) { return 64u - countLeadingZeros(middle); }
  return 32u - countLeadingZeros(low);
}

// The value without its last bits, count ≤ 31, to the nearest, ties to even.
fn drop_bits(low: u32, middle: u32, high: u32, count: u32) -> Wide {
  if (count == 0u) { return Wide(low, middle); }
  let rest = low & ((1u << count) - 1u);
  let half = 1u << (count - 1u);
  var q = Wide((low >> count) | (middle << (32u - count)), (middle >> count) | (high << (32u - count)));
  if (rest > half || (rest == half && (q.low & 1u) == 1u)) {
    q.low += 1u;
    q.high += select(0u, 1u, q.low == 0u);
  }
  return q;
}

fn product(high: i32, low: i32, weights: u32, row: u32) -> u32 {
  let upper = high + (low >> 16u);
  let lower = u32(low) & 0xffffu;
  let sign = select(0u, SIGN, upper < 0);
  // −(upper·2^16 + lower), where it is negative, borrows from upper.
  let borrow = upper < 0 && lower != 0u;
  let top = u32(abs(upper)) - select(0u, 1u, borrow);
  let bottom = select(lower, 65536u - lower, borrow);
  if ((top | bottom) == 0u) { return 0u; }
  if (weights == 0u || row == 0u) { return sign; }
  let w = parts(weights);
  let x = parts(row);
  var first = multiply_wide((top << 16u) | bottom, w.sig);
  first.high += (top >> 16u) * w.sig;
  let drop1 = u32(max(i32(bit_length(first.low, first.high, 0u)) - 53, 0));
  let rounded = drop_bits(first.low, first.high, 0u, drop1);
  let near = multiply_wide(rounded.low, x.sig);
  let far = multiply_wide(rounded.high, x.sig);
  let middle = near.high + far.low;
  let last = far.high + select(0u, 1u, middle < near.high);
  let drop2 = u32(max(i32(bit_length(near.low, middle, last)) - 53, 0));
  let q = drop_bits(near.low, middle, last, drop2);
  let length = bit_length(q.low, q.high, 0u);
  let e = w.exponent + x.exponent - 300 + i32(drop1 + drop2 + length) + 125;
  if (length <= 31u) { return round_pack(sign, e, q.low << (31u - length)); }
  let cut = length - 31u;
  let sig = (q.low >> cut) | (q.high << (32u - cut));
  return round_pack(sign, e, sig | select(0u, 1u, (q.low << (32u - cut)) != 0u));
}
`
