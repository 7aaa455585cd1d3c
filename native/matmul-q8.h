/*
 * y = W x for q8 weights, in WebAssembly: docs/spec/numerics.md §5. Layout: (units, width / 16, 8 rows, 16) int8, one stream of memory
 * per unit. Weights widen to 16 bits in the load; X is (width / 16, tokens, 16) int16; i32x4.dot_i16x8 adds products in pairs.
 *
 * Measured, one Zen 3 core at 3.1 GHz, V8 13.6: 30 multiply-adds per ns from memory for one token, 30 to 35 for more.
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

static inline v128_t load128(const void *at) { return wasm_v128_load(at); }
static inline void store128(void *at, v128_t value) { wasm_v128_store(at, value); }

static inline v128_t widen_sum(v128_t sum, v128_t lanes) {
  v128_t high = wasm_i32x4_shuffle(lanes, lanes, 2, 3, 2, 3);
  return wasm_f64x2_add(sum, wasm_f64x2_add(wasm_f64x2_convert_low_i32x4(lanes), wasm_f64x2_convert_low_i32x4(high)));
}

/* §5 for two rows: two f64 products, left to right, then one rounding each. Lanes 0 and 1 of the result. */
static inline v128_t finish2(v128_t whole, const float *weight_scales, v128_t scale) {
  v128_t weight_scale = wasm_f64x2_promote_low_f32x4(wasm_v128_load64_zero(weight_scales));
  return wasm_f32x4_demote_f64x2_zero(wasm_f64x2_mul(wasm_f64x2_mul(whole, weight_scale), scale));
}

/* The two lanes of each sum together: integers, so that their order does not matter. */
static inline v128_t add_lanes(v128_t a, v128_t b) {
  return wasm_f64x2_add(wasm_i64x2_shuffle(a, b, 0, 2), wasm_i64x2_shuffle(a, b, 1, 3));
}

struct block_q8 {
  const u8 *w;     /* first row of the block in the first 16 columns of the unit */
  const i16 *x;    /* first token of the block */
  u32 width, tokens; /* tokens: of the whole operand */
  const float *weight_scales, *scales;
  float *y;
  u32 stride;
};

/* One step of 8 columns: x stays, weights of one row after the other pass. */
static inline __attribute__((always_inline)) void step_q8(const int rows, const int tokens, const u8 *w, const i16 *x,
                                                          v128_t *lanes) {
  v128_t value[2];
  UNROLL for (int t = 0; t < tokens; t++) value[t] = load128(x + t * 16);
  UNROLL for (int r = 0; r < rows; r++) {
    const v128_t weight = wasm_i16x8_load8x8(w + r * 16);
    UNROLL for (int t = 0; t < tokens; t++) {
      v128_t *lane = lanes + r * tokens + t;
      *lane = wasm_i32x4_add(*lane, wasm_i32x4_dot_i16x8(weight, value[t]));
      PIN_VECTOR(*lane);
    }
  }
}

/* rows x tokens results, 4 x 2 or 8 x 1: eight accumulators fit V8's registers with their operands. 2 x 4 is not faster. */
static inline __attribute__((always_inline)) void dot_q8(const int rows, const int tokens, const struct block_q8 *b) {
  v128_t sum[8];
  UNROLL for (int i = 0; i < 8; i++) sum[i] = wasm_f64x2_splat(0);
  for (u32 start = 0; start < b->width; start += Q8_RUN) {
    const u32 end = start + Q8_RUN < b->width ? start + Q8_RUN : b->width;
    v128_t lanes[8];
    UNROLL for (int i = 0; i < 8; i++) lanes[i] = wasm_i32x4_splat(0);
    const u8 *w = b->w + start * UNIT;
    const i16 *x = b->x + start * b->tokens;
    for (const u8 *last = b->w + end * UNIT; w < last; w += 16 * UNIT, x += 16 * b->tokens) {
      PIN(w);
      PIN(x);
      step_q8(rows, tokens, w, x, lanes);
      step_q8(rows, tokens, w + 8, x + 8, lanes);
    }
    UNROLL for (int i = 0; i < 8; i++) sum[i] = widen_sum(sum[i], lanes[i]);
  }
  UNROLL for (int t = 0; t < tokens; t++) {
    const v128_t scale = wasm_f64x2_splat((double)b->scales[t]);
    UNROLL for (int r = 0; r < rows; r += 2) {
      const v128_t whole = add_lanes(sum[r * tokens + t], sum[(r + 1) * tokens + t]);
      wasm_v128_store64_lane(b->y + t * b->stride + r, finish2(whole, b->weight_scales + r, scale), 0);
    }
  }
}

/* The unit in blocks of `rows` for `tokens` tokens from b->x on. */
static inline __attribute__((always_inline)) void blocks_q8(const int rows, const int tokens, struct block_q8 b) {
  for (int r = 0; r < UNIT; r += rows, b.w += rows * 16, b.y += rows, b.weight_scales += rows) dot_q8(rows, tokens, &b);
}

/* Rows of `unit` for all tokens; out is (tokens, stride). */
static __attribute__((noinline)) void unit_q8(const struct matrix *m, u32 unit, const struct operand *in, u32 tokens,
                                              float *out, u32 stride) {
  struct block_q8 b = {m->data + unit * UNIT * m->width, in->wide, m->width, tokens, m->scales + unit * UNIT, in->scales,
                       out + unit * UNIT, stride};
  for (u32 token = 0, count; token < tokens; token += count, b.x += count * 16, b.y += count * stride, b.scales += count) {
    count = tokens - token >= 2 ? 2 : 1;
    if (count == 2) blocks_q8(4, 2, b);
    else blocks_q8(8, 1, b);
  }
}

#endif
