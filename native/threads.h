/*
 * How threads share one job. Every thread runs the same code; between two barriers ("phase") it claims pieces
 * of the work from one counter, so that a thread which the system has put aside delays one piece, not its share.
 * Waiting spins for a bounded while and then sleeps: machines run more threads than they have cores.
 */
#ifndef EXACT1_THREADS_H
#define EXACT1_THREADS_H

#include "exact1.h"
#include "wake.h"

/* Words that different threads write stand on cache lines of their own. Zero at the start. */
struct sync {
  u32 sequence; /* number of the job << 8 | threads that take part, the leader included */
  u32 stop;
  const struct job *job;
  u32 registered; /* helpers that wait for jobs */
  u32 idle;       /* helpers asleep between jobs */
  u32 line0[12 - sizeof(void *) / 4];
  u32 arrived;
  u32 line1[15];
  u32 generation;
  u32 sleepers;
  u32 line2[14];
  u32 claimed;
  u32 line3[15];
};
_Static_assert(sizeof(struct sync) == 256, "src/ml/engine/wasm-layout.ts reserves 256 bytes");

struct team {
  struct sync *sync;
  u32 thread, threads;
};

/*
 * Loads of the flag before a thread sleeps. About 2 ns each in WebAssembly: some 20 us, which covers the phases that one thread
 * does alone (quantising a row takes about 2 us) and is small beside a time slice when cores are short.
 */
enum { SPINS = SPINS_BEFORE_SLEEP };

static inline u32 get(u32 *at) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
static inline void set(u32 *at, u32 value) { __atomic_store_n(at, value, __ATOMIC_SEQ_CST); }
static inline u32 add(u32 *at, u32 value) { return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST); }

static inline void wait_while(u32 *at, u32 value, u32 *sleepers, u32 spins) {
  for (u32 spin = 0; spin < spins; spin++)
    if (get(at) != value) return;
    else relax();
  /* The waker writes *at before it reads *sleepers, we write *sleepers before we read *at: one sees the other. */
  add(sleepers, 1);
  while (get(at) == value) sleep_while(at, value);
  add(sleepers, (u32)-1);
}

/* Returns when every thread has come. Work of the phase before is visible after; the claim counter is 0 again. */
static inline void barrier(const struct team *team) {
  struct sync *s = team->sync;
  if (team->threads == 1) {
    s->claimed = 0;
    return;
  }
  u32 generation = get(&s->generation);
  if (add(&s->arrived, 1) + 1 == team->threads) {
    set(&s->arrived, 0);
    set(&s->claimed, 0);
    set(&s->generation, generation + 1);
    if (get(&s->sleepers) != 0) wake_all(&s->generation);
  } else {
    wait_while(&s->generation, generation, &s->sleepers, SPINS);
  }
}

/* Next piece [*first, *last) of `total`, at most `piece` long; 0 when none is left in this phase. */
static inline int claim(const struct team *team, u32 total, u32 piece, u32 *first, u32 *last) {
  u32 at = add(&team->sync->claimed, piece);
  if (at >= total) return 0;
  *first = at;
  *last = at + piece < total ? at + piece : total;
  return 1;
}

/* Pieces small enough that a late thread costs little, large enough to read memory in long runs. */
static inline u32 piece_of(const struct team *team, u32 total) {
  u32 piece = total / (team->threads * 8);
  return piece < 1 ? 1 : piece > 16 ? 16 : piece;
}

#endif
