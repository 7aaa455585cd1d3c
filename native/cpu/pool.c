#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "pool.h"

#include <stdlib.h>

#include "../crew.h"
#include "apart.h"
#include "memory.h"

#if defined(_WIN32)
#include <windows.h>
typedef HANDLE thread_handle;
#else
#include <pthread.h>
#include <signal.h>
typedef pthread_t thread_handle;
#endif

struct pool {
  struct sync sync; /* the first: helpers find their pool by it */
  struct apart apart;
  const struct kernels *kernels;
  u32 helpers;
  thread_handle handles[POOL_THREADS_MAX];
};

/* Kernels keep their sums of a pass on the stack: some 200 KiB. */
enum { STACK_BYTES = 2 << 20 };

/*
 * Rounding to nearest, and subnormals as they are, whatever other code of this process has set: the state of this thread
 * before. docs/spec/numerics.md wants nothing flushed.
 */
static u32 float_state_begin(void) {
#if defined(__SSE2__)
  const u32 before = _mm_getcsr();
  _mm_setcsr(0x1f80);
  return before;
#elif defined(__aarch64__)
  uint64_t before, none = 0;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" ::"r"(none));
  return (u32)before;
#else
  return 0;
#endif
}

static void float_state_end(u32 before) {
#if defined(__SSE2__)
  _mm_setcsr(before);
#elif defined(__aarch64__)
  uint64_t state = before;
  __asm__ volatile("msr fpcr, %0" ::"r"(state));
#else
  (void)before;
#endif
}

static void run_and_tell(const struct team *team, const struct job *job, u32 phase) {
  struct pool *pool = (struct pool *)team->sync;
  pool->kernels->run_phase(team, job, phase);
  tell_core(&pool->apart);
}

static void help(struct pool *pool) {
  float_state_begin();
  follow(&pool->sync, run_and_tell);
}

#if defined(_WIN32)

static DWORD WINAPI thread_body(void *pool) {
  help(pool);
  return 0;
}

static int start(thread_handle *handle, struct pool *pool) {
  *handle = CreateThread(0, STACK_BYTES, thread_body, pool, STACK_SIZE_PARAM_IS_A_RESERVATION, 0);
  return *handle != 0;
}

static void join(thread_handle handle) {
  WaitForSingleObject(handle, INFINITE);
  CloseHandle(handle);
}

#else

static void *thread_body(void *pool) {
  help(pool);
  return 0;
}

/* Signals are for the threads that expect them. */
static int start(thread_handle *handle, struct pool *pool) {
  pthread_attr_t attributes;
  sigset_t all_signals, before;
  if (pthread_attr_init(&attributes) != 0) return 0;
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  sigfillset(&all_signals);
  pthread_sigmask(SIG_SETMASK, &all_signals, &before);
  const int failed = pthread_create(handle, &attributes, thread_body, pool);
  pthread_sigmask(SIG_SETMASK, &before, 0);
  pthread_attr_destroy(&attributes);
  return failed == 0;
}

static void join(thread_handle handle) { pthread_join(handle, 0); }

#endif

struct pool *pool_open(const struct kernels *kernels, u32 threads) {
  struct pool *pool = pages_take(sizeof *pool);
  if (pool == 0) return 0;
  pool->kernels = kernels;
  while (pool->helpers + 1 < threads && pool->helpers < POOL_THREADS_MAX - 1) {
    if (!start(&pool->handles[pool->helpers], pool)) break;
    pool->helpers++;
  }
  return pool;
}

void pool_run(struct pool *pool, const struct job *job, u32 wanted) {
  const int has_helpers = wanted > 1 && pool->helpers > 0;
  if (has_helpers) keep_apart(&pool->apart, pool->handles, pool->helpers);
  const u32 before = float_state_begin();
  lead(&pool->sync, job, wanted, pool->kernels->phases_of(job), pool->kernels->run_phase);
  float_state_end(before);
  if (has_helpers) let_go(&pool->apart);
}

void pool_close(struct pool *pool) {
  dismiss(&pool->sync);
  for (u32 i = 0; i < pool->helpers; i++) join(pool->handles[i]);
  pages_give(pool, sizeof *pool);
}
