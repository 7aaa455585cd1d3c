/*
 * Who runs jobs: the thread that has one leads it, helpers wait for the next. A job is done by the helpers that have come
 * so far; its bits do not depend on their number.
 */
#ifndef EXACT1_CREW_H
#define EXACT1_CREW_H

#include "threads.h"

typedef void run_pass_of(struct sync *sync, const struct job *job, u32 thread, u32 threads);

/*
 * Runs a job on the calling thread and on helpers that have registered so far, `wanted` threads at most (1 … 255): a small
 * job is done before others have come. The job and everything it points to may change once this has returned: helpers read
 * neither after the last barrier.
 */
INLINE void lead(struct sync *sync, const struct job *job, u32 wanted, run_pass_of *run) {
  const u32 present = get(&sync->registered) + 1;
  const u32 threads = present < wanted ? present : wanted;
  if (threads > 1) {
    sync->job = job;
    set(&sync->sequence, ((get(&sync->sequence) >> 8) + 1) << 8 | threads);
    if (get(&sync->idle) != 0) wake_all(&sync->sequence);
  }
  run(sync, job, 0, threads);
}

/* Body of a helper thread; returns after dismiss. */
INLINE void follow(struct sync *sync, run_pass_of *run) {
  /* Read before registering: every job that counts this thread has a later number. */
  u32 seen = get(&sync->sequence);
  const u32 thread = add(&sync->registered, 1) + 1;
  wake_all(&sync->registered);
  for (;;) {
    /* `seen` may be what dismiss made of it, and then nothing changes it any more. */
    if (get(&sync->stop)) return;
    wait_while(&sync->sequence, seen, &sync->idle, SPINS_BETWEEN_JOBS);
    if (get(&sync->stop)) return;
    /* One word holds the number and the count: a job that does not wait for this thread may end at any moment. */
    seen = get(&sync->sequence);
    if (thread < (seen & 255)) run(sync, sync->job, thread, seen & 255);
  }
}

INLINE void dismiss(struct sync *sync) {
  set(&sync->stop, 1);
  add(&sync->sequence, 1 << 8);
  wake_all(&sync->sequence);
}

#endif
