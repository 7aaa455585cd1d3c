/*
 * Passes of a stage, for addon.c: computed at once, or by a thread of Node's pool, which also closes stages.
 */
#ifndef EXACT1_PASSES_H
#define EXACT1_PASSES_H

#include <stdlib.h>

#include "call.h"
#if !defined(_WIN32)
#include <time.h>
#endif

/* The arguments after the stage: a Uint32Array pass, an Int32Array rows, x, logits, ropes, a Uint32Array failed. */
enum { ARRAYS = 6 };

/* What makes them no pass of this stage, or 0. x, logits and failed are written. pass: firstLayer, lastLayer, hasEmbedding,
 * hasHead, wantedThreads, rowCount, sessions, then indices of the rows whose logits are wanted. rows: cache, position, token, session of each. ropes: cosines of all rows, then sines, then both of the local rope where there is one. */
static const char *pass_of(const struct call *call, const struct executor *stage, struct pass_input *input) {
  struct array pass, rows, x, logits, ropes, failed;
  if (!array_at(call, 1, napi_uint32_array, &pass) || pass.length < 7) return "a pass has 7 numbers";
  if (!array_at(call, 2, napi_int32_array, &rows) || !array_at(call, 6, napi_uint32_array, &failed))
    return "rows and failures are integers";
  if (!array_at(call, 3, napi_float32_array, &x) || !array_at(call, 4, napi_float32_array, &logits) ||
      !array_at(call, 5, napi_float32_array, &ropes))
    return "activations are f32";
  const uint32_t *n = pass.data;
  const struct stage_numbers *numbers = stage_numbers_of(stage);
  *input = (struct pass_input){
      .first_layer = n[0], .last_layer = n[1], .has_embedding = n[2], .has_head = n[3], .wanted_threads = n[4],
      .row_count = n[5], .sessions = n[6], .logit_count = (uint32_t)pass.length - 7, .rows = rows.data, .x = x.data,
      .logits = logits.data, .cos = ropes.data, .logit_rows = n + 7, .failed = failed.data};
  const size_t count = input->row_count, half = numbers->rotary_size / 2;
  const size_t tables = numbers->has_local_rope ? 4 : 2;
  if (count > STAGE_ROWS_MAX || rows.length < count * 4 || failed.length < input->sessions || ropes.length < tables * count * half ||
      x.length < count * ((numbers->hidden + 31) / 32 * 32) ||
      logits.length < input->logit_count * (size_t)((numbers->vocabulary + 15) / 16 * 16))
    return "arrays are as long as the pass";
  input->sin = input->cos + count * half;
  if (numbers->has_local_rope) {
    input->local_cos = input->sin + count * half;
    input->local_sin = input->local_cos + count * half;
  }
  return 0;
}

/* run(stage, …): nothing. */
static napi_value run(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  struct pass_input input;
  if (stage == 0) return refuse(env, "the stage is open");
  const char *wrong = pass_of(&call, stage, &input);
  if (wrong != 0) return refuse(env, wrong);
  return stage_run(stage, &input) == STAGE_DONE ? undefined(env) : refuse(env, "the pass fits the stage");
}

struct later {
  struct executor *stage;
  struct pass_input input;
  enum stage_result result;
  double milliseconds;
  bool *is_running;
  napi_async_work work;
  napi_deferred deferred;
  napi_ref arrays[ARRAYS]; /* which keep what `input` points to */
};

#if defined(_WIN32)
static double now_ms(void) {
  LARGE_INTEGER count, per_second;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&per_second);
  return (double)count.QuadPart * 1e3 / (double)per_second.QuadPart;
}
#else
static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}
#endif

/* On a thread of the pool. */
static void compute_later(napi_env env, void *data) {
  (void)env;
  struct later *later = data;
  const double started = now_ms();
  later->result = stage_run(later->stage, &later->input);
  later->milliseconds = now_ms() - started;
}

static void free_later(napi_env env, struct later *later) {
  for (size_t i = 0; i < ARRAYS; i++)
    if (later->arrays[i] != 0) napi_delete_reference(env, later->arrays[i]);
  if (later->work != 0) napi_delete_async_work(env, later->work);
  free(later);
}

/* On the thread of JavaScript again. An environment that ends may not have begun it; then nobody waits any more. */
static void settle_later(napi_env env, napi_status status, void *data) {
  struct later *later = data;
  *later->is_running = false;
  if (status == 0 && later->result == STAGE_DONE) {
    napi_resolve_deferred(env, later->deferred, number(env, later->milliseconds));
  } else {
    napi_value text = 0, error = 0;
    napi_create_string_utf8(env, "the pass fits the stage", NAPI_AUTO_LENGTH, &text);
    napi_create_type_error(env, 0, text, &error);
    napi_reject_deferred(env, later->deferred, error);
  }
  free_later(env, later);
}

static int begin_later(const struct call *call, struct later *later, napi_value *promise) {
  napi_value name = 0;
  for (size_t i = 0; i < ARRAYS; i++)
    if (napi_create_reference(call->env, call->arguments[i + 1], 1, &later->arrays[i]) != 0) return 0;
  if (napi_create_string_utf8(call->env, "exact1", NAPI_AUTO_LENGTH, &name) != 0) return 0;
  if (napi_create_async_work(call->env, 0, name, compute_later, settle_later, later, &later->work) != 0) return 0;
  if (napi_create_promise(call->env, &later->deferred, promise) != 0) return 0;
  *later->is_running = true;
  if (napi_queue_async_work(call->env, later->work) == 0) return 1;
  *later->is_running = false;
  return 0;
}

/* runLater(stage, …): a promise of the milliseconds that it took. Until then the stage refuses everything, and the arrays are its. */
static napi_value run_later(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  struct pass_input input;
  napi_value promise = 0;
  if (stage == 0) return refuse(env, "the stage is open");
  const char *wrong = pass_of(&call, stage, &input);
  if (wrong != 0) return refuse(env, wrong);
  struct later *later = calloc(1, sizeof *later);
  if (later == 0) return no_memory(env);
  later->stage = stage;
  later->input = input;
  later->is_running = &call.instance->is_running[slot_at(&call, 0) - call.instance->stages];
  if (begin_later(&call, later, &promise)) return promise;
  free_later(env, later);
  return no_memory(env);
}

struct closing {
  struct executor *stage;
  napi_async_work work;
  napi_deferred deferred;
};

/* On a thread of the pool: memory of some GiB takes longer to give back than an event loop may be held. */
static void compute_close(napi_env env, void *data) {
  (void)env;
  stage_close(((struct closing *)data)->stage);
}

static void settle_close(napi_env env, napi_status status, void *data) {
  struct closing *closing = data;
  (void)status;
  napi_resolve_deferred(env, closing->deferred, undefined(env));
  napi_delete_async_work(env, closing->work);
  free(closing);
}

/* closeLater(stage): a promise. It is no stage any more at once. */
static napi_value close_later(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  napi_value name = 0, promise = 0;
  if (stage == 0) return refuse(env, "the stage is open");
  struct closing *closing = calloc(1, sizeof *closing);
  if (closing == 0) return no_memory(env);
  closing->stage = stage;
  if (napi_create_string_utf8(env, "exact1", NAPI_AUTO_LENGTH, &name) == 0 &&
      napi_create_async_work(env, 0, name, compute_close, settle_close, closing, &closing->work) == 0 &&
      napi_create_promise(env, &closing->deferred, &promise) == 0 && napi_queue_async_work(env, closing->work) == 0) {
    *slot_at(&call, 0) = 0;
    return promise;
  }
  if (closing->work != 0) napi_delete_async_work(env, closing->work);
  free(closing);
  return no_memory(env);
}

#endif
