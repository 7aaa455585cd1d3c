/*
 * Keeps the thread that leads a job and its helpers on cores of their own where the system does not. Some systems put threads that often sleep on
 * one core, so that others can rest, and there the two change places at each phase: steps of 5 ms took 9. The system is asked for nothing
 * until they have met in a long job; then, for a while, the leader stays where it is during a job, and helpers stay away from there. For short
 * jobs one core is better: nobody has to be woken on another.
 */
#ifndef EXACT1_APART_H
#define EXACT1_APART_H

#include "../threads.h"

#if defined(__linux__)

#include <pthread.h>
#include <sched.h>
#include <time.h>

/* After so many jobs they may go where they like, which shows whether they meet again. */
enum { JOBS_APART = 1024 };
/* Microseconds. Waking a thread on another core takes 50; a job has some dozens of phases. */
enum { LONG_JOB_US = 2000, SHORT_JOB_US = 1000 };

/* Zero at the start. Cores are numbers and one more; 0: none. */
struct apart {
  u32 helper_core; /* where some helper ended its last phase of this job; 0: none has come yet */
  u32 avoided;     /* where helpers may not run */
  u32 jobs_left;
  int is_kept; /* the leader stays where it is */
  uint64_t began_us; /* the job */
  cpu_set_t allowed; /* to the leader, before the job */
};

static inline u32 core_here(void) { return (u32)(sched_getcpu() + 1); }

static inline uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* By each helper, after its part of a phase. */
static inline void tell_core(struct apart *a) {
  const u32 core = core_here();
  if (get(&a->helper_core) != core) set(&a->helper_core, core);
}

/* By the leader, before a job. */
static inline void keep_apart(struct apart *a, const pthread_t *helpers, u32 count) {
  a->began_us = now_us();
  set(&a->helper_core, 0);
  if (a->jobs_left == 0 && a->avoided == 0) return;
  const u32 core = core_here();
  if (core == 0 || core > CPU_SETSIZE || sched_getaffinity(0, sizeof a->allowed, &a->allowed) != 0) return;
  cpu_set_t own, others = a->allowed;
  CPU_ZERO(&own);
  CPU_SET(core - 1, &own);
  CPU_CLR(core - 1, &others);
  if (a->jobs_left > 0) a->jobs_left--;
  /* More threads than cores have none to avoid. */
  const u32 avoided = a->jobs_left == 0 || CPU_COUNT(&others) < (int)count ? 0 : core;
  if (avoided != a->avoided)
    for (u32 i = 0; i < count; i++)
      pthread_setaffinity_np(helpers[i], sizeof others, avoided == 0 ? &a->allowed : &others);
  a->avoided = avoided;
  a->is_kept = avoided != 0 && pthread_setaffinity_np(pthread_self(), sizeof own, &own) == 0;
}

/* By the leader, after it. */
static inline void let_go(struct apart *a) {
  if (a->is_kept) pthread_setaffinity_np(pthread_self(), sizeof a->allowed, &a->allowed);
  a->is_kept = 0;
  const uint64_t took_us = now_us() - a->began_us;
  if (took_us < SHORT_JOB_US) a->jobs_left = 0;
  const u32 core = core_here(), other = get(&a->helper_core);
  /* A helper that did not come in all that time stands in the queue of a core, most likely of this one. */
  if (a->jobs_left == 0 && took_us >= LONG_JOB_US && core != 0 && (other == 0 || other == core)) a->jobs_left = JOBS_APART;
}

#else

struct apart {
  char none;
};

static inline void tell_core(struct apart *a) { (void)a; }
static inline void keep_apart(struct apart *a, const void *helpers, u32 count) { (void)a, (void)helpers, (void)count; }
static inline void let_go(struct apart *a) { (void)a; }

#endif
#endif
