/*
 * Exports of the WebAssembly engine: packing weights, running one pass of a stage, and the loop of a helper thread.
 * One translation unit, so that every kernel is compiled with its callers. Built by scripts/build-wasm.ts.
 */
#include "crew.h"
#include "pack.h"
#include "pass.h"

#define EXPORT(name) __attribute__((export_name(name), noinline))

EXPORT("run_job") void run_job(struct sync *sync, const struct job *job, u32 wanted) {
  lead(sync, job, wanted, phases_of(job), run_phase);
}

/* Body of a helper thread; returns after stop_helpers. */
EXPORT("help") void help(struct sync *sync) { follow(sync, run_phase); }

EXPORT("stop_helpers") void stop_helpers(struct sync *sync) { dismiss(sync); }

/* Waits until `count` helpers have registered, at most `milliseconds`; the number registered. */
EXPORT("await_helpers") u32 await_helpers(struct sync *sync, u32 count, u32 milliseconds) {
  for (;;) {
    u32 registered = get(&sync->registered);
    if (registered >= count) return registered;
    int result = __builtin_wasm_memory_atomic_wait32((int *)&sync->registered, (int)registered,
                                                     (long long)milliseconds * 1000000);
    if (result == 2) return get(&sync->registered);
  }
}
