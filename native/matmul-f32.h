/*
 * y = W x for f32 weights: docs/spec/numerics.md §2, §5. Layout: (units, width / 16, 8 rows, 16) f32, one stream of memory
 * per unit. Sixteen lanes are four vectors; padding adds zero products, which change nothing (§2).
 */
#ifndef EXACT1_MATMUL_F32_H
#define EXACT1_MATMUL_F32_H

#include "exact1.h"

/* Two rows for one token: eight accumulators, as many as hide the latency of an addition and fit V8's registers. */
static inline void two_rows_f32(const float *w, const float *x, u32 width, float *y) {
  v128_t lanes[2][4];
  UNROLL for (int l = 0; l < 4; l++) lanes[0][l] = lanes[1][l] = f4(0);
  for (const float *end = x + width; x < end; x += 16, w += 16 * UNIT) {
    PIN(x);
    PIN(w);
    UNROLL for (int l = 0; l < 4; l++) {
      const v128_t value = load(x + 4 * l);
      lanes[0][l] = wasm_f32x4_add(lanes[0][l], wasm_f32x4_mul(load(w + 4 * l), value));
      lanes[1][l] = wasm_f32x4_add(lanes[1][l], wasm_f32x4_mul(load(w + 16 + 4 * l), value));
    }
  }
  UNROLL for (int r = 0; r < 2; r++) y[r] = lanes_tree(lanes[r][0], lanes[r][1], lanes[r][2], lanes[r][3]);
}

/* Rows of `unit` for all tokens; out is (tokens, stride). */
static __attribute__((noinline)) void unit_f32(const struct matrix *m, u32 unit, const struct operand *in, u32 tokens,
                                               float *out, u32 stride) {
  const float *w = (const float *)m->data + unit * UNIT * m->width;
  for (u32 t = 0; t < tokens; t++)
    for (u32 r = 0; r < UNIT; r += 2)
      two_rows_f32(w + r * 16, in->values + t * m->width, m->width, out + t * stride + unit * UNIT + r);
}

#endif
