/*
 * Memory of a stage: pages from the system, zero at first, and an arena for what lives as long as the stage.
 */
#ifndef EXACT1_MEMORY_H
#define EXACT1_MEMORY_H

#include <stddef.h>

/* Aligned to 64 bytes at the least, zero; what is not written takes no memory. NULL: none left. */
void *pages_take(size_t bytes);
void pages_give(void *pages, size_t bytes);
/* What lies in whole pages there is lost, and takes no memory until it is written. */
void pages_clear(void *at, size_t bytes);

struct chunk;
struct arena {
  struct chunk *chunks; /* the newest first */
  size_t used, size;    /* of the newest */
};

/* `bytes` zero bytes, aligned to 64. NULL: no memory. */
void *arena_take(struct arena *arena, size_t bytes);
void arena_close(struct arena *arena);

#endif
