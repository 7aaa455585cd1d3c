/*
 * Exports of the WebAssembly engine: packing weights, running one pass of a stage, and the loop of a helper thread.
 * One translation unit, so that every kernel is compiled with its callers. Built by scripts/build-wasm.ts.
 */
#include "layer.h"
#include "pack.h"

#define EXPORT(name) __attribute__((export_name(name), noinline))

static void run_layer(const struct pass *p, u32 index) {
  const struct stage *s = p->stage;
  const struct layer *l = &s->layers[index];
  norm_rows(p, l->attention_norm, needs(&l->query) | needs(&l->key) | needs(&l->value));
  barrier(&p->team);
  project(p, l);
  barrier(&p->team);
  rotate_rows(p, l, index);
  barrier(&p->team);
  attend_rows(p, index);
  barrier(&p->team);
  quantize_rows(p, &s->mixed_operand, needs(&l->attention_output));
  barrier(&p->team);
  add_product(p, &l->attention_output, &s->mixed_operand);
  barrier(&p->team);
  norm_rows(p, l->feed_forward_norm, needs(&l->gate) | needs(&l->up));
  barrier(&p->team);
  gate_rows(p, l);
  barrier(&p->team);
  quantize_rows(p, &s->inner_operand, needs(&l->down));
  barrier(&p->team);
  add_product(p, &l->down, &s->inner_operand);
  barrier(&p->team);
}

/* noinline: a helper never leaves its loop, and V8 replaces first-tier code only where a function is entered. */
static __attribute__((noinline)) void run_pass(struct sync *sync, const struct job *job, u32 thread, u32 threads) {
  const struct pass p = {{sync, thread, threads}, job->stage, job};
  /* Read before the last barrier, after which the leader may already write the next job. */
  const u32 logit_count = job->logit_count;
  if (p.stage->embedding) {
    embed_rows(&p);
    barrier(&p.team);
  }
  for (u32 layer = 0; layer < p.stage->layer_count; layer++) run_layer(&p, layer);
  check_rows(&p);
  barrier(&p.team);
  if (logit_count == 0) return;
  norm_logit_rows(&p);
  barrier(&p.team);
  logit_products(&p);
  barrier(&p.team);
}

/*
 * Runs a job on the calling thread and on helpers that have registered so far, `wanted` threads at most: a small job is
 * done before others have come. Bits do not depend on it. The job and everything it points to
 * may change once this has returned: helpers read neither after the last barrier.
 */
EXPORT("run_job") void run_job(struct sync *sync, const struct job *job, u32 wanted) {
  const u32 present = get(&sync->registered) + 1;
  const u32 threads = present < wanted ? present : wanted;
  sync->job = job;
  if (threads > 1) {
    set(&sync->sequence, ((get(&sync->sequence) >> 8) + 1) << 8 | threads);
    if (get(&sync->idle) != 0) __builtin_wasm_memory_atomic_notify((int *)&sync->sequence, 0xffffffffu);
  }
  run_pass(sync, job, 0, threads);
}

/* Body of a helper thread; returns after stop_helpers. */
EXPORT("help") void help(struct sync *sync) {
  /* Read before registering: every job that counts this thread has a later number. */
  u32 seen = get(&sync->sequence);
  const u32 thread = add(&sync->registered, 1) + 1;
  __builtin_wasm_memory_atomic_notify((int *)&sync->registered, 0xffffffffu);
  for (;;) {
    wait_while(&sync->sequence, seen, &sync->idle);
    if (get(&sync->stop)) return;
    /* One word holds the number and the count: a job that does not wait for this thread may end at any moment. */
    seen = get(&sync->sequence);
    if (thread < (seen & 255)) run_pass(sync, sync->job, thread, seen & 255);
  }
}

EXPORT("stop_helpers") void stop_helpers(struct sync *sync) {
  set(&sync->stop, 1);
  add(&sync->sequence, 1 << 8);
  __builtin_wasm_memory_atomic_notify((int *)&sync->sequence, 0xffffffffu);
}

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
