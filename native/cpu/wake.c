/*
 * Sleeping until a word changes: a futex on Linux, an address to wait on under Windows, one condition for all elsewhere.
 */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "../wake.h"

#if defined(__linux__)

#include <sys/syscall.h>
#include <unistd.h>

/* Of linux/futex.h, which not every C library brings. */
enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129 };

void sleep_while(u32 *at, u32 value) { syscall(SYS_futex, at, FUTEX_WAIT_PRIVATE, value, (void *)0, (void *)0, 0); }
void wake_all(u32 *at) { syscall(SYS_futex, at, FUTEX_WAKE_PRIVATE, 0x7fffffff, (void *)0, (void *)0, 0); }

#elif defined(_WIN32)

#include <windows.h>

void sleep_while(u32 *at, u32 value) { WaitOnAddress((volatile void *)at, &value, sizeof value, INFINITE); }
void wake_all(u32 *at) { WakeByAddressAll(at); }

#else

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

void sleep_while(u32 *at, u32 value) {
  pthread_mutex_lock(&mutex);
  while (__atomic_load_n(at, __ATOMIC_SEQ_CST) == value) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}

void wake_all(u32 *at) {
  (void)at;
  pthread_mutex_lock(&mutex);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&mutex);
}

#endif
