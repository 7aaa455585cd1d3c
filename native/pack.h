/*
 * For WebAssembly: weights from the form of docs/spec/numerics.md §3 to the layouts of the kernels. Each call takes one slab, a whole
 * number of units, from a staging area; rows past the matrix's last are zero there.
 */
#ifndef EXACT1_PACK_H
#define EXACT1_PACK_H

#include "exact1.h"

#define EXPORT_PACK(name) __attribute__((export_name(name)))

/* (units, 8, width) f32 to (units, width / 16, 8, 16). */
EXPORT_PACK("pack_f32") void pack_f32(const float *from, float *to, u32 units, u32 width) {
  for (u32 unit = 0; unit < units; unit++, from += UNIT * width)
    for (u32 k = 0; k < width; k += 16)
      for (u32 r = 0; r < UNIT; r++, to += 16)
        __builtin_memcpy(to, from + r * width + k, 64);
}

/* (units, 8, width) int8 to (units, width / 16, 8, 16). */
EXPORT_PACK("pack_q8") void pack_q8(const u8 *from, u8 *to, u32 units, u32 width) {
  for (u32 unit = 0; unit < units; unit++, from += UNIT * width)
    for (u32 k = 0; k < width; k += 16)
      for (u32 r = 0; r < UNIT; r++, to += 16) __builtin_memcpy(to, from + r * width + k, 16);
}

/* (units, 8, groups, 16) nibbles to (units, groups, 2 quads, 4 vectors, 4 rows, 4); multipliers (units, 8, groups) to
 * (units, groups, 8). */
EXPORT_PACK("pack_q4")
void pack_q4(const u8 *from, u8 *to, const u8 *multipliers, u8 *packed_multipliers, u32 units, u32 groups) {
  for (u32 unit = 0; unit < units; unit++, from += UNIT * groups * 16, multipliers += UNIT * groups)
    for (u32 g = 0; g < groups; g++, packed_multipliers += UNIT) {
      for (u32 quad = 0; quad < 2; quad++)
        for (u32 v = 0; v < 4; v++)
          for (u32 r = 0; r < 4; r++, to += 4)
            *(u32 *)to = *(const u32 *)(from + ((quad * 4 + r) * groups + g) * 16 + v * 4);
      for (u32 r = 0; r < UNIT; r++) packed_multipliers[r] = multipliers[r * groups + g];
    }
}

#endif
