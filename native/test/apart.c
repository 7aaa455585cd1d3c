/*
 * Leader and helpers on cores of their own (cpu/apart.h): who may run where, before, during and after. Returns what failed, or 0.
 */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "../cpu/apart.h"

const char *test_apart(void);

#if defined(__linux__)

#include <unistd.h>

static u32 ended;

static void *wait_for_end(void *data) {
  while (!get(&ended)) usleep(200);
  return data;
}

static cpu_set_t cores_of(pthread_t thread) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  pthread_getaffinity_np(thread, sizeof cores, &cores);
  return cores;
}

static const char *check(pthread_t helper, const cpu_set_t *before) {
  struct apart a = {0};
  keep_apart(&a, &helper, 1);
  if (a.is_kept) return "who has not met is left alone";
  let_go(&a);
  a.jobs_left = JOBS_APART;
  keep_apart(&a, &helper, 1);
  cpu_set_t own = cores_of(pthread_self()), others = cores_of(helper), both;
  CPU_AND(&both, &own, &others);
  CPU_OR(&others, &own, &others);
  if (!a.is_kept || CPU_COUNT(&own) != 1 || CPU_COUNT(&both) != 0) return "they share no core";
  if (!CPU_EQUAL(&others, before)) return "the helper has all others";
  let_go(&a);
  own = cores_of(pthread_self());
  if (!CPU_EQUAL(&own, before)) return "the leader goes where it likes after a job";
  a.jobs_left = 0;
  keep_apart(&a, &helper, 1);
  others = cores_of(helper);
  if (a.is_kept || !CPU_EQUAL(&others, before)) return "the helper goes where it likes again";
  a.jobs_left = JOBS_APART;
  pthread_t many[CPU_SETSIZE];
  const u32 count = (u32)CPU_COUNT(before);
  for (u32 i = 0; i < count; i++) many[i] = helper;
  keep_apart(&a, many, count);
  const int was_kept = a.is_kept;
  let_go(&a);
  return was_kept ? "more threads than cores have none to avoid" : 0;
}

const char *test_apart(void) {
  const cpu_set_t before = cores_of(pthread_self());
  if (CPU_COUNT(&before) < 2) return 0;
  pthread_t helper;
  if (pthread_create(&helper, 0, wait_for_end, 0) != 0) return "a thread starts";
  const char *failed = check(helper, &before);
  set(&ended, 1);
  pthread_join(helper, 0);
  return failed;
}

#else

const char *test_apart(void) { return 0; }

#endif
