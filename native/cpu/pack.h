/*
 * Weights from the form of docs/spec/numerics.md §3 to the layouts of this target's products. Rows past the last are zero.
 */
#ifndef EXACT1_CPU_PACK_H
#define EXACT1_CPU_PACK_H

#include "kernels.h"
#include "layout.h"
#include "matmul-q8.h"

static size_t packed_bytes(u32 format, u32 rows, u32 width) {
  const size_t units = (rows + UNIT - 1) / UNIT;
  if (format == FORMAT_Q4) return units * q4_unit_bytes(width / GROUP);
  return units * UNIT * width * (format == FORMAT_F32 ? 4 : 1);
}

/* (rows, columns) f32 to (units, width / 16, UNIT, 16). */
static void pack_f32(const struct source *from, float *to) {
  const float *values = from->values;
  const u32 padded = (from->rows + UNIT - 1) / UNIT * UNIT;
  for (u32 unit = 0; unit < padded; unit += UNIT)
    for (u32 k = 0; k < from->width; k += 16)
      for (u32 r = unit; r < unit + UNIT; r++)
        for (u32 i = k; i < k + 16; i++)
          *to++ = r < from->rows && i < from->columns ? values[(size_t)r * from->columns + i] : 0.0f;
}

/* (rows, width) int8 to (units, width / Q8_DEEP, UNIT, Q8_DEEP). */
static void pack_q8(const struct source *from, u8 *to) {
  const u8 *values = from->values;
  const u32 padded = (from->rows + UNIT - 1) / UNIT * UNIT;
  for (u32 unit = 0; unit < padded; unit += UNIT)
    for (u32 k = 0; k < from->width; k += Q8_DEEP)
      for (u32 r = unit; r < unit + UNIT; r++)
        for (u32 i = 0; i < Q8_DEEP; i++)
          *to++ = (r < from->rows ? values[(size_t)r * from->width + k + i] : 0) ^ Q8_FLIP;
}

/* (rows, groups, 16) nibbles and (rows, groups) multipliers to the runs of matmul-q4.h. */
static void pack_q4(const struct source *from, u8 *to) {
  const u8 *nibbles = from->values;
  const u32 groups = from->width / GROUP, padded = (from->rows + UNIT - 1) / UNIT * UNIT;
  for (u32 unit = 0; unit < padded; unit += UNIT)
    for (u32 start = 0; start < groups; start += Q4_RUN) {
      const u32 end = at_most(start + Q4_RUN, groups);
      for (u32 g = start; g < start + Q4_RUN; g++)
        for (u32 r = unit; r < unit + UNIT; r++)
          *to++ = r < from->rows && g < end ? from->multipliers[(size_t)r * groups + g] : 0;
      for (u32 g = start; g < end; g++)
        for (u32 part = unit; part < unit + UNIT; part += WIDTH)
          for (u32 v = 0; v < 4; v++)
            for (u32 r = part; r < part + WIDTH; r++, to += 4) {
              if (r < from->rows) __builtin_memcpy(to, nibbles + ((size_t)r * groups + g) * 16 + v * 4, 4);
              else __builtin_memset(to, 0, 4);
            }
    }
}

static void pack(const struct source *from, u8 *to) {
  if (from->format == FORMAT_Q4) pack_q4(from, to);
  else if (from->format == FORMAT_Q8) pack_q8(from, to);
  else pack_f32(from, (float *)to);
}

#endif
