/*
 * Jobs of a crew (crew.h): every unit of every phase is done once, after all of the phase before, whoever comes when; and nobody looks at a job
 * that is over. The table is written and read without atomics, so the sanitizer of threads sees what is not ordered. Returns what failed, or 0.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "../crew.h"

const char *test_crew(void);

enum { JOBS = 600, HELPERS = 4, PHASES_AT_MOST = 12, UNITS_AT_MOST = 40 };

/* Both numbers go round on the way. */
static struct sync sync_words = {.sequence = 0u - (JOBS / 4 << 8), .opened = 0u - 64 * ONE_PHASE};
static u32 wrong;
/* Written without atomics by the thread of this number alone. */
static u32 scratch[HELPERS + 1];

/* Of the fields of a job these tests use: row_count for units, failed for the table (phases, units). */
static void count_units(const struct team *team, const struct job *job, u32 phase) {
  const u32 units = job->row_count;
  u32 *counts = job->failed + phase * units, unit, last;
  if (phase > 0)
    for (u32 i = 0; i < units; i++)
      if (job->failed[(phase - 1) * units + i] != 1) add(&wrong, 1);
  while (claim(team, units, 3, &unit, &last)) {
    for (; unit < last; unit++) counts[unit]++;
    scratch[team->thread]++;
    if ((unit + phase + team->thread) % 5 == 0) sched_yield();
    /* Longer than others spin. */
    if (team->thread > 0 && (unit + phase) % 97 == 0) usleep(1000);
  }
}

static void *help_count(void *data) {
  follow(&sync_words, count_units);
  return data;
}

static u32 is_whole(const u32 *counts, u32 total) {
  for (u32 i = 0; i < total; i++)
    if (counts[i] != 1) return 0;
  return 1;
}

const char *test_crew(void) {
  static u32 counts[PHASES_AT_MOST * UNITS_AT_MOST];
  pthread_t helpers[HELPERS];
  u32 started = 0;
  const char *failed = 0;
  for (u32 i = 0; i < JOBS && failed == 0; i++) {
    if (i % (JOBS / 8) == 0 && started < HELPERS) {
      if (pthread_create(&helpers[started], 0, help_count, 0) != 0) break;
      started++;
    }
    const u32 phases = 1 + i % PHASES_AT_MOST, units = 1 + i * 7 % UNITS_AT_MOST;
    const struct job job = {.row_count = units, .failed = counts};
    memset(counts, 0, sizeof counts);
    lead(&sync_words, &job, 1 + i % (HELPERS + 2), phases, count_units);
    if (!is_whole(counts, phases * units)) failed = "every unit of every phase is done once";
  }
  dismiss(&sync_words);
  for (u32 i = 0; i < started; i++) pthread_join(helpers[i], 0);
  return failed != 0 ? failed : wrong != 0 ? "a phase begins when the one before is done" : 0;
}
