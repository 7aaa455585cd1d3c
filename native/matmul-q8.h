/*
 * y = W x for q8 weights: docs/spec/numerics.md §5. Layout: (units, width / 16, 8 rows, 16) int8, one stream of memory
 * per unit. Weights widen to 16 bits in the load; X is 16 bits wide; i32x4.dot_i16x8 adds products in pairs.
 */
#ifndef EXACT1_MATMUL_Q8_H
#define EXACT1_MATMUL_Q8_H

#include "exact1.h"

/*
 * A lane takes every fourth product: 1024 of 4096, each at most 127 * 16256 in magnitude. After that the sums go on
 * in f64, where integers are exact up to 2^53.
 */
enum { Q8_RUN = 4096 };
_Static_assert((int64_t)Q8_RUN / 4 * 127 * 16256 < 0x80000000LL, "an i32 lane holds one run");

static inline v128_t widen_sum(v128_t sum, v128_t lanes) {
  v128_t high = wasm_i32x4_shuffle(lanes, lanes, 2, 3, 2, 3);
  return wasm_f64x2_add(sum, wasm_f64x2_add(wasm_f64x2_convert_low_i32x4(lanes), wasm_f64x2_convert_low_i32x4(high)));
}

static inline float finish(v128_t sum, float weight_scale, float scale) {
  double whole = wasm_f64x2_extract_lane(sum, 0) + wasm_f64x2_extract_lane(sum, 1);
  return (float)(whole * (double)weight_scale * (double)scale);
}

/* ROWS rows of the unit (from row `first`) for TOKENS tokens. */
#define DOT_Q8(ROWS, TOKENS)                                                                                   \
  do {                                                                                                         \
    v128_t sum[ROWS][TOKENS];                                                                                  \
    for (int r = 0; r < ROWS; r++)                                                                             \
      for (int t = 0; t < TOKENS; t++) sum[r][t] = wasm_f64x2_splat(0);                                        \
    for (u32 start = 0; start < width; start += Q8_RUN) {                                                      \
      const u32 end = start + Q8_RUN < width ? start + Q8_RUN : width;                                         \
      v128_t lanes[ROWS][TOKENS];                                                                              \
      for (int r = 0; r < ROWS; r++)                                                                           \
        for (int t = 0; t < TOKENS; t++) lanes[r][t] = wasm_i32x4_splat(0);                                    \
      for (u32 k = start; k < end; k += 16) {                                                                  \
        const u8 *at = w + k * UNIT;                                                                           \
        _Pragma("unroll") for (int half = 0; half < 2; half++) {                                               \
          v128_t value[TOKENS];                                                                                \
          _Pragma("unroll") for (int t = 0; t < TOKENS; t++) value[t] = load(x + t * width + k + half * 8);    \
          _Pragma("unroll") for (int r = 0; r < ROWS; r++) {                                                   \
            v128_t weight = wasm_i16x8_load8x8(at + r * 16 + half * 8);                                        \
            _Pragma("unroll") for (int t = 0; t < TOKENS; t++)                                                 \
              lanes[r][t] = wasm_i32x4_add(lanes[r][t], wasm_i32x4_dot_i16x8(weight, value[t]));               \
          }                                                                                                    \
        }                                                                                                      \
      }                                                                                                        \
      for (int r = 0; r < ROWS; r++)                                                                           \
        for (int t = 0; t < TOKENS; t++) sum[r][t] = widen_sum(sum[r][t], lanes[r][t]);                        \
    }                                                                                                          \
    for (int r = 0; r < ROWS; r++)                                                                             \
      for (int t = 0; t < TOKENS; t++) y[t * stride + r] = finish(sum[r][t], scales[r], in->scales[token + t]); \
  } while (0)

/* Rows of `unit` for all tokens; out is (tokens, stride). */
static __attribute__((noinline)) void unit_q8(const struct matrix *m, u32 unit, const struct operand *in, u32 tokens,
                                              float *out, u32 stride) {
  const u32 width = m->width;
  const u8 *w = m->data + unit * UNIT * width;
  const i16 *x = in->wide;
  const float *scales = m->scales + unit * UNIT;
  float *y = out + unit * UNIT;
  u32 token = 0;
  for (; token + 2 <= tokens; token += 2, x += 2 * width, y += 2 * stride) {
    DOT_Q8(4, 2);
    w += 64, y += 4, scales += 4;
    DOT_Q8(4, 2);
    w -= 64, y -= 4, scales -= 4;
  }
  if (token < tokens) DOT_Q8(8, 1);
}

#endif
