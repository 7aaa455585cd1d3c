#include "caches.h"

#include "../exact1.h"
#include "memory.h"

enum { ROOM_MIN = 64 };

/* Room for `count` elements of `size` bytes. The old array is given back. 0: no memory. */
static int make_room(void **array, u32 *room, u32 count, size_t size) {
  if (count <= *room) return 1;
  const u32 wanted = count > 2 * *room ? (count > ROOM_MIN ? count : ROOM_MIN) : 2 * *room;
  void *wide = pages_take(wanted * size);
  if (wide == 0) return 0;
  if (*array != 0) {
    __builtin_memcpy(wide, *array, *room * size);
    pages_give(*array, *room * size);
  }
  *array = wide;
  *room = wanted;
  return 1;
}

#define MAKE_ROOM(array, room, count) make_room((void **)(void *)&(array), &(room), count, sizeof *(array))

void caches_open(struct caches *c, u32 shared_heads, u32 head_floats) {
  *c = (struct caches){0};
  c->runs_of_floats = (size_t)PAGE_POSITIONS * head_floats;
  c->page_floats = shared_heads * 2 * c->runs_of_floats;
}

int caches_grow(struct caches *c, u32 count) {
  if (count <= c->page_count) return 1;
  if (count > 1u << 30 || !MAKE_ROOM(c->pages, c->page_room, count) || !MAKE_ROOM(c->runs, c->run_room, c->run_count + 1)) return 0;
  const u32 more = count - c->page_count;
  const size_t bytes = more * c->page_floats * sizeof(float);
  float *at = pages_take(bytes);
  if (at == 0) return 0;
  c->runs[c->run_count++] = (struct page_run){at, bytes};
  for (u32 i = 0; i < more; i++) c->pages[c->page_count + i] = at + i * c->page_floats;
  c->page_count = count;
  return 1;
}

static int free_number(struct caches *c) {
  for (u32 i = 0; i < c->cache_room; i++)
    if (c->caches[i].pages == 0) return (int)i;
  const u32 first = c->cache_room;
  return MAKE_ROOM(c->caches, c->cache_room, first + 1) ? (int)first : -1;
}

/* A part without layers has a table all the same. */
static size_t table_bytes(u32 layers, u32 columns) { return ((size_t)layers * columns + 1) * sizeof(float *); }

i32 caches_add(struct caches *c, u32 capacity, u32 layers) {
  const i32 number = free_number(c);
  if (number < 0) return -1;
  const u32 columns = (capacity + PAGE_POSITIONS - 1) / PAGE_POSITIONS;
  float **pages = pages_take(table_bytes(layers, columns));
  if (pages == 0) return -1;
  c->caches[number] = (struct cache){pages, capacity, layers, columns, 0};
  return number;
}

struct cache *caches_get(const struct caches *c, i32 cache) {
  return cache >= 0 && (u32)cache < c->cache_room && c->caches[cache].pages != 0 ? &c->caches[cache] : 0;
}

void caches_remove(struct caches *c, i32 number) {
  struct cache *cache = caches_get(c, number);
  if (cache == 0) return;
  pages_give(cache->pages, table_bytes(cache->layers, cache->columns));
  cache->pages = 0;
}

static int are_pages(const struct caches *c, const u32 *pages, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (pages[i] >= c->page_count) return 0;
  return 1;
}

int caches_place(struct caches *c, i32 number, u32 column, const u32 *pages, size_t count) {
  struct cache *cache = caches_get(c, number);
  if (cache == 0 || column >= cache->columns || column > cache->placed || count != cache->layers) return 0;
  if (!are_pages(c, pages, count)) return 0;
  for (u32 layer = 0; layer < cache->layers; layer++)
    cache->pages[(size_t)layer * cache->columns + column] = c->pages[pages[layer]];
  if (column == cache->placed) cache->placed++;
  return 1;
}

int caches_copy(struct caches *c, const u32 *pairs, size_t count, u32 rows) {
  if (rows > PAGE_POSITIONS || count % 2 != 0 || !are_pages(c, pairs, count)) return 0;
  const size_t bytes = rows * (c->runs_of_floats / PAGE_POSITIONS) * sizeof(float);
  for (size_t i = 0; i < count; i += 2) {
    if (pairs[i] == pairs[i + 1]) return 0;
    const float *from = c->pages[pairs[i]];
    float *to = c->pages[pairs[i + 1]];
    for (size_t at = 0; at < c->page_floats; at += c->runs_of_floats) __builtin_memcpy(to + at, from + at, bytes);
  }
  return 1;
}

int caches_clear(struct caches *c, const u32 *pages, size_t count) {
  if (!are_pages(c, pages, count)) return 0;
  for (size_t i = 0, next; i < count; i = next) {
    /* Neighbours in one call. */
    const float *end = c->pages[pages[i]] + c->page_floats;
    for (next = i + 1; next < count && c->pages[pages[next]] == end; next++) end += c->page_floats;
    pages_clear(c->pages[pages[i]], (next - i) * c->page_floats * sizeof(float));
  }
  return 1;
}

void caches_close(struct caches *c) {
  for (u32 i = 0; i < c->cache_room; i++) caches_remove(c, (i32)i);
  for (u32 i = 0; i < c->run_count; i++) pages_give(c->runs[i].at, c->runs[i].bytes);
  if (c->pages != 0) pages_give(c->pages, c->page_room * sizeof *c->pages);
  if (c->runs != 0) pages_give(c->runs, c->run_room * sizeof *c->runs);
  if (c->caches != 0) pages_give(c->caches, c->cache_room * sizeof *c->caches);
}
