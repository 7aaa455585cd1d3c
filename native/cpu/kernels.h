/*
 * What one set of instructions offers: the same functions, compiled once for each (kernels.c). Callers know no layout.
 */
#ifndef EXACT1_KERNELS_H
#define EXACT1_KERNELS_H

#include <stddef.h>
#include <stdint.h>

struct job;
struct team;

/* A matrix as docs/spec/numerics.md §3 has it. */
struct source {
  uint32_t format, rows, columns;
  uint32_t width; /* K: columns rounded up to whole groups of 32; rows of f32 are `columns` long all the same */
  const void *values; /* f32, int8 or nibbles */
  const uint8_t *multipliers;
};

struct kernels {
  const char *name;
  /* Rows of a unit, bytes of a group of mantissas: exact1.h, narrow.h. */
  uint32_t unit, narrow_group;
  size_t (*packed_bytes)(uint32_t format, uint32_t rows, uint32_t width);
  void (*pack)(const struct source *from, uint8_t *to);
  /* Phases of a pass, and one of them, as one thread of a team: ../crew.h. */
  uint32_t (*phases_of)(const struct job *job);
  void (*run_phase)(const struct team *team, const struct job *job, uint32_t phase);
};

#endif
