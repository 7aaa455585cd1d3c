/*
 * y = W x for f32 weights: docs/spec/numerics.md §2, §5. Layout: (units * 8, width) f32, row after row.
 * Sixteen lanes are four vectors; padding adds zero products, which change nothing (§2).
 */
#ifndef EXACT1_MATMUL_F32_H
#define EXACT1_MATMUL_F32_H

#include "exact1.h"

/* ROWS x TOKENS dot products at once: every load of a weight serves TOKENS sums, every load of x ROWS sums. */
#define DOT_F32(ROWS, TOKENS)                                                                        \
  do {                                                                                               \
    v128_t lane[ROWS][TOKENS][4];                                                                    \
    for (int r = 0; r < ROWS; r++)                                                                   \
      for (int t = 0; t < TOKENS; t++)                                                               \
        for (int l = 0; l < 4; l++) lane[r][t][l] = f4(0);                                           \
    for (u32 k = 0; k < width; k += 16) {                                                            \
      _Pragma("unroll") for (int l = 0; l < 4; l++) {                                                \
        v128_t weight[ROWS];                                                                         \
        _Pragma("unroll") for (int r = 0; r < ROWS; r++) weight[r] = load(w + r * width + k + l * 4); \
        _Pragma("unroll") for (int t = 0; t < TOKENS; t++) {                                         \
          v128_t value = load(x + t * width + k + l * 4);                                            \
          _Pragma("unroll") for (int r = 0; r < ROWS; r++)                                           \
            lane[r][t][l] = wasm_f32x4_add(lane[r][t][l], wasm_f32x4_mul(weight[r], value));         \
        }                                                                                            \
      }                                                                                              \
    }                                                                                                \
    for (int r = 0; r < ROWS; r++)                                                                   \
      for (int t = 0; t < TOKENS; t++)                                                               \
        y[t * stride + r] = lanes_tree(lane[r][t][0], lane[r][t][1], lane[r][t][2], lane[r][t][3]);  \
  } while (0)

/* Rows of `unit` for all tokens; out is (tokens, stride). */
static __attribute__((noinline)) void unit_f32(const struct matrix *m, u32 unit, const struct operand *in, u32 tokens,
                                               float *out, u32 stride) {
  const u32 width = m->width;
  for (u32 r = 0; r < UNIT; r += 2) {
    const float *w = (const float *)m->data + (unit * UNIT + r) * width;
    const float *x = in->values;
    float *y = out + unit * UNIT + r;
    u32 token = 0;
    for (; token < tokens; token++, x += width, y += stride) DOT_F32(2, 1);
  }
}

#endif
