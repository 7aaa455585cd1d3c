/*
 * y = W x for f32 weights: docs/spec/numerics.md §2, §5. Layout: (units, width / 16, UNIT rows, 16) f32, one stream of memory
 * per unit. Padding adds zero products, which change nothing (§2).
 */
#ifndef EXACT1_MATMUL_F32_H
#define EXACT1_MATMUL_F32_H

#include "exact1.h"

/* Two rows for one token: with four lanes eight accumulators, as many as hide the latency of an addition and fit V8's registers. */
static inline void two_rows_f32(const float *w, const float *x, u32 width, float *y) {
  floats lanes[2][SIXTEEN];
  UNROLL for (int i = 0; i < SIXTEEN; i++) lanes[0][i] = lanes[1][i] = all(0);
  for (const float *end = x + width; x < end; x += 16, w += 16 * UNIT) {
    PIN(x);
    PIN(w);
    UNROLL for (int i = 0; i < SIXTEEN; i++) {
      const floats value = load(x + i * WIDTH);
      lanes[0][i] = lanes[0][i] + load(w + i * WIDTH) * value;
      lanes[1][i] = lanes[1][i] + load(w + 16 + i * WIDTH) * value;
    }
  }
  UNROLL for (int r = 0; r < 2; r++) y[r] = tree(lanes[r]);
}

/* Rows of `unit` for all tokens; out is (tokens, stride). */
NOINLINE void unit_f32(const struct matrix *m, u32 unit, const struct operand *in, u32 tokens, float *out, u32 stride) {
  const float *w = (const float *)m->data + (size_t)unit * UNIT * m->width;
  for (u32 t = 0; t < tokens; t++)
    for (u32 r = 0; r < UNIT; r += 2)
      two_rows_f32(w + r * 16, in->values + (size_t)t * m->width, m->width, out + (size_t)t * stride + unit * UNIT + r);
}

#endif
