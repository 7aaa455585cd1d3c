/*
 * Where packed weights lie, for those who pack and those who multiply.
 */
#ifndef EXACT1_LAYOUT_H
#define EXACT1_LAYOUT_H

#include "lanes.h"
#include "../exact1.h"

/* Groups of q4 whose sums a 32-bit lane holds. */
enum { Q4_RUN = 8 };

/* Bytes of one q4 unit of so many groups. */
static inline size_t q4_unit_bytes(u32 groups) {
  const size_t runs = (groups + Q4_RUN - 1) / Q4_RUN;
  return runs * Q4_RUN * UNIT + (size_t)groups * 16 * UNIT;
}

#endif
