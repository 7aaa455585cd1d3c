/*
 * y = W x for q8 weights: docs/spec/numerics.md §5. Layout of one unit: (width / Q8_DEEP, UNIT rows, Q8_DEEP) int8, with
 * Q8_DEEP neighbours of a row in one lane: four mantissas with a dot instruction, else two 16-bit activations.
 */
#ifndef EXACT1_CPU_MATMUL_Q8_H
#define EXACT1_CPU_MATMUL_Q8_H

#include "../narrow.h"
#include "layout.h"
#include "totals.h"

enum { Q8_DEEP = SUMS_OF_FOUR ? 4 : 2 };

/* Columns of one row whose products a 32-bit lane holds; then the sums go on in f64. */
enum { Q8_RUN = 1024 };
_Static_assert((int64_t)Q8_RUN * 127 * 16256 < 0x80000000LL, "a 32-bit lane holds one run");

/* Bytes from what is read to what is asked for: tuned on one Zen 3 core. */
enum { Q8_AHEAD = 2048 };

/* Units and tokens of one tile: as many sums as registers hold beside their operands. */
enum { TILE_UNITS = WIDTH == UNIT ? 2 : 1, TILE_TOKENS = 4 };

struct tile_q8 {
  const u8 *w; /* of the first unit, at the first column of the run */
  size_t unit_bytes;
  const struct operand *in;
  u32 tokens, token, column, columns;
  double *total; /* (tokens, UNITS_MAX * UNIT), of the first unit */
};

#if SUMS_OF_FOUR

/* One group of one vector of rows; the exponent of the group is applied to its sum. */
INLINE ints group_sums_q8(const u8 *w, const u8 *x) {
  ints sums = spread(x + NARROW_START_Q8);
  UNROLL for (int v = 0; v < 8; v++) sums = add_dots(sums, spread(x + 4 * v), LOAD(ints, w + v * 4 * UNIT));
  return sums * spread(x + NARROW_POWER);
}

INLINE void tile_q8(const int units, const int tokens, const struct tile_q8 *tile) {
  ints sums[2 * TILE_TOKENS * PARTS];
  UNROLL for (int i = 0; i < units * tokens * PARTS; i++) sums[i] = all_int(0);
  const u8 *w = tile->w;
  const u8 *x = tile->in->narrow + ((size_t)(tile->column / GROUP) * tile->tokens + tile->token) * NARROW_GROUP;
  for (u32 k = 0; k < tile->columns; k += GROUP, w += GROUP * UNIT, x += tile->tokens * NARROW_GROUP) {
    if (tile->token == 0)
      UNROLL for (int u = 0; u < units; u++)
        UNROLL for (int line = 0; line < GROUP * UNIT; line += 64) __builtin_prefetch(w + u * tile->unit_bytes + Q8_AHEAD + line);
    UNROLL for (int u = 0; u < units; u++)
      UNROLL for (int p = 0; p < PARTS; p++)
        UNROLL for (int t = 0; t < tokens; t++)
          sums[(u * PARTS + p) * tokens + t] +=
              group_sums_q8(w + u * tile->unit_bytes + p * 4 * WIDTH, x + t * NARROW_GROUP);
  }
  UNROLL for (int u = 0; u < units; u++)
    UNROLL for (int p = 0; p < PARTS; p++)
      UNROLL for (int t = 0; t < tokens; t++)
        widen_run(tile->total + (size_t)(tile->token + t) * UNITS_MAX * UNIT + u * UNIT + p * WIDTH,
                  sums[(u * PARTS + p) * tokens + t]);
}

#else

INLINE void tile_q8(const int units, const int tokens, const struct tile_q8 *tile) {
  ints sums[2 * TILE_TOKENS * PARTS];
  UNROLL for (int i = 0; i < units * tokens * PARTS; i++) sums[i] = all_int(0);
  const u8 *w = tile->w;
  const i16 *x = tile->in->wide + ((size_t)(tile->column / 16) * tile->tokens + tile->token) * 16;
  for (u32 k = 0; k < tile->columns; k += 16, w += 16 * UNIT, x += tile->tokens * 16) {
    if (tile->token == 0)
      UNROLL for (int u = 0; u < units; u++)
        UNROLL for (int line = 0; line < 16 * UNIT; line += 64) __builtin_prefetch(w + u * tile->unit_bytes + Q8_AHEAD + line);
    UNROLL for (int pair = 0; pair < 8; pair++)
      UNROLL for (int p = 0; p < PARTS; p++) {
        ints weights[2];
        UNROLL for (int u = 0; u < units; u++)
          weights[u] = widen_bytes(w + u * tile->unit_bytes + pair * 2 * UNIT + p * 2 * WIDTH);
        UNROLL for (int t = 0; t < tokens; t++) {
          const ints value = spread(x + t * 16 + pair * 2);
          UNROLL for (int u = 0; u < units; u++) {
            ints *sum = &sums[(u * PARTS + p) * tokens + t];
            *sum = add_pairs(*sum, weights[u], value);
            PIN_LANES(*sum);
          }
        }
      }
  }
  UNROLL for (int u = 0; u < units; u++)
    UNROLL for (int p = 0; p < PARTS; p++)
      UNROLL for (int t = 0; t < tokens; t++)
        widen_run(tile->total + (size_t)(tile->token + t) * UNITS_MAX * UNIT + u * UNIT + p * WIDTH,
                  sums[(u * PARTS + p) * tokens + t]);
}

#endif

/* Compiled once for each size of tile. */
NOINLINE void tile_q8_full(const struct tile_q8 *tile) { tile_q8(TILE_UNITS, TILE_TOKENS, tile); }
NOINLINE void tile_q8_half(const struct tile_q8 *tile) { tile_q8(TILE_UNITS, TILE_TOKENS / 2, tile); }
NOINLINE void tile_q8_unit(const struct tile_q8 *tile) { tile_q8(1, TILE_TOKENS, tile); }
NOINLINE void tile_q8_one(const struct tile_q8 *tile) { tile_q8(1, 1, tile); }

/* All tokens for the units of one tile and one run of columns. */
static inline void run_q8(struct tile_q8 tile, u32 units) {
  for (u32 tokens; tile.token < tile.tokens; tile.token += tokens) {
    const u32 left = tile.tokens - tile.token;
    if (left >= TILE_TOKENS) {
      tokens = TILE_TOKENS;
      if (units == TILE_UNITS) tile_q8_full(&tile);
      else tile_q8_unit(&tile);
    } else if (left >= TILE_TOKENS / 2 && units == TILE_UNITS) {
      tokens = TILE_TOKENS / 2;
      tile_q8_half(&tile);
    } else {
      tokens = 1;
      struct tile_q8 one = tile;
      for (u32 u = 0; u < units; u++, one.w += one.unit_bytes, one.total += UNIT) tile_q8_one(&one);
    }
  }
}

/* Rows of `count` units for all tokens; out is (tokens, stride). */
NOINLINE void units_q8(const struct matrix *m, u32 unit, u32 count, const struct operand *in, u32 tokens, float *out,
                       u32 stride) {
  double total[ROWS_MAX * UNITS_MAX * UNIT];
  const size_t unit_bytes = (size_t)UNIT * m->width;
  __builtin_memset(total, 0, tokens * UNITS_MAX * UNIT * sizeof *total);
  for (u32 i = 0, units; i < count; i += units) {
    units = at_most(count - i, TILE_UNITS);
    struct tile_q8 tile = {.w = m->data + (unit + i) * unit_bytes, .unit_bytes = unit_bytes, .in = in, .tokens = tokens,
                           .total = total + i * UNIT};
    for (; tile.column < m->width; tile.column += Q8_RUN, tile.w += Q8_RUN * UNIT) {
      tile.columns = at_most(m->width - tile.column, Q8_RUN);
      run_q8(tile, units);
    }
  }
  for (u32 t = 0; t < tokens; t++)
    for (u32 i = 0; i < count; i++)
      finish_unit(out + (size_t)t * stride + (unit + i) * UNIT, total + (t * UNITS_MAX + i) * UNIT,
                  m->scales + (unit + i) * UNIT, in->scales[t]);
}

#endif
