/*
 * The ends of products: 32-bit sums of a run to 64-bit totals, and totals to f32 (docs/spec/numerics.md §5).
 */
#ifndef EXACT1_TOTALS_H
#define EXACT1_TOTALS_H

#include "../exact1.h"

/* Vectors of one unit. */
enum { PARTS = UNIT / WIDTH };

/* Integers in f64 are exact up to 2^53. */
INLINE void widen_run(double *total, ints sums) {
  UNROLL for (int r = 0; r < WIDTH; r++) total[r] += (double)sums[r];
}

/* Two f64 products, left to right, then one rounding each. */
INLINE void finish_unit(float *y, const double *total, const float *scales, float scale) {
  UNROLL for (int r = 0; r < UNIT; r++) y[r] = (float)((total[r] * (double)scales[r]) * (double)scale);
}

#endif
