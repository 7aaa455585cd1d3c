/*
 * y = W x for q4 weights, in WebAssembly: docs/spec/numerics.md §5. Layout of one unit and group, 128 bytes: two quads of four rows, of
 * four vectors; vector v, 32-bit lane r: bytes 4v..4v+3 of that row's group, so that low nibbles are elements
 * 4v..4v+3 and high nibbles 16+4v..16+4v+3. Multipliers: (units, groups, 8 rows) bytes.
 *
 * A nibble is 0..15, the unsigned 7-bit operand with which the relaxed dot gives one result on every machine, and two
 * products (2 * 127 * 15) cannot saturate. The +8 of the nibbles is removed by starting at -8 * (sum of mantissas): after
 * any prefix of a group, a 16-bit lane holds sum (nibble - 8) m of the part read plus -8 m of the rest, 16 elements of
 * magnitude <= 8 * 127. One dot with (multiplier << exponent) then ends the group for four rows.
 *
 * Measured, one Zen 3 core at 3.1 GHz, V8 13.6: one token 34 multiply-adds per ns (18 bytes of weights per ns, what one
 * core reads from memory), 64 tokens 40; the same loop in C with 128-bit intrinsics 41 to 48. The product and the 16-bit
 * sum are two instructions for 16 multiply-adds, and V8 emits no wider vectors: this is the limit of prefill. Saturating
 * sums use the multiplier's ports and are slower. i32x4.relaxed_dot_i8x16_i7x16_add is one instruction where there is
 * AVX-VNNI or ARM dot product, but three here.
 */
#ifndef EXACT1_MATMUL_Q4_H
#define EXACT1_MATMUL_Q4_H

#include "exact1.h"
#include "matmul-q8.h"
#include "narrow.h"

/* Up to here unpacking a unit once per token, from the first cache, is faster than unpacking it to memory. */
enum { Q4_FEW = 4 };

/* Groups whose sums an i32 lane holds; then the sums go on in f64, where integers are exact up to 2^53. */
enum { Q4_RUN = 8 };
_Static_assert(16 * 127 * 8 < 0x8000, "a 16-bit lane holds half a group");
_Static_assert(63 << 7 < 0x8000, "a multiplier with its exponent is 16 bits");
_Static_assert((int64_t)Q4_RUN * (32 * 127 * 8) * (63 << 7) < 0x80000000LL, "an i32 lane holds one run");

static inline v128_t dot_nibbles(v128_t sums, v128_t mantissas, v128_t nibbles) {
  sums = wasm_i16x8_add(sums, wasm_i16x8_relaxed_dot_i8x16_i7x16(mantissas, nibbles));
  PIN_VECTOR(sums);
  return sums;
}

static inline v128_t low_nibbles(v128_t bytes) { return wasm_v128_and(bytes, wasm_i8x16_const_splat(15)); }
static inline v128_t high_nibbles(v128_t bytes) { return low_nibbles(wasm_u16x8_shr(bytes, 4)); }

/* Multipliers of the unit's eight rows times 2^exponent, each twice: rows 0..3 and rows 4..7. */
static inline v128_t powers_of(v128_t multipliers, const u8 *group) {
  return wasm_i16x8_mul(multipliers, wasm_v128_load32_splat(group + NARROW_POWER));
}
static inline v128_t first_quad(v128_t v) { return wasm_i16x8_shuffle(v, v, 0, 0, 1, 1, 2, 2, 3, 3); }
static inline v128_t second_quad(v128_t v) { return wasm_i16x8_shuffle(v, v, 4, 4, 5, 5, 6, 6, 7, 7); }

static inline v128_t low_f64(v128_t v) { return wasm_f64x2_convert_low_i32x4(v); }
static inline v128_t high_f64(v128_t v) { return wasm_f64x2_convert_low_i32x4(wasm_i32x4_shuffle(v, v, 2, 3, 2, 3)); }

/* Adds the run's sums of eight rows to their f64 totals, (8). */
static inline void widen_run(double *total, v128_t first, v128_t second) {
  store128(total, wasm_f64x2_add(load128(total), low_f64(first)));
  store128(total + 2, wasm_f64x2_add(load128(total + 2), high_f64(first)));
  store128(total + 4, wasm_f64x2_add(load128(total + 4), low_f64(second)));
  store128(total + 6, wasm_f64x2_add(load128(total + 6), high_f64(second)));
}

static inline void finish_unit(float *y, const double *total, const float *scales, float scale) {
  const v128_t wide = wasm_f64x2_splat((double)scale);
  UNROLL for (int r = 0; r < UNIT; r += 2) wasm_v128_store64_lane(y + r, finish2(load128(total + r), scales + r, wide), 0);
}

/* One token, its groups `stride` bytes apart: each nibble vector is used as it is unpacked. */
static __attribute__((noinline)) void unit_q4_one(const struct matrix *m, u32 unit, const u8 *x, u32 stride, double *total) {
  const u32 groups = m->width / GROUP;
  const u8 *w = m->data + unit * groups * 128;
  const u8 *multipliers = m->multipliers + unit * groups * UNIT;
  for (int r = 0; r < UNIT; r++) total[r] = 0;
  for (u32 start = 0; start < groups; start += Q4_RUN) {
    const u32 end = start + Q4_RUN < groups ? start + Q4_RUN : groups;
    v128_t first = wasm_i32x4_splat(0), second = first;
    for (u32 g = start; g < end; g++, w += 128, x += stride, multipliers += UNIT) {
      PIN(x);
      PIN(w);
      v128_t a = wasm_v128_load32_splat(x + NARROW_START), b = a;
      UNROLL for (int v = 0; v < 4; v++) {
        v128_t low = wasm_v128_load32_splat(x + 4 * v), high = wasm_v128_load32_splat(x + 16 + 4 * v);
        v128_t wa = load128(w + 16 * v), wb = load128(w + 64 + 16 * v);
        a = dot_nibbles(dot_nibbles(a, low, low_nibbles(wa)), high, high_nibbles(wa));
        b = dot_nibbles(dot_nibbles(b, low, low_nibbles(wb)), high, high_nibbles(wb));
      }
      v128_t powers = powers_of(wasm_u16x8_load8x8(multipliers), x);
      first = wasm_i32x4_add(first, wasm_i32x4_dot_i16x8(a, first_quad(powers)));
      second = wasm_i32x4_add(second, wasm_i32x4_dot_i16x8(b, second_quad(powers)));
    }
    widen_run(total, first, second);
  }
}

/* One group of four rows, unpacked: nibbles of elements 4v.. and 16+4v.. for v = 0..3, multipliers twice each. */
struct quad {
  v128_t low[4], high[4];
  v128_t multipliers;
};

/* One group of many rows, unpacked once for all tokens. */
struct unpacked {
  struct quad quads[2 * UNITS_MAX];
};

static inline void unpack_group(struct unpacked *to, const struct matrix *m, u32 unit, u32 count, u32 group) {
  const u32 groups = m->width / GROUP;
  for (u32 i = 0; i < count; i++) {
    const u32 at = (unit + i) * groups + group;
    const u8 *w = m->data + at * 128;
    const v128_t multipliers = wasm_u16x8_load8x8(m->multipliers + at * UNIT);
    to->quads[2 * i].multipliers = first_quad(multipliers);
    to->quads[2 * i + 1].multipliers = second_quad(multipliers);
    for (int half = 0; half < 2; half++)
      for (int v = 0; v < 4; v++) {
        const v128_t bytes = load128(w + half * 64 + v * 16);
        to->quads[2 * i + half].low[v] = low_nibbles(bytes);
        to->quads[2 * i + half].high[v] = high_nibbles(bytes);
      }
  }
}

/*
 * One group of one token against `count` quads; lanes (count) of four i32. The token's mantissas stay in registers, each
 * four of them in all lanes: V8 spends two instructions on every load with a splat, and none on the rest of this loop
 * that is not in the source.
 */
static __attribute__((noinline)) void group_q4(const struct quad *quad, const u8 *x, u32 count, v128_t *lanes) {
  const v128_t start = wasm_v128_load32_splat(x + NARROW_START), power = wasm_v128_load32_splat(x + NARROW_POWER);
  const v128_t low0 = wasm_v128_load32_splat(x), low1 = wasm_v128_load32_splat(x + 4);
  const v128_t low2 = wasm_v128_load32_splat(x + 8), low3 = wasm_v128_load32_splat(x + 12);
  const v128_t high0 = wasm_v128_load32_splat(x + 16), high1 = wasm_v128_load32_splat(x + 20);
  const v128_t high2 = wasm_v128_load32_splat(x + 24), high3 = wasm_v128_load32_splat(x + 28);
  for (const v128_t *end = lanes + count; lanes < end; lanes++, quad++) {
    PIN(quad);
    v128_t a = dot_nibbles(start, low0, quad->low[0]);
    a = dot_nibbles(a, low1, quad->low[1]);
    a = dot_nibbles(a, low2, quad->low[2]);
    a = dot_nibbles(a, low3, quad->low[3]);
    a = dot_nibbles(a, high0, quad->high[0]);
    a = dot_nibbles(a, high1, quad->high[1]);
    a = dot_nibbles(a, high2, quad->high[2]);
    a = dot_nibbles(a, high3, quad->high[3]);
    *lanes = wasm_i32x4_add(*lanes, wasm_i32x4_dot_i16x8(a, wasm_i16x8_mul(quad->multipliers, power)));
  }
}

/* Totals (tokens, UNITS_MAX * 8) of `count` units. */
static __attribute__((noinline)) void units_q4_many(const struct matrix *m, u32 unit, u32 count, const u8 *x, u32 tokens,
                                                    double *total) {
  const u32 groups = m->width / GROUP;
  struct unpacked group;
  v128_t lanes[ROWS_MAX][2 * UNITS_MAX];
  for (u32 i = 0; i < tokens * UNITS_MAX * UNIT; i++) total[i] = 0;
  for (u32 start = 0; start < groups; start += Q4_RUN) {
    const u32 end = start + Q4_RUN < groups ? start + Q4_RUN : groups;
    for (u32 t = 0; t < tokens; t++)
      for (u32 i = 0; i < 2 * count; i++) lanes[t][i] = wasm_i32x4_splat(0);
    for (u32 g = start; g < end; g++) {
      unpack_group(&group, m, unit, count, g);
      for (u32 t = 0; t < tokens; t++) group_q4(group.quads, x + (g * tokens + t) * NARROW_GROUP, 2 * count, lanes[t]);
    }
    for (u32 t = 0; t < tokens; t++)
      for (u32 i = 0; i < count; i++) widen_run(total + (t * UNITS_MAX + i) * UNIT, lanes[t][2 * i], lanes[t][2 * i + 1]);
  }
}

/* Rows of `count` units for all tokens; out is (tokens, stride). */
static void units_q4(const struct matrix *m, u32 unit, u32 count, const struct operand *in, u32 tokens, float *out,
                     u32 stride) {
  double total[ROWS_MAX * UNITS_MAX * UNIT];
  if (tokens <= Q4_FEW) {
    for (u32 i = 0; i < count; i++)
      for (u32 t = 0; t < tokens; t++)
        unit_q4_one(m, unit + i, in->narrow + t * NARROW_GROUP, tokens * NARROW_GROUP, total + (t * UNITS_MAX + i) * UNIT);
  } else {
    units_q4_many(m, unit, count, in->narrow, tokens, total);
  }
  for (u32 t = 0; t < tokens; t++)
    for (u32 i = 0; i < count; i++)
      finish_unit(out + t * stride + (unit + i) * UNIT, total + (t * UNITS_MAX + i) * UNIT, m->scales + (unit + i) * UNIT,
                  in->scales[t]);
}

#endif
