/*
 * Attention of one row for heads that share keys and values: docs/spec/numerics.md §6.6. Head vectors are padded with
 * zeros to a multiple of 16, which changes no sum (§2). Positions are taken in blocks that stay in the first cache while
 * all heads of the task use them; within a head everything still happens in the order of positions.
 */
#ifndef EXACT1_ATTENTION_H
#define EXACT1_ATTENTION_H

#include "exact1.h"
#include "quantize.h"

/* Heads of one task, and positions of one block: 64 keys of 64 values are 16 KiB. */
enum { TASK_HEADS = 4, BLOCK_POSITIONS = 64 };

/* The halved lanes b[0..3] of dot16 of q with two keys; the rest of the tree is done for four positions at once. */
static inline void half_dots(const float *q, const float *k0, const float *k1, u32 width, v128_t *b) {
  v128_t l[4], m[4];
  UNROLL for (int i = 0; i < 4; i++) l[i] = m[i] = f4(0);
  for (const float *end = q + width; q < end; q += 16, k0 += 16, k1 += 16) {
    PIN(q);
    PIN(k0);
    PIN(k1);
    UNROLL for (int i = 0; i < 4; i++) {
      const v128_t value = load(q + 4 * i);
      l[i] = wasm_f32x4_add(l[i], wasm_f32x4_mul(value, load(k0 + 4 * i)));
      m[i] = wasm_f32x4_add(m[i], wasm_f32x4_mul(value, load(k1 + 4 * i)));
    }
  }
  b[0] = wasm_f32x4_add(wasm_f32x4_add(l[0], l[2]), wasm_f32x4_add(l[1], l[3]));
  b[1] = wasm_f32x4_add(wasm_f32x4_add(m[0], m[2]), wasm_f32x4_add(m[1], m[3]));
}

/* What scores of one head have shown so far, in four lanes: the largest, and the largest magnitude as bits. */
struct extremes {
  v128_t most, magnitude;
};

/* z of positions [0, count) of `keys`. Writes past count up to 3 more. */
static void score_positions(const float *q, const float *keys, u32 width, u32 count, float factor, float *z,
                            struct extremes *seen) {
  for (u32 t = 0; t < count; t += 4) {
    v128_t b[4];
    /* Past the end the last position is read again: its score is known, so it changes neither extreme. */
    const u32 last = count - 1 - t;
    const float *k = keys + t * width;
    half_dots(q, k, k + (last < 1 ? last : 1) * width, width, b);
    half_dots(q, k + (last < 2 ? last : 2) * width, k + (last < 3 ? last : 3) * width, width, b + 2);
    const v128_t p = wasm_i32x4_shuffle(b[0], b[1], 0, 4, 1, 5), r = wasm_i32x4_shuffle(b[2], b[3], 0, 4, 1, 5);
    const v128_t s = wasm_i32x4_shuffle(b[0], b[1], 2, 6, 3, 7), u = wasm_i32x4_shuffle(b[2], b[3], 2, 6, 3, 7);
    const v128_t c0 = wasm_f32x4_add(wasm_i32x4_shuffle(p, r, 0, 1, 4, 5), wasm_i32x4_shuffle(s, u, 0, 1, 4, 5));
    const v128_t c1 = wasm_f32x4_add(wasm_i32x4_shuffle(p, r, 2, 3, 6, 7), wasm_i32x4_shuffle(s, u, 2, 3, 6, 7));
    const v128_t score = wasm_f32x4_mul(wasm_f32x4_add(c0, c1), f4(factor));
    store(z + t, score);
    seen->most = wasm_f32x4_pmax(seen->most, score);
    seen->magnitude = wasm_i32x4_max(seen->magnitude, wasm_v128_and(score, wasm_i32x4_splat(0x7fffffff)));
  }
}

static inline float largest_lane(v128_t v) {
  v = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 2, 3, 2, 3));
  v = wasm_f32x4_pmax(v, wasm_i32x4_shuffle(v, v, 1, 1, 1, 1));
  return wasm_f32x4_extract_lane(v, 0);
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

/* o += e[t] v_t for `count` positions in their order, for `vectors` vectors of the head. */
static inline __attribute__((always_inline)) void mix(const int vectors, const float *e, const float *v, u32 width, u32 count,
                                                      float *out) {
  v128_t o[8];
  UNROLL for (int i = 0; i < vectors; i++) o[i] = load(out + 4 * i);
  for (const float *end = e + count; e < end; e++, v += width) {
    const v128_t weight = wasm_v128_load32_splat(e);
    PIN(v);
    UNROLL for (int i = 0; i < vectors; i++) o[i] = wasm_f32x4_add(o[i], wasm_f32x4_mul(weight, load(v + 4 * i)));
  }
  UNROLL for (int i = 0; i < vectors; i++) store(out + 4 * i, o[i]);
}

static void mix_positions(const float *e, const float *values, u32 width, u32 count, float *out) {
  u32 from = 0;
  for (; from + 32 <= width; from += 32) mix(8, e, values + from, width, count, out + from);
  if (from < width) mix(4, e, values + from, width, count, out + from);
}

struct attention {
  const float *queries;        /* (heads, width) */
  const float *keys, *values;  /* (count, width) from the first position that is seen */
  u32 heads, width, count;
  float factor;
  float *scores; /* (heads, scores_width >= count + 15), scratch */
  u32 scores_width;
};

/* mixed (heads, width). Returns 0 when a score is not finite. */
static __attribute__((noinline)) int attend(const struct attention *a, float *mixed) {
  const u32 width = a->width;
  struct extremes seen[TASK_HEADS];
  float total[TASK_HEADS];
  for (u32 h = 0; h < a->heads; h++) seen[h] = (struct extremes){f4(-__builtin_inff()), f4(0)};
  for (u32 t = 0; t < a->count; t += BLOCK_POSITIONS)
    for (u32 h = 0; h < a->heads; h++)
      score_positions(a->queries + h * width, a->keys + t * width, width, at_most(a->count - t, BLOCK_POSITIONS), a->factor,
                      a->scores + h * a->scores_width + t, &seen[h]);
  for (u32 h = 0; h < a->heads; h++) {
    if (lanes_max(seen[h].magnitude) >= 0x7f800000u) return 0;
    total[h] = weigh(a->scores + h * a->scores_width, a->count, largest_lane(seen[h].most));
  }
  for (u32 i = 0; i < a->heads * width; i += 4) store(mixed + i, f4(0));
  for (u32 t = 0; t < a->count; t += BLOCK_POSITIONS)
    for (u32 h = 0; h < a->heads; h++)
      mix_positions(a->scores + h * a->scores_width + t, a->values + t * width, width,
                    at_most(a->count - t, BLOCK_POSITIONS), mixed + h * width);
  for (u32 h = 0; h < a->heads; h++)
    for (u32 i = h * width; i < (h + 1) * width; i += 4) store(mixed + i, wasm_f32x4_div(load(mixed + i), f4(total[h])));
  return 1;
}

#endif
