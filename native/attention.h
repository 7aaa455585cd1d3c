/*
 * Attention of one head for one row: docs/spec/numerics.md §6.6. Head vectors are padded with zeros to a multiple
 * of 16, which changes no sum (§2).
 */
#ifndef EXACT1_ATTENTION_H
#define EXACT1_ATTENTION_H

#include "exact1.h"

/* The halved lanes b[0..3] of dot16(q, k); the rest of the tree is done for four positions at once. */
static inline v128_t half_dot(const float *q, const float *k, u32 width) {
  v128_t l0 = f4(0), l1 = l0, l2 = l0, l3 = l0;
  for (u32 i = 0; i < width; i += 16) {
    l0 = wasm_f32x4_add(l0, wasm_f32x4_mul(load(q + i), load(k + i)));
    l1 = wasm_f32x4_add(l1, wasm_f32x4_mul(load(q + i + 4), load(k + i + 4)));
    l2 = wasm_f32x4_add(l2, wasm_f32x4_mul(load(q + i + 8), load(k + i + 8)));
    l3 = wasm_f32x4_add(l3, wasm_f32x4_mul(load(q + i + 12), load(k + i + 12)));
  }
  return wasm_f32x4_add(wasm_f32x4_add(l0, l2), wasm_f32x4_add(l1, l3));
}

/* z of positions [0, count) of `keys`, and their largest; 0 when one is not finite. Writes past count up to 3 more. */
static inline int score_positions(const float *q, const float *keys, u32 width, u32 count, float factor, float *z,
                                  float *largest) {
  v128_t most = f4(-__builtin_inff()), all = wasm_i32x4_splat(0);
  const v128_t mask = wasm_i32x4_splat(0x7fffffff);
  for (u32 t = 0; t < count; t += 4) {
    v128_t b[4];
    /* Past the end the last position is read again: its score is known, so it changes neither check. */
    for (u32 j = 0; j < 4; j++) b[j] = half_dot(q, keys + (t + j < count ? t + j : count - 1) * width, width);
    v128_t p = wasm_i32x4_shuffle(b[0], b[1], 0, 4, 1, 5), r = wasm_i32x4_shuffle(b[2], b[3], 0, 4, 1, 5);
    v128_t s = wasm_i32x4_shuffle(b[0], b[1], 2, 6, 3, 7), u = wasm_i32x4_shuffle(b[2], b[3], 2, 6, 3, 7);
    v128_t b0 = wasm_i32x4_shuffle(p, r, 0, 1, 4, 5), b1 = wasm_i32x4_shuffle(p, r, 2, 3, 6, 7);
    v128_t b2 = wasm_i32x4_shuffle(s, u, 0, 1, 4, 5), b3 = wasm_i32x4_shuffle(s, u, 2, 3, 6, 7);
    v128_t dot = wasm_f32x4_add(wasm_f32x4_add(b0, b2), wasm_f32x4_add(b1, b3));
    v128_t score = wasm_f32x4_mul(dot, f4(factor));
    store(z + t, score);
    most = wasm_f32x4_pmax(most, score);
    all = wasm_i32x4_max(all, wasm_v128_and(score, mask));
  }
  float m = wasm_f32x4_extract_lane(most, 0);
  for (int i = 1; i < 4; i++) {
    float lanes[4];
    store(lanes, most);
    if (lanes[i] > m) m = lanes[i];
  }
  *largest = m;
  all = wasm_i32x4_max(all, wasm_i32x4_shuffle(all, all, 2, 3, 2, 3));
  all = wasm_i32x4_max(all, wasm_i32x4_shuffle(all, all, 1, 1, 1, 1));
  return (u32)wasm_i32x4_extract_lane(all, 0) < 0x7f800000u;
}

/* z to e = exp(z - largest), with zeros up to a multiple of 16; returns D = sum16(e). */
static inline float weigh(float *z, u32 count, float largest) {
  const u32 padded = (count + 15) & ~15u;
  for (u32 t = 0; t < count; t += 4) store(z + t, exp4(wasm_f32x4_sub(load(z + t), f4(largest))));
  for (u32 t = count; t < padded; t++) z[t] = 0;
  v128_t l0 = f4(0), l1 = l0, l2 = l0, l3 = l0;
  for (u32 t = 0; t < padded; t += 16) {
    l0 = wasm_f32x4_add(l0, load(z + t));
    l1 = wasm_f32x4_add(l1, load(z + t + 4));
    l2 = wasm_f32x4_add(l2, load(z + t + 8));
    l3 = wasm_f32x4_add(l3, load(z + t + 12));
  }
  return lanes_tree(l0, l1, l2, l3);
}

/* o[0..16*BLOCKS) = (sum of e[t] v_t in the order of t) / D. */
#define MIX(VECTORS)                                                                                         \
  do {                                                                                                       \
    v128_t o[VECTORS];                                                                                       \
    for (int i = 0; i < VECTORS; i++) o[i] = f4(0);                                                          \
    for (u32 t = 0; t < count; t++) {                                                                        \
      v128_t e = wasm_v128_load32_splat(z + t);                                                              \
      const float *v = values + t * width + from;                                                            \
      _Pragma("unroll") for (int i = 0; i < VECTORS; i++) o[i] = wasm_f32x4_add(o[i], wasm_f32x4_mul(e, load(v + 4 * i))); \
    }                                                                                                        \
    for (int i = 0; i < VECTORS; i++) store(mixed + from + 4 * i, wasm_f32x4_div(o[i], f4(total)));          \
  } while (0)

/*
 * q (width); keys, values (positions, width) from the first position that is seen; z is scratch for count + 15
 * values; mixed (width). Returns 0 when a score is not finite.
 */
static __attribute__((noinline)) int attend(const float *q, const float *keys, const float *values, u32 width, u32 count,
                                            float factor, float *z, float *mixed) {
  float largest;
  if (!score_positions(q, keys, width, count, factor, z, &largest)) return 0;
  const float total = weigh(z, count, largest);
  u32 from = 0;
  for (; from + 32 <= width; from += 32) MIX(8);
  if (from < width) MIX(4);
  return 1;
}

#endif
