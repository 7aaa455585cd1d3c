/*
 * Attention of one row for heads that share keys and values: docs/spec/numerics.md §6.6. Head vectors are padded with
 * zeros to a multiple of 16, which changes no sum (§2). Positions are taken page by page of the cache, each by all heads
 * of the task in turn; within a head everything still happens in the order of positions.
 */
#ifndef EXACT1_ATTENTION_H
#define EXACT1_ATTENTION_H

#include "exact1.h"
#include "quantize.h"

/* Heads of one task. */
enum { TASK_HEADS = 4 };

/* The halved lanes b[0..3] of dot16 of q with two keys; the rest of the tree is done for four positions at once. */
INLINE void half_dots(const float *q, const float *k0, const float *k1, u32 width, f4 *b) {
  floats l[SIXTEEN], m[SIXTEEN];
  UNROLL for (int i = 0; i < SIXTEEN; i++) l[i] = m[i] = all(0);
  for (const float *end = q + width; q < end; q += 16, k0 += 16, k1 += 16) {
    PIN(q);
    PIN(k0);
    PIN(k1);
    UNROLL for (int i = 0; i < SIXTEEN; i++) {
      const floats value = load(q + i * WIDTH);
      l[i] = l[i] + value * load(k0 + i * WIDTH);
      m[i] = m[i] + value * load(k1 + i * WIDTH);
    }
  }
  b[0] = fold(l);
  b[1] = fold(m);
}

/* What scores of one head have shown so far, in four lanes: the largest, and the largest magnitude as bits. */
struct extremes {
  f4 most;
  i4 magnitude;
};

/* z of positions [0, count) of `keys`. Writes past count up to 3 more. */
static inline void score_positions(const float *q, const float *keys, u32 width, u32 count, float factor, float *z,
                                   struct extremes *seen) {
  const i4 mask = {0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff};
  for (u32 t = 0; t < count; t += 4) {
    f4 b[4];
    /* Past the end the last position is read again: its score is known, so it changes neither extreme. */
    const u32 last = count - 1 - t;
    const float *k = keys + (size_t)t * width;
    half_dots(q, k, k + (last < 1 ? last : 1) * width, width, b);
    half_dots(q, k + (last < 2 ? last : 2) * width, k + (last < 3 ? last : 3) * width, width, b + 2);
    const f4 p = SHUFFLE4(b[0], b[1], 0, 4, 1, 5), r = SHUFFLE4(b[2], b[3], 0, 4, 1, 5);
    const f4 s = SHUFFLE4(b[0], b[1], 2, 6, 3, 7), u = SHUFFLE4(b[2], b[3], 2, 6, 3, 7);
    const f4 c0 = SHUFFLE4(p, r, 0, 1, 4, 5) + SHUFFLE4(s, u, 0, 1, 4, 5);
    const f4 c1 = SHUFFLE4(p, r, 2, 3, 6, 7) + SHUFFLE4(s, u, 2, 3, 6, 7);
    const f4 score = (c0 + c1) * f4_of(factor);
    store4(z + t, score);
    seen->most = larger4(seen->most, score);
    seen->magnitude = max4(seen->magnitude, (i4)score & mask);
  }
}

/* z to e = exp(z - largest), with zeros up to a multiple of 16; returns D = sum16(e). */
static inline float weigh(float *z, u32 count, float largest) {
  const u32 padded = (count + 15) & ~15u;
  for (u32 t = 0; t < count; t += WIDTH) store(z + t, exp_of(load(z + t) - all(largest)));
  for (u32 t = count; t < padded; t++) z[t] = 0;
  floats lanes[SIXTEEN];
  UNROLL for (int i = 0; i < SIXTEEN; i++) lanes[i] = all(0);
  for (u32 t = 0; t < padded; t += 16)
    UNROLL for (int i = 0; i < SIXTEEN; i++) lanes[i] = lanes[i] + load(z + t + i * WIDTH);
  return tree(lanes);
}

/* §6.6: z of positions [0, count) held between -cap and cap; the largest. */
NOINLINE float cap_scores(float *z, u32 count, float cap) {
  float most = -__builtin_inff();
  for (u32 t = 0; t < count; t += WIDTH) store(z + t, capped(load(z + t), cap));
  for (u32 t = 0; t < count; t++) most = z[t] > most ? z[t] : most;
  return most;
}

/* o += e[t] v_t for `count` positions in their order, for `vectors` vectors of the head. */
INLINE void mix(const int vectors, const float *e, const float *v, u32 width, u32 count, float *out) {
  floats o[8];
  UNROLL for (int i = 0; i < vectors; i++) o[i] = load(out + i * WIDTH);
  for (const float *end = e + count; e < end; e++, v += width) {
    const floats weight = all(*e);
    PIN(v);
    UNROLL for (int i = 0; i < vectors; i++) o[i] = o[i] + weight * load(v + i * WIDTH);
  }
  UNROLL for (int i = 0; i < vectors; i++) store(out + i * WIDTH, o[i]);
}

static inline void mix_positions(const float *e, const float *values, u32 width, u32 count, float *out) {
  /* Eight sums hide the latency of an addition; heads are multiples of 16. */
  u32 from = 0;
  for (; WIDTH > 4 && from + 8 * WIDTH <= width; from += 8 * WIDTH) mix(8, e, values + from, width, count, out + from);
  for (; from + 32 <= width; from += 32) mix(32 / WIDTH, e, values + from, width, count, out + from);
  if (from < width) mix(16 / WIDTH, e, values + from, width, count, out + from);
}

struct attention {
  const float *queries;    /* (heads, width) */
  float *const *pages;    /* of this layer */
  u32 shared_head;         /* whose keys and values are taken */
  u32 heads, width;
  u32 first, count;        /* positions that are seen */
  float factor, cap; /* cap 0: none */
  float *scores; /* (heads, scores_width >= count + 15), scratch */
  u32 scores_width;
};

/* Positions from the t-th on that lie in one page. */
static inline u32 run_of(const struct attention *a, u32 t) {
  return at_most(a->count - t, PAGE_POSITIONS - (a->first + t) % PAGE_POSITIONS);
}

/* Keys (0) or values (1) of the t-th position. */
static inline const float *cached(const struct attention *a, u32 t, u32 kind) {
  return at_position(a->pages, a->first + t, 2 * a->shared_head + kind, a->width);
}

/* mixed (heads, width). Returns 0 when a score is not finite. */
NOINLINE int attend(const struct attention *a, float *mixed) {
  const u32 width = a->width;
  struct extremes seen[TASK_HEADS];
  float total[TASK_HEADS];
  for (u32 h = 0; h < a->heads; h++) seen[h] = (struct extremes){f4_of(-__builtin_inff()), {0}};
  for (u32 t = 0, run; t < a->count; t += run) {
    const float *keys = cached(a, t, 0);
    run = run_of(a, t);
    for (u32 h = 0; h < a->heads; h++)
      score_positions(a->queries + h * width, keys, width, run, a->factor, a->scores + h * a->scores_width + t, &seen[h]);
  }
  for (u32 h = 0; h < a->heads; h++) {
    if (lanes_max(seen[h].magnitude) >= 0x7f800000u) return 0;
    float *scores = a->scores + h * a->scores_width;
    const float most = a->cap == 0 ? largest_lane(seen[h].most) : cap_scores(scores, a->count, a->cap);
    total[h] = weigh(scores, a->count, most);
  }
  for (u32 i = 0; i < a->heads * width; i += 4) store4(mixed + i, f4_of(0));
  for (u32 t = 0, run; t < a->count; t += run) {
    const float *values = cached(a, t, 1);
    run = run_of(a, t);
    for (u32 h = 0; h < a->heads; h++)
      mix_positions(a->scores + h * a->scores_width + t, values, width, run, mixed + h * width);
  }
  for (u32 h = 0; h < a->heads; h++)
    for (u32 i = h * width; i < (h + 1) * width; i += 4) store4(mixed + i, load4(mixed + i) / f4_of(total[h]));
  return 1;
}

#endif
