#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "memory.h"

#include <stdint.h>

#if defined(_WIN32)
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

enum { HUGE_PAGE = 2 << 20, LINE = 64 };

#if defined(_WIN32)

void *pages_take(size_t bytes) {
  return bytes == 0 || bytes > SIZE_MAX / 2 ? 0 : VirtualAlloc(0, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}
static void *huge_pages_take(size_t bytes) { return pages_take(bytes); }
void pages_give(void *pages, size_t bytes) {
  (void)bytes;
  VirtualFree(pages, 0, MEM_RELEASE);
}
void pages_clear(void *at, size_t bytes) { VirtualAlloc(at, bytes, MEM_RESET, PAGE_READWRITE); }

#else

#if !defined(MAP_ANONYMOUS)
#define MAP_ANONYMOUS MAP_ANON
#endif

static char *map(size_t bytes) {
  void *at = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? 0 : at;
}

/* A multiple of every page size in use. */
static size_t whole_pages(size_t bytes) { return (bytes + 65535) & ~(size_t)65535; }

void *pages_take(size_t bytes) { return bytes == 0 || bytes > SIZE_MAX / 2 ? 0 : map(whole_pages(bytes)); }

/* What is large starts at a huge page and has huge ones: the reading of weights then misses no table of addresses. */
static void *huge_pages_take(size_t bytes) {
  const size_t length = whole_pages(bytes);
  if (length < 2 * HUGE_PAGE) return map(length);
  char *wide = map(length + HUGE_PAGE);
  if (wide == 0) return 0;
  const size_t before = -(uintptr_t)wide & (HUGE_PAGE - 1), after = HUGE_PAGE - before;
  if (before > 0) munmap(wide, before);
  munmap(wide + before + length, after);
#if defined(MADV_HUGEPAGE)
  madvise(wide + before, length, MADV_HUGEPAGE);
#endif
  return wide + before;
}

void pages_give(void *pages, size_t bytes) { munmap(pages, whole_pages(bytes)); }

void pages_clear(void *at, size_t bytes) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t from = ((uintptr_t)at + page - 1) / page * page, to = ((uintptr_t)at + bytes) / page * page;
  if (from < to) madvise((void *)from, to - from, MADV_DONTNEED);
}

#endif

struct chunk {
  struct chunk *next;
  size_t bytes;
};

/* The first chunk is small, for models that are. */
enum { CHUNK_BYTES_MIN = 1 << 20, CHUNK_BYTES_MAX = 64 << 20 };

void *arena_take(struct arena *arena, size_t bytes) {
  if (bytes > SIZE_MAX / 4) return 0;
  bytes = (bytes + LINE - 1) / LINE * LINE;
  if (arena->size - arena->used < bytes) {
    size_t size = arena->size * 2;
    if (size < CHUNK_BYTES_MIN) size = CHUNK_BYTES_MIN;
    if (size > CHUNK_BYTES_MAX) size = CHUNK_BYTES_MAX;
    if (size < bytes + LINE) size = (bytes + LINE + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    struct chunk *chunk = huge_pages_take(size);
    if (chunk == 0) return 0;
    *chunk = (struct chunk){arena->chunks, size};
    *arena = (struct arena){chunk, LINE, size};
  }
  void *at = (char *)arena->chunks + arena->used;
  arena->used += bytes;
  return at;
}

void arena_close(struct arena *arena) {
  while (arena->chunks != 0) {
    struct chunk *chunk = arena->chunks;
    arena->chunks = chunk->next;
    pages_give(chunk, chunk->bytes);
  }
  *arena = (struct arena){0};
}
