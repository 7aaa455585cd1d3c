/*
 * The ends of products: 32-bit sums of a run to 64-bit totals, and totals to f32 (docs/spec/numerics.md §5).
 */
#ifndef EXACT1_TOTALS_H
#define EXACT1_TOTALS_H

#include "../exact1.h"

/* Vectors of one unit. */
enum { PARTS = UNIT / WIDTH };

INLINE i4 int_part4(ints value, int from) { return (i4)part4((floats)value, from); }

/* Integers in f64 are exact up to 2^53. */
INLINE void widen4(double *total, i4 sums) {
#if defined(__AVX__)
  _mm256_storeu_pd(total, _mm256_add_pd(_mm256_loadu_pd(total), _mm256_cvtepi32_pd((__m128i)sums)));
#elif defined(__SSE2__)
  const i4 high = SHUFFLE4(sums, sums, 2, 3, 2, 3);
  _mm_storeu_pd(total, _mm_add_pd(_mm_loadu_pd(total), _mm_cvtepi32_pd((__m128i)sums)));
  _mm_storeu_pd(total + 2, _mm_add_pd(_mm_loadu_pd(total + 2), _mm_cvtepi32_pd((__m128i)high)));
#else
  UNROLL for (int r = 0; r < 4; r++) total[r] += (double)sums[r];
#endif
}

INLINE void widen_run(double *total, ints sums) {
  UNROLL for (int r = 0; r < WIDTH; r += 4) widen4(total + r, int_part4(sums, r));
}

/* Two f64 products, left to right, then one rounding each. */
INLINE void finish4(float *y, const double *total, const float *scales, float scale) {
#if defined(__AVX__)
  const __m256d scaled = _mm256_mul_pd(_mm256_loadu_pd(total), _mm256_cvtps_pd(_mm_loadu_ps(scales)));
  _mm_storeu_ps(y, _mm256_cvtpd_ps(_mm256_mul_pd(scaled, _mm256_set1_pd((double)scale))));
#else
  UNROLL for (int r = 0; r < 4; r++) y[r] = (float)((total[r] * (double)scales[r]) * (double)scale);
#endif
}

INLINE void finish_unit(float *y, const double *total, const float *scales, float scale) {
  UNROLL for (int r = 0; r < UNIT; r += 4) finish4(y + r, total + r, scales + r, scale);
}

#endif
