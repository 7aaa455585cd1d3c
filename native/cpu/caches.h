/*
 * Keys and values of sessions: pages of 64 positions of one layer, and caches, which are tables of pages. Which page a cache
 * reads and writes, its owner decides (src/ml/engine/cache-pages.ts); whatever it decides, nothing past a page is touched.
 */
#ifndef EXACT1_CACHES_H
#define EXACT1_CACHES_H

#include <stddef.h>
#include <stdint.h>

struct cache {
  float **pages; /* (layers, columns); NULL: the cache is free */
  uint32_t capacity, layers, columns;
  uint32_t placed; /* columns that have pages */
};

struct page_run {
  float *at;
  size_t bytes;
};

struct caches {
  size_t page_floats, runs_of_floats; /* of a page: per shared head two runs, of keys and of values */
  float **pages;                      /* (page_room), by number */
  struct page_run *runs;              /* (run_room), what the system gave at once */
  struct cache *caches;                /* (cache_room), by number */
  uint32_t page_count, page_room, run_count, run_room, cache_room;
};

/* `head_floats`: of one key, padded. */
void caches_open(struct caches *caches, uint32_t shared_heads, uint32_t head_floats);
/* Makes sure that there are `count` pages; what is not written takes no memory. 0: no memory. */
int caches_grow(struct caches *caches, uint32_t count);
/* A cache without pages: its number, or -1 where there is no memory. */
int32_t caches_add(struct caches *caches, uint32_t capacity, uint32_t layers);
/* NULL: there is none of this number. */
struct cache *caches_get(const struct caches *caches, int32_t cache);
void caches_remove(struct caches *caches, int32_t cache);
/* Pages of all layers for the positions from 64 · column on. Columns come in their order, or again. 0: they do not fit. */
int caches_place(struct caches *caches, int32_t cache, uint32_t column, const uint32_t *pages, size_t count);
/* The first `rows` positions of pages [0], [2], … to pages [1], [3], …. 0: they do not fit. */
int caches_copy(struct caches *caches, const uint32_t *pairs, size_t count, uint32_t rows);
/* What these pages hold is not needed any more. 0: they do not fit. */
int caches_clear(struct caches *caches, const uint32_t *pages, size_t count);
void caches_close(struct caches *caches);

#endif
