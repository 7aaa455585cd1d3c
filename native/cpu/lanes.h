/*
 * The integer operations of the products in lanes of 32 bits, for the instructions that this file is compiled for. Either
 * two sums of two 8-bit products per lane, 16 bits each, or, where there is an instruction for it (SUMS_OF_FOUR), one sum
 * of four in 32 bits. Nothing here saturates or wraps within the bounds that matmul-*.h state.
 */
#ifndef EXACT1_LANES_H
#define EXACT1_LANES_H

#include "../vector.h"

#if !defined(SUMS_OF_FOUR)
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__) || (defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD))
#define SUMS_OF_FOUR 1
#else
#define SUMS_OF_FOUR 0
#endif
#endif

/* q8 weights that the dot instruction takes unsigned are stored with 128 added; the starting sums remove it. */
#if SUMS_OF_FOUR && !defined(__aarch64__)
enum { Q8_FLIP = 0x80 };
#define Q8_START(sum) (-128 * (sum))
#else
enum { Q8_FLIP = 0 };
#define Q8_START(sum) (0 * (sum))
#endif

typedef i16 halves __attribute__((vector_size(4 * WIDTH)));
typedef i8 few_bytes __attribute__((vector_size(2 * WIDTH)));
typedef u8 lane_bytes __attribute__((vector_size(WIDTH)));

/*
 * Keeps a sum where the source computes it. Left alone, compilers reassociate sums of integers, so that all products of a
 * step are alive at once, and spill them.
 */
#if defined(__AVX512F__)
#define PIN_LANES(value) __asm__("" : "+v"(value))
#elif defined(__SSE2__) && WIDTH <= 8 && (WIDTH == 4 || defined(__AVX__))
#define PIN_LANES(value) __asm__("" : "+x"(value))
#elif defined(__aarch64__) && WIDTH == 4
#define PIN_LANES(value) __asm__("" : "+w"(value))
#else
#define PIN_LANES(value) (void)(value)
#endif

/* Four bytes in every lane. */
INLINE ints spread(const void *at) { return all_int(LOAD(i32, at)); }

INLINE ints low_nibbles(ints bytes) { return bytes & all_int(0x0f0f0f0f); }
INLINE ints high_nibbles(ints bytes) { return (bytes >> 4) & all_int(0x0f0f0f0f); }

/* WIDTH bytes, one to each lane. */
INLINE ints lane_of_bytes(const u8 *at) {
#if WIDTH == 8 && defined(__AVX2__)
  return (ints)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)at));
#elif WIDTH == 16 && defined(__AVX512F__)
  return (ints)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)at));
#else
  ints lanes;
  UNROLL for (int i = 0; i < WIDTH; i++) lanes[i] = at[i];
  return lanes;
#endif
}

/* Products of 16-bit numbers, their low halves. */
INLINE ints times_halves(ints a, ints b) { return (ints)((halves)a * (halves)b); }

/* sums + the two products of 16-bit numbers of each lane. */
INLINE ints add_pairs(ints sums, ints a, ints b) {
#if WIDTH == 16 && defined(__AVX512BW__)
  return sums + (ints)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif WIDTH == 8 && defined(__AVX2__)
  return sums + (ints)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif WIDTH == 4 && defined(__SSE2__)
  return sums + (ints)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
  return sums + ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
}

/* 2 * WIDTH signed bytes to 16 bits each. */
INLINE ints widen_bytes(const u8 *at) {
#if WIDTH == 8 && defined(__AVX2__)
  return (ints)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)at));
#else
  return (ints)__builtin_convertvector(LOAD(few_bytes, at), halves);
#endif
}

#if SUMS_OF_FOUR

/* sums + four products of each lane; `weights` are unsigned but on ARM. */
INLINE ints add_dots(ints sums, ints mantissas, ints weights) {
#if WIDTH == 16 && defined(__AVX512VNNI__)
  return (ints)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)weights, (__m512i)mantissas);
#elif WIDTH == 8 && defined(__AVXVNNI__)
  return (ints)_mm256_dpbusd_avx_epi32((__m256i)sums, (__m256i)weights, (__m256i)mantissas);
#elif WIDTH == 4 && defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
  return (ints)vdotq_s32((int32x4_t)sums, (int8x16_t)weights, (int8x16_t)mantissas);
#else
  UNROLL for (int i = 0; i < 32; i += 8)
    sums += ((weights << (24 - i) >> 24) & all_int(0xff)) * (mantissas << (24 - i) >> 24);
  return sums;
#endif
}

INLINE ints lane_multipliers(const u8 *at) { return lane_of_bytes(at); }

/* total + sums * multipliers; |sums| <= 32512 and multipliers are below 2^15, so that both are in the lower halves. */
INLINE ints end_group(ints total, ints sums, ints multipliers) {
#if defined(__aarch64__)
  return total + sums * multipliers;
#else
  return add_pairs(total, sums, multipliers);
#endif
}

#else

/* sums (16 bits) + products in pairs; `weights` are 0..15, so that no pair passes 2 * 127 * 15. */
INLINE ints add_dots(ints sums, ints mantissas, ints weights) {
#if WIDTH == 8 && defined(__AVX2__)
  return (ints)((halves)sums + (halves)_mm256_maddubs_epi16((__m256i)weights, (__m256i)mantissas));
#elif WIDTH == 4 && defined(__SSSE3__)
  return (ints)((halves)sums + (halves)_mm_maddubs_epi16((__m128i)weights, (__m128i)mantissas));
#else
  const halves m = (halves)mantissas, w = (halves)weights;
  return (ints)((halves)sums + ((m << 8) >> 8) * (w & 0xff) + (m >> 8) * (w >> 8));
#endif
}

/* Twice in each lane. */
INLINE ints lane_multipliers(const u8 *at) {
  const ints lanes = lane_of_bytes(at);
  return lanes | lanes << 16;
}

INLINE ints end_group(ints total, ints sums, ints multipliers) { return add_pairs(total, sums, multipliers); }

#endif
#endif
