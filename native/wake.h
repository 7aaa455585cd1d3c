/*
 * Sleeping until a word changes, as the target offers it: WebAssembly's atomic wait, a futex, an address to wait on.
 */
#ifndef EXACT1_WAKE_H
#define EXACT1_WAKE_H

#include "vector.h"

#if defined(__wasm__)

#define SPINS_BEFORE_SLEEP 8192
#define SPINS_BETWEEN_JOBS SPINS_BEFORE_SLEEP
INLINE void relax(void) {}
INLINE void sleep_while(u32 *at, u32 value) { __builtin_wasm_memory_atomic_wait32((int *)at, (int)value, -1); }
INLINE void wake_all(u32 *at) { __builtin_wasm_memory_atomic_notify((int *)at, 0xffffffffu); }

#else

/* cpu/wake.c. May return early; the caller looks again. */
void sleep_while(u32 *at, u32 value);
void wake_all(u32 *at);

/* Of the order of 10 to 40 ns each. */
#define SPINS_BEFORE_SLEEP 1024
/* What comes after a job is another process's step, or this one's network: they want the core. */
#define SPINS_BETWEEN_JOBS 0
INLINE void relax(void) {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

#endif
#endif
