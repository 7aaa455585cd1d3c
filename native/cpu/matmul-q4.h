/*
 * y = W x for q4 weights: docs/spec/numerics.md §5. Layout of one unit: runs of Q4_RUN groups (the last may have fewer), each
 * the multipliers of Q4_RUN groups (groups, UNIT rows) and then the nibbles of its groups, so that a unit is one stream of
 * memory. Nibbles of a group: (PARTS, 4 vectors, WIDTH rows, 4 bytes); byte j of vector v of a row holds elements 4v+j and
 * 16+4v+j in its halves.
 *
 * A nibble is 0..15, and two products (2 * 127 * 15) cannot saturate. The +8 of the nibbles is removed by starting at
 * -8 * (sum of mantissas): after any prefix of a group, a 16-bit half holds sum (nibble - 8) m of the part read plus -8 m of
 * the rest, 16 elements of magnitude <= 8 * 127. One product with (multiplier << exponent) then ends the group.
 */
#ifndef EXACT1_CPU_MATMUL_Q4_H
#define EXACT1_CPU_MATMUL_Q4_H

#include "../narrow.h"
#include "layout.h"
#include "totals.h"

_Static_assert(16 * 127 * 8 < 0x8000, "a 16-bit half holds half a group");
_Static_assert(32 * 127 * 8 < 0x8000, "a group is 16 bits");
_Static_assert(63 << 7 < 0x8000, "a multiplier with its exponent is 16 bits");
_Static_assert((int64_t)Q4_RUN * (32 * 127 * 8) * (63 << 7) < 0x80000000LL, "a 32-bit lane holds one run");

/* Bytes from what is read to what is asked for: tuned on one Zen 3 core. */
enum { Q4_AHEAD = 2048 };

/* Tokens whose sums stay in registers beside a group's nibbles. */
enum { Q4_FEW = 4 };

/* `few` tokens, a constant of at most Q4_FEW, one after the other in x; total (few, UNITS_MAX * UNIT). Nibbles are unpacked once for all. */
INLINE void unit_q4_few(const struct matrix *m, u32 unit, const u8 *x, size_t stride, const u32 few, double *total) {
  const u32 groups = m->width / GROUP;
  const u8 *run = m->data + unit * q4_unit_bytes(groups);
  UNROLL for (u32 t = 0; t < few; t++) UNROLL for (int r = 0; r < UNIT; r++) total[t * UNITS_MAX * UNIT + r] = 0;
  for (u32 start = 0; start < groups; start += Q4_RUN) {
    const u32 count = at_most(groups - start, Q4_RUN);
    const u8 *w = run + Q4_RUN * UNIT;
    ints sums[Q4_FEW][PARTS];
    UNROLL for (u32 t = 0; t < few; t++) UNROLL for (int p = 0; p < PARTS; p++) sums[t][p] = all_int(0);
    for (u32 g = 0; g < count; g++, w += 16 * UNIT, x += stride) {
      UNROLL for (int line = 0; line < 16 * UNIT; line += 64) __builtin_prefetch(w + Q4_AHEAD + line);
      UNROLL for (int p = 0; p < PARTS; p++) {
        ints low[4], high[4];
        UNROLL for (int v = 0; v < 4; v++) {
          const ints bytes = LOAD(ints, w + p * 16 * WIDTH + v * 4 * WIDTH);
          low[v] = low_nibbles(bytes);
          high[v] = high_nibbles(bytes);
        }
        const ints multipliers = lane_multipliers(run + g * UNIT + p * WIDTH);
        UNROLL for (u32 t = 0; t < few; t++) {
          const u8 *own = x + t * NARROW_GROUP;
          ints a = spread(own + NARROW_START);
          UNROLL for (int v = 0; v < 4; v++) {
            a = add_dots(a, spread(own + 4 * v), low[v]);
            PIN_LANES(a);
            a = add_dots(a, spread(own + 16 + 4 * v), high[v]);
            PIN_LANES(a);
          }
          sums[t][p] = end_group(sums[t][p], a, times_halves(multipliers, spread(own + NARROW_POWER)));
        }
      }
    }
    UNROLL for (u32 t = 0; t < few; t++)
      UNROLL for (int p = 0; p < PARTS; p++) widen_run(total + t * UNITS_MAX * UNIT + p * WIDTH, sums[t][p]);
    run = w;
  }
}

NOINLINE void unit_q4_one(const struct matrix *m, u32 unit, const u8 *x, size_t stride, double *total) {
  unit_q4_few(m, unit, x, stride, 1, total);
}
NOINLINE void unit_q4_two(const struct matrix *m, u32 unit, const u8 *x, size_t stride, double *total) {
  unit_q4_few(m, unit, x, stride, 2, total);
}
NOINLINE void unit_q4_three(const struct matrix *m, u32 unit, const u8 *x, size_t stride, double *total) {
  unit_q4_few(m, unit, x, stride, 3, total);
}
NOINLINE void unit_q4_four(const struct matrix *m, u32 unit, const u8 *x, size_t stride, double *total) {
  unit_q4_few(m, unit, x, stride, 4, total);
}

/* One group of one vector of rows for all tokens: its nibbles stay in registers, sums (tokens) in the first cache. */
NOINLINE void group_q4(const u8 *w, const u8 *multiplier_bytes, const u8 *x, u32 tokens, ints *sums) {
  ints low[4], high[4];
  UNROLL for (int v = 0; v < 4; v++) {
    const ints bytes = LOAD(ints, w + v * 4 * WIDTH);
    low[v] = low_nibbles(bytes);
    high[v] = high_nibbles(bytes);
  }
  const ints multipliers = lane_multipliers(multiplier_bytes);
  for (const ints *end = sums + tokens; sums < end; sums++, x += NARROW_GROUP) {
    ints a = spread(x + NARROW_START);
    UNROLL for (int v = 0; v < 4; v++) a = add_dots(a, spread(x + 4 * v), low[v]);
    UNROLL for (int v = 0; v < 4; v++) a = add_dots(a, spread(x + 16 + 4 * v), high[v]);
    *sums = end_group(*sums, a, times_halves(multipliers, spread(x + NARROW_POWER)));
  }
}

/* Totals (tokens, UNITS_MAX * UNIT) of `count` units: a group of all units is read while its mantissas are at hand. */
NOINLINE void units_q4_many(const struct matrix *m, u32 unit, u32 count, const u8 *x, u32 tokens, double *total) {
  const u32 groups = m->width / GROUP;
  const size_t unit_bytes = q4_unit_bytes(groups);
  const u8 *run = m->data + unit * unit_bytes;
  ints sums[UNITS_MAX * PARTS][ROWS_MAX];
  __builtin_memset(total, 0, tokens * UNITS_MAX * UNIT * sizeof *total);
  for (u32 start = 0; start < groups; start += Q4_RUN) {
    const u32 here = at_most(groups - start, Q4_RUN);
    for (u32 p = 0; p < count * PARTS; p++) __builtin_memset(sums[p], 0, tokens * sizeof(ints));
    for (u32 g = 0; g < here; g++, x += tokens * NARROW_GROUP)
      for (u32 i = 0; i < count; i++) {
        const u8 *multipliers = run + i * unit_bytes + g * UNIT;
        const u8 *w = run + i * unit_bytes + Q4_RUN * UNIT + g * 16 * UNIT;
        UNROLL for (int line = 0; line < 16 * UNIT; line += 64) __builtin_prefetch(w + Q4_AHEAD + line);
        for (u32 p = 0; p < PARTS; p++)
          group_q4(w + p * 16 * WIDTH, multipliers + p * WIDTH, x, tokens, sums[i * PARTS + p]);
      }
    for (u32 t = 0; t < tokens; t++)
      for (u32 p = 0; p < count * PARTS; p++) widen_run(total + t * UNITS_MAX * UNIT + p * WIDTH, sums[p][t]);
    run += Q4_RUN * UNIT + here * 16 * UNIT;
  }
}

/* Up to here a unit is read once for each Q4_FEW tokens, after the first ones from the nearest caches: 8 rows of the 1.1B shape took 70 ms, 30 since. */
enum { Q4_SOME = 8 };

/* Totals as of units_q4_many. */
NOINLINE void unit_q4_some(const struct matrix *m, u32 unit, const u8 *x, u32 tokens, double *total) {
  const size_t stride = (size_t)tokens * NARROW_GROUP;
  for (u32 t = 0; t < tokens; t += Q4_FEW, x += Q4_FEW * NARROW_GROUP, total += Q4_FEW * UNITS_MAX * UNIT) switch (tokens - t) {
      case 1: unit_q4_one(m, unit, x, stride, total); break;
      case 2: unit_q4_two(m, unit, x, stride, total); break;
      case 3: unit_q4_three(m, unit, x, stride, total); break;
      default: unit_q4_four(m, unit, x, stride, total);
    }
}

/* Rows of `count` units for all tokens; out is (tokens, stride). */
NOINLINE void units_q4(const struct matrix *m, u32 unit, u32 count, const struct operand *in, u32 tokens, float *out,
                       u32 stride) {
  double total[ROWS_MAX * UNITS_MAX * UNIT];
  if (tokens <= Q4_SOME)
    for (u32 i = 0; i < count; i++) unit_q4_some(m, unit + i, in->narrow, tokens, total + i * UNIT);
  else
    units_q4_many(m, unit, count, in->narrow, tokens, total);
  for (u32 t = 0; t < tokens; t++)
    for (u32 i = 0; i < count; i++)
      finish_unit(out + (size_t)t * stride + (unit + i) * UNIT, total + (t * UNITS_MAX + i) * UNIT,
                  m->scales + (unit + i) * UNIT, in->scales[t]);
}

#endif
