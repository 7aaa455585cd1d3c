/*
 * stage.h for Node: an addon whose instance in each environment (the main thread, each worker thread) has stages of its own,
 * and closes what is left of them when the environment ends. Functions throw a TypeError on arguments that a sound caller
 * does not give, and an error with code ENGINE_OUT_OF_MEMORY.
 */
#include <stdlib.h>

#include "detect.h"
#include "node-api.h"
#include "self-check.h"
#include "stage.h"

enum { ARGUMENTS_MAX = 8, NAME_BYTES_MAX = 32, STAGES_MAX = 1024 };

struct instance {
  struct executor *stages[STAGES_MAX]; /* a stage's number is its place */
};

struct call {
  napi_env env;
  size_t count;
  napi_value arguments[ARGUMENTS_MAX];
  struct instance *instance;
};

struct array {
  int type;
  size_t length;
  void *data;
};

static napi_value undefined(napi_env env) {
  napi_value value = 0;
  napi_get_undefined(env, &value);
  return value;
}

static napi_value refuse(napi_env env, const char *what) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", what);
  return 0;
}

static napi_value no_memory(napi_env env) {
  napi_throw_error(env, "ENGINE_OUT_OF_MEMORY", "The native engine got no memory from the system.");
  return 0;
}

static napi_value number(napi_env env, double value) {
  napi_value result = 0;
  napi_create_double(env, value, &result);
  return result;
}

static struct call call_of(napi_env env, napi_callback_info info) {
  struct call call = {.env = env, .count = ARGUMENTS_MAX};
  void *instance = 0;
  napi_get_cb_info(env, info, &call.count, call.arguments, 0, 0);
  napi_get_instance_data(env, &instance);
  call.instance = instance;
  return call;
}

static int number_at(const struct call *call, size_t index, uint32_t *value) {
  return index < call->count && napi_get_value_uint32(call->env, call->arguments[index], value) == 0;
}

/* Whether there is an array of this type. */
static int array_at(const struct call *call, size_t index, int type, struct array *array) {
  bool is_array = false;
  if (index >= call->count || napi_is_typedarray(call->env, call->arguments[index], &is_array) != 0 || !is_array) return 0;
  const int status =
      napi_get_typedarray_info(call->env, call->arguments[index], &array->type, &array->length, &array->data, 0, 0);
  return status == 0 && array->type == type;
}

static struct executor **slot_at(const struct call *call, size_t index) {
  uint32_t number;
  if (!number_at(call, index, &number) || number >= STAGES_MAX) return 0;
  return &call->instance->stages[number];
}

static struct executor *stage_at(const struct call *call) {
  struct executor **slot = slot_at(call, 0);
  return slot == 0 ? 0 : *slot;
}

/* open(isa, Uint32Array numbers, Float32Array floats): number of the stage. numbers and floats are those of struct
 * stage_numbers in the order below, then the window and the rope of each layer. */
static napi_value open(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  char name[NAME_BYTES_MAX];
  struct array numbers, floats_;
  if (call.count < 1 || napi_get_value_string_utf8(env, call.arguments[0], name, sizeof name, 0) != 0)
    return refuse(env, "the name of the instructions is a text");
  if (!array_at(&call, 1, napi_uint32_array, &numbers) || numbers.length < 14) return refuse(env, "there are 14 numbers");
  if (!array_at(&call, 2, napi_float32_array, &floats_) || floats_.length != 5) return refuse(env, "there are 5 floats");
  const struct kernels *kernels = choose_kernels(name);
  if (kernels == 0) return refuse(env, "this processor does not run these instructions");
  const uint32_t *n = numbers.data;
  const float *f = floats_.data;
  const struct stage_numbers stage = {
      .hidden = n[0], .heads = n[1], .shared_heads = n[2], .head_size = n[3], .inner = n[4], .vocabulary = n[5],
      .layers = n[6], .has_embedding = n[7], .has_head = n[8], .threads = n[9], .rotary_size = n[10], .gate = n[11],
      .has_output_norms = n[12], .has_local_rope = n[13], .epsilon = f[0], .score_factor = f[1], .embedding_factor = f[2],
      .score_cap = f[3], .logit_cap = f[4], .layer_kinds = n + 14};
  if (numbers.length != 14 + 2 * (size_t)stage.layers) return refuse(env, "there are 2 numbers for each layer");
  for (uint32_t i = 0; i < STAGES_MAX; i++)
    if (call.instance->stages[i] == 0) {
      call.instance->stages[i] = stage_open(&stage, kernels);
      return call.instance->stages[i] == 0 ? no_memory(env) : number(env, i);
    }
  return no_memory(env);
}

/* Elements that the arrays of a source must have; 0 where there are none. */
static int has_lengths(const struct source *s, const struct array *values, const struct array *multipliers,
                       const struct array *scales) {
  const size_t rows = s->rows, groups = s->width / 32;
  if (s->format == 0) return values->length == rows * s->columns;
  if (scales->length != rows) return 0;
  if (s->format == 1) return values->length == rows * s->width;
  return values->length == rows * groups * 16 && multipliers->length == rows * groups;
}

/* load(stage, Uint32Array [layer, tensor, format, rows, columns], values, multipliers, scales): nothing. */
static napi_value load_tensor(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  struct array numbers, values, multipliers = {0}, scales = {0};
  if (stage == 0) return refuse(env, "the stage is open");
  if (!array_at(&call, 1, napi_uint32_array, &numbers) || numbers.length != 5) return refuse(env, "there are 5 numbers");
  const uint32_t *n = numbers.data;
  static const int types[] = {napi_float32_array, napi_int8_array, napi_uint8_array};
  if (n[2] > 2 || n[4] > 1u << 24 || !array_at(&call, 2, types[n[2]], &values)) return refuse(env, "values are of the format");
  if (n[2] == 2 && !array_at(&call, 3, napi_uint8_array, &multipliers)) return refuse(env, "multipliers are bytes");
  if (n[2] != 0 && !array_at(&call, 4, napi_float32_array, &scales)) return refuse(env, "scales are f32");
  const struct source source = {.format = n[2], .rows = n[3], .columns = n[4], .width = (n[4] + 31) / 32 * 32,
                                .values = values.data, .multipliers = multipliers.data};
  if (!has_lengths(&source, &values, &multipliers, &scales)) return refuse(env, "arrays are as long as the tensor");
  switch (stage_load(stage, n[0], n[1], &source, scales.data)) {
    case STAGE_DONE: return undefined(env);
    case STAGE_NO_MEMORY: return no_memory(env);
    default: return refuse(env, "the tensor is one of this stage");
  }
}

/* weightBytes(stage) */
static napi_value weight_bytes(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  if (stage == 0) return refuse(env, "the stage is open");
  return number(env, (double)stage_weight_bytes(stage));
}

/* openCache(stage, capacity, layers): number of the cache. */
static napi_value open_cache(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  uint32_t capacity, layers;
  if (stage == 0) return refuse(env, "the stage is open");
  if (!number_at(&call, 1, &capacity) || !number_at(&call, 2, &layers)) return refuse(env, "capacity and layers are numbers");
  const int32_t cache = stage_open_cache(stage, capacity, layers);
  return cache < 0 ? no_memory(env) : number(env, cache);
}

/* closeCache(stage, cache) */
static napi_value close_cache(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  uint32_t cache;
  if (stage == 0 || !number_at(&call, 1, &cache)) return refuse(env, "the stage is open");
  stage_close_cache(stage, (int32_t)cache);
  return undefined(env);
}

/* run(stage, Uint32Array pass, Int32Array rows, x, logits, ropes, Uint32Array failed): nothing; x, logits and failed are
 * written. pass: firstLayer, lastLayer, hasEmbedding, hasHead, wantedThreads, rowCount, sessions, then indices of the rows whose
 * logits are wanted. rows: cache, position, token, session of each. ropes: cosines of all rows, then sines, then both of the local rope where there is one. */
static napi_value run(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  struct array pass, rows, x, logits, ropes, failed;
  if (stage == 0) return refuse(env, "the stage is open");
  if (!array_at(&call, 1, napi_uint32_array, &pass) || pass.length < 7) return refuse(env, "a pass has 7 numbers");
  if (!array_at(&call, 2, napi_int32_array, &rows) || !array_at(&call, 6, napi_uint32_array, &failed))
    return refuse(env, "rows and failures are integers");
  if (!array_at(&call, 3, napi_float32_array, &x) || !array_at(&call, 4, napi_float32_array, &logits) ||
      !array_at(&call, 5, napi_float32_array, &ropes))
    return refuse(env, "activations are f32");
  const uint32_t *n = pass.data;
  const struct stage_numbers *numbers = stage_numbers_of(stage);
  struct pass_input input = {
      .first_layer = n[0], .last_layer = n[1], .has_embedding = n[2], .has_head = n[3], .wanted_threads = n[4],
      .row_count = n[5], .sessions = n[6], .logit_count = (uint32_t)pass.length - 7, .rows = rows.data, .x = x.data,
      .logits = logits.data, .cos = ropes.data, .logit_rows = n + 7, .failed = failed.data};
  const size_t count = input.row_count, half = numbers->rotary_size / 2;
  const size_t tables = numbers->has_local_rope ? 4 : 2;
  if (count > STAGE_ROWS_MAX || rows.length < count * 4 || failed.length < input.sessions || ropes.length < tables * count * half ||
      x.length < count * ((numbers->hidden + 31) / 32 * 32) ||
      logits.length < input.logit_count * (size_t)((numbers->vocabulary + 15) / 16 * 16))
    return refuse(env, "arrays are as long as the pass");
  input.sin = input.cos + count * half;
  if (numbers->has_local_rope) {
    input.local_cos = input.sin + count * half;
    input.local_sin = input.local_cos + count * half;
  }
  return stage_run(stage, &input) == STAGE_DONE ? undefined(env) : refuse(env, "the pass fits the stage");
}

/* close(stage) */
static napi_value close(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor **slot = slot_at(&call, 0);
  if (slot == 0 || *slot == 0) return refuse(env, "the stage is open");
  stage_close(*slot);
  *slot = 0;
  return undefined(env);
}

/* check(isa): whether these kernels give the bits of the generic ones on this processor. */
static napi_value check(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  char name[NAME_BYTES_MAX];
  if (call.count < 1 || napi_get_value_string_utf8(env, call.arguments[0], name, sizeof name, 0) != 0)
    return refuse(env, "the name of the instructions is a text");
  const struct kernels *kernels = choose_kernels(name);
  return number(env, kernels != 0 && kernels_agree(kernels, choose_kernels("generic")) ? 1 : 0);
}

/* Runs where the environment ends, on its thread. */
static void close_all(void *data) {
  struct instance *instance = data;
  for (uint32_t i = 0; i < STAGES_MAX; i++)
    if (instance->stages[i] != 0) stage_close(instance->stages[i]);
  free(instance);
}

static void add_function(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value = 0;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, function, 0, &value);
  napi_set_named_property(env, exports, name, value);
}

static void add_text(napi_env env, napi_value exports, const char *name, const char *text) {
  napi_value value = 0;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, exports, name, value);
}

NODE_API_EXPORT int32_t node_api_module_get_api_version_v1(void) { return 8; }

NODE_API_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  find_node_api();
  struct instance *instance = calloc(1, sizeof *instance);
  if (instance == 0) return no_memory(env);
  napi_set_instance_data(env, instance, 0, 0);
  napi_add_env_cleanup_hook(env, close_all, instance);
  add_text(env, exports, "sources", SOURCES_HASH);
  /* Names of instructions, the best first; 1: usable here. */
  napi_value usable = 0;
  napi_create_object(env, &usable);
  for (const struct choice *choice = kernel_choices(); choice->kernels != 0; choice++)
    napi_set_named_property(env, usable, choice->kernels->name, number(env, choice->is_usable));
  napi_set_named_property(env, exports, "instructions", usable);
  add_function(env, exports, "open", open);
  add_function(env, exports, "load", load_tensor);
  add_function(env, exports, "weightBytes", weight_bytes);
  add_function(env, exports, "openCache", open_cache);
  add_function(env, exports, "closeCache", close_cache);
  add_function(env, exports, "run", run);
  add_function(env, exports, "close", close);
  add_function(env, exports, "check", check);
  return exports;
}
