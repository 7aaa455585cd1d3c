/*
 * One group of 32 mantissas as the products read it, NARROW_GROUP bytes: 32 mantissas (8 bits); two 16-bit starting sums,
 * -8 * (sum of mantissas with k mod 4 in {0, 1}) and the same for {2, 3}, which remove the +8 of the nibbles of q4;
 * 2^exponent twice, 16 bits each. Products whose instruction sums four products into 32 bits (SUMS_OF_FOUR) have both
 * starting sums in one, 2^exponent once, and a second start that removes the +128 of q8 weights.
 */
#ifndef EXACT1_NARROW_H
#define EXACT1_NARROW_H

#include "exact1.h"

#if !defined(SUMS_OF_FOUR)
#define SUMS_OF_FOUR 0
#endif

/* Formats, as bits 1 << FORMAT_*, whose products read which form. */
#if SUMS_OF_FOUR
enum { WIDE_FORMATS = 0, NARROW_FORMATS = 1 << FORMAT_Q4 | 1 << FORMAT_Q8, NARROW_GROUP = 48 };
#else
enum { WIDE_FORMATS = 1 << FORMAT_Q8, NARROW_FORMATS = 1 << FORMAT_Q4, NARROW_GROUP = 40 };
#endif
enum { NARROW_START = 32, NARROW_POWER = 36, NARROW_START_Q8 = 40 };

/* sums: of mantissas with k mod 4 = 0 .. 3. |sum of all| <= 32 * 127, of half <= 16 * 127: times 8 it is 16256. */
INLINE void store_narrow(u8 *at, b16 low, b16 high, u32 exponent, i4 sums) {
  STORE(at, low);
  STORE(at + 16, high);
  const i32 first = sums[0] + sums[1], second = sums[2] + sums[3];
#if SUMS_OF_FOUR
  STORE(at + NARROW_START, -8 * (first + second));
  STORE(at + NARROW_POWER, 1u << exponent);
  STORE(at + NARROW_START_Q8, Q8_START(first + second));
#else
  STORE(at + NARROW_START, ((u32)(-8 * first) & 0xffffu) | (u32)(-8 * second) << 16);
  STORE(at + NARROW_POWER, 0x00010001u << exponent);
#endif
}

#endif
