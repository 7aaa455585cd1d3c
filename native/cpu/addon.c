/*
 * stage.h for Node: an addon whose instance in each environment (the main thread, each worker thread) has stages of its own,
 * and closes what is left of them when the environment ends. Functions throw a TypeError on arguments that a sound caller
 * does not give, and an error with code ENGINE_OUT_OF_MEMORY.
 */
#include <stdlib.h>

#include "call.h"
#include "caches.h"
#include "detect.h"
#include "passes.h"
#include "self-check.h"

enum { NAME_BYTES_MAX = 32 };

static struct executor **free_slot(struct instance *instance) {
  for (uint32_t i = 0; i < STAGES_MAX; i++)
    if (instance->stages[i] == 0) return &instance->stages[i];
  return 0;
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
  struct executor **slot = free_slot(call.instance);
  if (slot == 0) return no_memory(env);
  *slot = stage_open(&stage, kernels);
  return *slot == 0 ? no_memory(env) : number(env, (double)(slot - call.instance->stages));
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

/* growPages(stage, count): nothing. */
static napi_value grow_pages(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  uint32_t count;
  if (stage == 0 || !number_at(&call, 1, &count)) return refuse(env, "the stage is open");
  return caches_grow(stage_caches(stage), count) ? undefined(env) : no_memory(env);
}

/* placePages(stage, cache, column, Uint32Array pages): nothing. */
static napi_value place_pages(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  uint32_t cache, column;
  struct array pages;
  if (stage == 0 || !number_at(&call, 1, &cache) || !number_at(&call, 2, &column)) return refuse(env, "the stage is open");
  if (!array_at(&call, 3, napi_uint32_array, &pages)) return refuse(env, "pages are numbers");
  const int is_placed = caches_place(stage_caches(stage), (int32_t)cache, column, pages.data, pages.length);
  return is_placed ? undefined(env) : refuse(env, "the pages fit the cache");
}

/* copyPages(stage, Uint32Array pairs, rows): nothing. */
static napi_value copy_pages(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  uint32_t rows;
  struct array pairs;
  if (stage == 0 || !number_at(&call, 2, &rows)) return refuse(env, "the stage is open");
  if (!array_at(&call, 1, napi_uint32_array, &pairs)) return refuse(env, "pages are numbers");
  return caches_copy(stage_caches(stage), pairs.data, pairs.length, rows) ? undefined(env) : refuse(env, "the pages are there");
}

/* clearPages(stage, Uint32Array pages): nothing. */
static napi_value clear_pages(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  struct array pages;
  if (stage == 0 || !array_at(&call, 1, napi_uint32_array, &pages)) return refuse(env, "pages are numbers of an open stage");
  return caches_clear(stage_caches(stage), pages.data, pages.length) ? undefined(env) : refuse(env, "the pages are there");
}

/* close(stage) */
static napi_value close(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  if (stage == 0) return refuse(env, "the stage is open");
  *slot_at(&call, 0) = 0;
  stage_close(stage);
  return undefined(env);
}

/* Stages on their way from the environment that loaded them to the one that uses them. */
static struct executor *given[STAGES_MAX];

/* give(stage): the number of a place, from which another environment of this process takes it. It is no stage of this one any more. */
static napi_value give(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  struct executor *stage = stage_at(&call);
  if (stage == 0) return refuse(env, "the stage is open");
  for (uint32_t i = 0; i < STAGES_MAX; i++) {
    struct executor *none = 0;
    if (!__atomic_compare_exchange_n(&given[i], &none, stage, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) continue;
    *slot_at(&call, 0) = 0;
    return number(env, i);
  }
  return no_memory(env);
}

/* take(place): the stage's number here. */
static napi_value take_given(napi_env env, napi_callback_info info) {
  const struct call call = call_of(env, info);
  uint32_t place;
  if (!number_at(&call, 0, &place) || place >= STAGES_MAX) return refuse(env, "the place is a number");
  struct executor **slot = free_slot(call.instance);
  if (slot == 0) return no_memory(env);
  *slot = __atomic_exchange_n(&given[place], 0, __ATOMIC_SEQ_CST);
  return *slot == 0 ? refuse(env, "a stage was given") : number(env, (double)(slot - call.instance->stages));
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
  add_function(env, exports, "growPages", grow_pages);
  add_function(env, exports, "placePages", place_pages);
  add_function(env, exports, "copyPages", copy_pages);
  add_function(env, exports, "clearPages", clear_pages);
  add_function(env, exports, "run", run);
  add_function(env, exports, "runLater", run_later);
  add_function(env, exports, "give", give);
  add_function(env, exports, "take", take_given);
  add_function(env, exports, "close", close);
  add_function(env, exports, "closeLater", close_later);
  add_function(env, exports, "check", check);
  return exports;
}
