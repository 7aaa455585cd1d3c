/*
 * y = W x for q4 weights: docs/spec/numerics.md §5. Layout of one unit and group, 128 bytes: two quads of four rows, of
 * four vectors; vector v, 32-bit lane r: bytes 4v..4v+3 of that row's group, so that low nibbles are elements
 * 4v..4v+3 and high nibbles 16+4v..16+4v+3. Multipliers: (units, groups, 8 rows) bytes.
 *
 * A nibble is 0..15, the unsigned 7-bit operand with which the relaxed dot gives one result on every machine, and two
 * products (2 * 127 * 15) cannot saturate. The +8 of the nibbles is removed by starting at -8 * (sum of mantissas): after
 * any prefix of a group, a 16-bit lane holds sum (nibble - 8) m of the part read plus -8 m of the rest, 16 elements of
 * magnitude <= 8 * 127. One dot with (multiplier << exponent) then ends the group for four rows.
 */
#ifndef EXACT1_MATMUL_Q4_H
#define EXACT1_MATMUL_Q4_H

#include "exact1.h"
#include "matmul-q8.h"
#include "quantize.h"

/* Groups whose sums an i32 lane holds; then the sums go on in f64, where integers are exact up to 2^53. */
enum { Q4_RUN = 8 };
_Static_assert(16 * 127 * 8 < 0x8000, "a 16-bit lane holds half a group");
_Static_assert(63 << 7 < 0x8000, "a multiplier with its exponent is 16 bits");
_Static_assert((int64_t)Q4_RUN * (32 * 127 * 8) * (63 << 7) < 0x80000000LL, "an i32 lane holds one run");

static inline v128_t dot_nibbles(v128_t sums, v128_t mantissas, v128_t nibbles) {
  return wasm_i16x8_add(sums, wasm_i16x8_relaxed_dot_i8x16_i7x16(mantissas, nibbles));
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
  store(total, wasm_f64x2_add(load(total), low_f64(first)));
  store(total + 2, wasm_f64x2_add(load(total + 2), high_f64(first)));
  store(total + 4, wasm_f64x2_add(load(total + 4), low_f64(second)));
  store(total + 6, wasm_f64x2_add(load(total + 6), high_f64(second)));
}

static inline void finish_unit(float *y, const double *total, const float *scales, float scale) {
  for (int r = 0; r < UNIT; r++) y[r] = (float)(total[r] * (double)scales[r] * (double)scale);
}

/* One token: each nibble vector is used as it is unpacked. */
static __attribute__((noinline)) void unit_q4_one(const struct matrix *m, u32 unit, const u8 *x, double *total) {
  const u32 groups = m->width / GROUP;
  const u8 *w = m->data + unit * groups * 128;
  const u8 *multipliers = m->multipliers + unit * groups * UNIT;
  for (int r = 0; r < UNIT; r++) total[r] = 0;
  for (u32 start = 0; start < groups; start += Q4_RUN) {
    const u32 end = start + Q4_RUN < groups ? start + Q4_RUN : groups;
    v128_t first = wasm_i32x4_splat(0), second = first;
    for (u32 g = start; g < end; g++, w += 128, x += NARROW_GROUP, multipliers += UNIT) {
      v128_t a = wasm_v128_load32_splat(x + NARROW_START), b = a;
      _Pragma("unroll") for (int v = 0; v < 4; v++) {
        v128_t low = wasm_v128_load32_splat(x + 4 * v), high = wasm_v128_load32_splat(x + 16 + 4 * v);
        v128_t wa = load(w + 16 * v), wb = load(w + 64 + 16 * v);
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

/* A run of groups of one unit, unpacked: vectors in the order in which the dots below take them. */
struct unpacked_run {
  v128_t nibbles[Q4_RUN][8][2]; /* (group, low v0, high v0, low v1, …, quad) */
  v128_t multipliers[Q4_RUN];   /* eight 16-bit */
};

static inline void unpack_run(struct unpacked_run *to, const u8 *w, const u8 *multipliers, u32 groups) {
  for (u32 g = 0; g < groups; g++) {
    for (int v = 0; v < 4; v++)
      for (int quad = 0; quad < 2; quad++) {
        v128_t bytes = load(w + g * 128 + quad * 64 + v * 16);
        to->nibbles[g][2 * v][quad] = low_nibbles(bytes);
        to->nibbles[g][2 * v + 1][quad] = high_nibbles(bytes);
      }
    to->multipliers[g] = wasm_u16x8_load8x8(multipliers + g * UNIT);
  }
}

#define RUN_Q4(TOKENS)                                                                                        \
  do {                                                                                                        \
    v128_t first[TOKENS], second[TOKENS];                                                                     \
    for (int t = 0; t < TOKENS; t++) first[t] = second[t] = wasm_i32x4_splat(0);                              \
    for (u32 g = 0; g < groups; g++) {                                                                        \
      const u8 *at[TOKENS];                                                                                   \
      v128_t a[TOKENS], b[TOKENS];                                                                            \
      _Pragma("unroll") for (int t = 0; t < TOKENS; t++) {                                                    \
        at[t] = x + t * stride + g * NARROW_GROUP;                                                            \
        a[t] = b[t] = wasm_v128_load32_splat(at[t] + NARROW_START);                                           \
      }                                                                                                       \
      _Pragma("unroll") for (int v = 0; v < 8; v++) {                                                         \
        v128_t wa = run->nibbles[g][v][0], wb = run->nibbles[g][v][1];                                        \
        _Pragma("unroll") for (int t = 0; t < TOKENS; t++) {                                                  \
          v128_t value = wasm_v128_load32_splat(at[t] + (v & 1) * 16 + (v >> 1) * 4);                         \
          a[t] = dot_nibbles(a[t], value, wa);                                                                \
          b[t] = dot_nibbles(b[t], value, wb);                                                                \
        }                                                                                                     \
      }                                                                                                       \
      _Pragma("unroll") for (int t = 0; t < TOKENS; t++) {                                                    \
        v128_t powers = powers_of(run->multipliers[g], at[t]);                                                \
        first[t] = wasm_i32x4_add(first[t], wasm_i32x4_dot_i16x8(a[t], first_quad(powers)));                  \
        second[t] = wasm_i32x4_add(second[t], wasm_i32x4_dot_i16x8(b[t], second_quad(powers)));               \
      }                                                                                                       \
    }                                                                                                         \
    for (int t = 0; t < TOKENS; t++) widen_run(total + t * UNIT, first[t], second[t]);                        \
  } while (0)

/* One run for all tokens. x is (tokens, stride) bytes from the run's first group; total is (tokens, 8). */
static __attribute__((noinline)) void run_q4(const struct unpacked_run *run, u32 groups, const u8 *x, u32 stride,
                                             u32 tokens, double *total) {
  u32 token = 0;
  for (; token + 2 <= tokens; token += 2, x += 2 * stride, total += 2 * UNIT) RUN_Q4(2);
  if (token < tokens) RUN_Q4(1);
}

/* Rows of `unit` for all tokens; out is (tokens, stride). Weights are read and unpacked once for all tokens. */
static void unit_q4(const struct matrix *m, u32 unit, const struct operand *in, u32 tokens, float *out, u32 stride) {
  const u32 groups = m->width / GROUP;
  double total[ROWS_MAX * UNIT];
  if (tokens == 1) {
    unit_q4_one(m, unit, in->narrow, total);
  } else {
    struct unpacked_run run;
    for (u32 i = 0; i < tokens * UNIT; i++) total[i] = 0;
    for (u32 start = 0; start < groups; start += Q4_RUN) {
      const u32 count = start + Q4_RUN < groups ? Q4_RUN : groups - start;
      const u32 at = unit * groups + start;
      unpack_run(&run, m->data + at * 128, m->multipliers + at * UNIT, count);
      run_q4(&run, count, in->narrow + start * NARROW_GROUP, groups * NARROW_GROUP, tokens, total);
    }
  }
  for (u32 t = 0; t < tokens; t++)
    finish_unit(out + t * stride + unit * UNIT, total + t * UNIT, m->scales + unit * UNIT, in->scales[t]);
}

#endif
