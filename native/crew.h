/*
 * Who runs jobs: the thread that has one leads it, helpers wait for the next. A job is done by the helpers that have come
 * so far; its bits do not depend on their number.
 */
#ifndef EXACT1_CREW_H
#define EXACT1_CREW_H

#include "threads.h"

/* Phase 0 … phases − 1 of a job; every thread that takes part may run each once. */
typedef void run_phase_of(const struct team *team, const struct job *job, u32 phase);

INLINE void lead_alone(struct sync *sync, const struct job *job, u32 phases, run_phase_of *run) {
  const struct team team = {sync, 0, 0, 1};
  for (u32 phase = 0; phase < phases; phase++) {
    *claimed_in(sync, 0) = 0;
    run(&team, job, phase);
  }
}

/*
 * Runs a job on the calling thread and on helpers that have registered so far, `wanted` threads at most (1 … 255): a small
 * job is done before others have come. The job and everything it points to may change once this has returned: helpers read
 * it inside phases alone.
 */
INLINE void lead(struct sync *sync, const struct job *job, u32 wanted, u32 phases, run_phase_of *run) {
  const u32 present = get(&sync->registered) + 1;
  const u32 threads = present < wanted ? present : wanted;
  if (threads == 1) {
    lead_alone(sync, job, phases, run);
    return;
  }
  /* Nobody reads these before the first phase is open. Who is inside now is about to leave. */
  u32 opened = (get(&sync->opened) & ~(u32)INSIDE) + ONE_PHASE + RUNNING;
  sync->job = job;
  sync->first_opened = opened;
  set(claimed_in(sync, opened), 0);
  add(&sync->opened, ONE_PHASE + RUNNING);
  set(&sync->sequence, ((get(&sync->sequence) >> 8) + 1) << 8 | threads);
  if (get(&sync->idle) != 0) wake_all(&sync->sequence);
  for (u32 phase = 0; phase < phases; phase++) {
    const struct team team = {sync, opened, 0, threads};
    run(&team, job, phase);
    opened = open_next(sync, opened, phase + 1 < phases ? RUNNING : 0);
  }
}

/* Runs phases of a job as they are opened, from the one that it finds to the job's end. */
INLINE void join_job(struct sync *sync, u32 thread, u32 threads, run_phase_of *run) {
  /* Looked at before it comes inside, so that nobody waits for who has nothing to do. */
  while (get(&sync->opened) & RUNNING) {
    const u32 opened = enter(sync);
    if (opened & RUNNING) {
      const struct team team = {sync, opened, thread, threads};
      run(&team, sync->job, (opened - sync->first_opened) / ONE_PHASE);
    }
    leave(sync);
    if (!(opened & RUNNING)) return;
    wait_while(&sync->opened, ~(u32)INSIDE, opened, &sync->sleepers, SPINS);
  }
}

/* Body of a helper thread; returns after dismiss. */
INLINE void follow(struct sync *sync, run_phase_of *run) {
  /* Read before registering: every job that counts this thread has a later number. */
  u32 seen = get(&sync->sequence);
  const u32 thread = add(&sync->registered, 1) + 1;
  wake_all(&sync->registered);
  for (;;) {
    /* `seen` may be what dismiss made of it, and then nothing changes it any more. */
    if (get(&sync->stop)) return;
    wait_while(&sync->sequence, ~(u32)0, seen, &sync->idle, SPINS_BETWEEN_JOBS);
    if (get(&sync->stop)) return;
    /* One word holds the number and the count: the job may end at any moment. */
    seen = get(&sync->sequence);
    if (thread < (seen & 255)) join_job(sync, thread, seen & 255, run);
  }
}

INLINE void dismiss(struct sync *sync) {
  set(&sync->stop, 1);
  add(&sync->sequence, 1 << 8);
  wake_all(&sync->sequence);
}

#endif
