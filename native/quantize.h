/*
 * Rows of activations to the integers of docs/spec/numerics.md §4, in the two forms that the kernels read.
 *
 * wide (q8):   X[k] = mantissa << exponent, 16 bits each.
 * narrow (q4): per group of 32: 32 mantissas (8 bits); two 16-bit starting sums, -8 * (sum of mantissas with k mod 4
 *              in {0, 1}) and the same for {2, 3}, which remove the +8 of the nibbles; 2^exponent twice, 16 bits each.
 */
#ifndef EXACT1_QUANTIZE_H
#define EXACT1_QUANTIZE_H

#include "exact1.h"

enum { NARROW_GROUP = 40, NARROW_START = 32, NARROW_POWER = 36 };

static inline u32 lanes_max(v128_t v) {
  v = wasm_i32x4_max(v, wasm_i32x4_shuffle(v, v, 2, 3, 2, 3));
  v = wasm_i32x4_max(v, wasm_i32x4_shuffle(v, v, 1, 1, 1, 1));
  return (u32)wasm_i32x4_extract_lane(v, 0);
}

/* Magnitudes compare as integers; a NaN is above infinity. n is a multiple of 32. */
static inline u32 largest_bits(const float *x, u32 n) {
  const v128_t mask = wasm_i32x4_splat(0x7fffffff);
  v128_t m0 = wasm_i32x4_splat(0), m1 = m0;
  for (u32 k = 0; k < n; k += 8) {
    m0 = wasm_i32x4_max(m0, wasm_v128_and(load(x + k), mask));
    m1 = wasm_i32x4_max(m1, wasm_v128_and(load(x + k + 4), mask));
  }
  return lanes_max(wasm_i32x4_max(m0, m1));
}

/* Smallest e in 0..7 with limit <= 127 * 2^e, 7 if none: the number of bounds below 7 that `limit` exceeds. */
static inline u32 exponent_of(float limit) {
  v128_t low = wasm_f32x4_gt(f4(limit), wasm_f32x4_const(127.0f, 254.0f, 508.0f, 1016.0f));
  v128_t high = wasm_f32x4_gt(f4(limit), wasm_f32x4_const(2032.0f, 4064.0f, 8128.0f, __builtin_inff()));
  return (u32)__builtin_popcount(wasm_i32x4_bitmask(low) | wasm_i32x4_bitmask(high) << 4);
}

/* Four mantissas. No clamp is needed: limit <= 127 * 2^e, or e = 7 and limit <= 16256 * (1 + 2^-22). */
static inline v128_t mantissas4(const float *x, v128_t inverse, v128_t power) {
  v128_t scaled = wasm_f32x4_mul(wasm_f32x4_mul(load(x), inverse), power);
  return wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(scaled));
}

static inline void store_narrow(u8 *at, v128_t low, v128_t high, u32 exponent) {
  store(at, low);
  store(at + 16, high);
  /* i32 lane j: mantissas 4j..4j+3. Pairs, then lanes, are summed: i16 lane 0 holds k mod 4 in {0, 1}. */
  v128_t pairs = wasm_i16x8_add(wasm_i16x8_extadd_pairwise_i8x16(low), wasm_i16x8_extadd_pairwise_i8x16(high));
  pairs = wasm_i16x8_add(pairs, wasm_i32x4_shuffle(pairs, pairs, 2, 3, 2, 3));
  pairs = wasm_i16x8_add(pairs, wasm_i32x4_shuffle(pairs, pairs, 1, 1, 1, 1));
  /* |sum| <= 16 * 127, times 8 is 16256. */
  *(u32 *)(at + NARROW_START) = (u32)wasm_i32x4_extract_lane(wasm_i16x8_neg(wasm_i16x8_shl(pairs, 3)), 0);
  *(u32 *)(at + NARROW_POWER) = 0x00010001u << exponent;
}

/*
 * Forms of one of `rows` rows that the matrices reading it need: bits 1 << FORMAT_*. Returns 0 when it is not finite.
 * Both forms put the same part of all rows side by side, as products of many rows read them: whole rows a power of two
 * apart would fall on the same lines of the first cache, which made q8 products of 2048 columns 40 % slower.
 */
static __attribute__((noinline)) int quantize_row(const struct operand *to, u32 row, u32 rows, u32 formats) {
  if ((formats & (1u << FORMAT_Q8 | 1u << FORMAT_Q4)) == 0) return 1;
  const u32 width = to->width;
  const float *x = to->values + row * width;
  i16 *wide = to->wide + row * 16;
  u8 *narrow = to->narrow + row * NARROW_GROUP;
  u32 bits = largest_bits(x, width);
  if (bits >= 0x7f800000u) return 0;
  float amax = float_of(bits);
  float inverse = 0;
  if (amax < 0x1p-100f) {
    to->scales[row] = 0; /* with inverse 0 every mantissa and exponent is 0 */
  } else {
    to->scales[row] = amax / 16256.0f;
    inverse = 16256.0f / amax;
  }
  for (u32 k = 0; k < width; k += GROUP, narrow += rows * NARROW_GROUP) {
    u32 exponent = exponent_of(float_of(largest_bits(x + k, GROUP)) * inverse);
    v128_t scale = f4(inverse), power = f4(float_of((127 - exponent) << 23));
    v128_t m[4];
    for (int j = 0; j < 4; j++) {
      m[j] = wasm_i16x8_narrow_i32x4(mantissas4(x + k + j * 8, scale, power), mantissas4(x + k + j * 8 + 4, scale, power));
      if (formats & 1u << FORMAT_Q8) store(wide + (k / 16 + j / 2) * rows * 16 + j % 2 * 8, wasm_i16x8_shl(m[j], exponent));
    }
    if (formats & 1u << FORMAT_Q4)
      store_narrow(narrow, wasm_i8x16_narrow_i16x8(m[0], m[1]), wasm_i8x16_narrow_i16x8(m[2], m[3]), exponent);
  }
  return 1;
}

#endif
