/*
 * How threads share one job. It is a row of phases; the thread that leads it (crew.h) opens one after the other. In each, threads claim pieces of the
 * work from one counter; the leader goes on when all pieces are claimed and nobody is inside the phase any more. So it waits for pieces
 * (and, rarely, for who was put aside while looking for one), not for threads: a helper that the system has put aside, or that has yet to wake, joins in whichever phase it finds.
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
  u32 first_opened; /* `opened` in the job's first phase */
  u32 line0[11 - sizeof(void *) / 4];
  u32 opened;        /* what is open, and how many helpers are inside: below */
  u32 sleepers;      /* helpers asleep until the next phase */
  u32 leader_sleeps; /* until the last one has left */
  u32 line1[13];
  /* Units claimed in phases of even and of odd numbers: in one phase the counter of the next can be made ready. */
  struct {
    u32 units;
    u32 line[15];
  } claimed[2];
};
_Static_assert(sizeof(struct sync) == 256, "src/ml/engine/wasm-layout.ts reserves 256 bytes");

/*
 * sync.opened: number of the phase << 9 | a job runs << 8 | helpers inside. Only the leader changes what is above the helpers, and while a job
 * runs only when none is inside: if a helper finds a job as it enters, that phase is open until it leaves; if not, it looks at nothing else. The number goes round.
 */
enum { INSIDE = 0xff, RUNNING = 0x100, ONE_PHASE = 0x200 };

/* One thread in one phase. */
struct team {
  struct sync *sync;
  u32 opened, thread, threads;
};

/*
 * Loads of the flag before a thread sleeps. About 2 ns each in WebAssembly: some 20 us, which covers the phases that one thread
 * does alone (quantising a row takes about 2 us) and is small beside a time slice when cores are short.
 */
enum { SPINS = SPINS_BEFORE_SLEEP };

static inline u32 get(u32 *at) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }
static inline void set(u32 *at, u32 value) { __atomic_store_n(at, value, __ATOMIC_SEQ_CST); }
static inline u32 add(u32 *at, u32 value) { return __atomic_fetch_add(at, value, __ATOMIC_SEQ_CST); }
static inline int swap(u32 *at, u32 from, u32 to) {
  return __atomic_compare_exchange_n(at, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Returns when the word at `at`, under the mask, is not `value`. */
static inline void wait_while(u32 *at, u32 mask, u32 value, u32 *sleepers, u32 spins) {
  for (u32 spin = 0; spin < spins; spin++)
    if ((get(at) & mask) != value) return;
    else relax();
  /* The waker writes *at before it reads *sleepers, we write *sleepers before we read *at: one sees the other. */
  add(sleepers, 1);
  for (u32 found; ((found = get(at)) & mask) == value;) sleep_while(at, found);
  add(sleepers, (u32)-1);
}

static inline u32 *claimed_in(struct sync *sync, u32 opened) { return &sync->claimed[opened / ONE_PHASE % 2].units; }

/* Opens what comes after `opened` when nobody is inside any more: the next phase (RUNNING), or the time after a job (0). The new word. */
static inline u32 open_next(struct sync *sync, u32 opened, u32 running) {
  const u32 next = ((opened & ~(u32)RUNNING) + ONE_PHASE) | running;
  set(claimed_in(sync, next), 0);
  /* Looked at before it is taken: who leaves wants the same cache line. */
  for (u32 spin = 0; get(&sync->opened) != opened || !swap(&sync->opened, opened, next); spin++)
    if (spin < SPINS) {
      relax();
    } else {
      set(&sync->leader_sleeps, 1);
      for (u32 found; (found = get(&sync->opened)) != opened;) sleep_while(&sync->opened, found);
      set(&sync->leader_sleeps, 0);
    }
  if (get(&sync->sleepers) != 0) wake_all(&sync->opened);
  return next;
}

/* A helper comes inside; what is open until it leaves. */
static inline u32 enter(struct sync *sync) { return add(&sync->opened, 1) & ~(u32)INSIDE; }

static inline void leave(struct sync *sync) {
  if ((add(&sync->opened, (u32)-1) & INSIDE) == 1 && get(&sync->leader_sleeps) != 0) wake_all(&sync->opened);
}

/* Next piece [*first, *last) of `total`, at most `piece` long; 0 when none is left in this phase. */
static inline int claim(const struct team *team, u32 total, u32 piece, u32 *first, u32 *last) {
  u32 at = add(claimed_in(team->sync, team->opened), piece);
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
