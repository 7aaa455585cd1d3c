/*
 * Rows of activations to the integers of docs/spec/numerics.md §4, in the two forms that the kernels read.
 *
 * wide:   X[k] = mantissa << exponent, 16 bits each.
 * narrow: per group of 32 its mantissas, 8 bits each, its exponent, and sums of its mantissas (narrow.h).
 */
#ifndef EXACT1_QUANTIZE_H
#define EXACT1_QUANTIZE_H

#include "exact1.h"
#include "narrow.h"

/* Magnitudes compare as integers; a NaN is above infinity. n is a multiple of 32. */
static inline u32 largest_bits(const float *x, u32 n) {
  const i4 mask = {0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff};
  i4 m0 = {0}, m1 = m0;
  for (u32 k = 0; k < n; k += 8) {
    m0 = max4(m0, (i4)load4(x + k) & mask);
    m1 = max4(m1, (i4)load4(x + k + 4) & mask);
  }
  return lanes_max(max4(m0, m1));
}

/* Smallest e in 0..7 with limit <= 127 * 2^e, 7 if none: the number of bounds below 7 that `limit` exceeds. */
static inline u32 exponent_of(float limit) {
  const i4 low = f4_of(limit) > (f4){127.0f, 254.0f, 508.0f, 1016.0f};
  const i4 high = f4_of(limit) > (f4){2032.0f, 4064.0f, 8128.0f, __builtin_inff()};
  const i4 both = low + high; /* a lane that holds is -1 */
  return (u32) - (both[0] + both[1] + both[2] + both[3]);
}

/* Four mantissas. No clamp is needed: limit <= 127 * 2^e, or e = 7 and limit <= 16256 * (1 + 2^-22). */
static inline i4 mantissas4(const float *x, f4 inverse, f4 power) { return round4((load4(x) * inverse) * power); }

/*
 * Forms of one of `rows` rows that the matrices reading it need: bits 1 << FORMAT_*. Returns 0 when it is not finite.
 * Both forms put the same part of all rows side by side, as products of many rows read them: whole rows a power of two
 * apart would fall on the same lines of the first cache, which made q8 products of 2048 columns 40 % slower.
 */
NOINLINE int quantize_row(const struct operand *to, u32 row, u32 rows, u32 formats) {
  if ((formats & (WIDE_FORMATS | NARROW_FORMATS)) == 0) return 1;
  const u32 width = to->width;
  const float *x = to->values + (size_t)row * width;
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
    const f4 scale = f4_of(inverse), power = f4_of(float_of((127 - exponent) << 23));
    h8 m[4];
    i4 sums = {0}; /* of mantissas with k mod 4 = 0 .. 3 */
    for (int j = 0; j < 4; j++) {
      const i4 first = mantissas4(x + k + j * 8, scale, power), second = mantissas4(x + k + j * 8 + 4, scale, power);
      sums += first + second;
      m[j] = narrow16(first, second);
      if (formats & WIDE_FORMATS) STORE(wide + (size_t)(k / 16 + j / 2) * rows * 16 + j % 2 * 8, m[j] << exponent);
    }
    if (formats & NARROW_FORMATS) store_narrow(narrow, narrow8(m[0], m[1]), narrow8(m[2], m[3]), exponent, sums);
  }
  return 1;
}

#endif
