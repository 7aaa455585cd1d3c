/*
 * What functions of the addon share: their arguments, their refusals, the stages of an environment.
 */
#ifndef EXACT1_CALL_H
#define EXACT1_CALL_H

#include "node-api.h"
#include "stage.h"

enum { ARGUMENTS_MAX = 8, STAGES_MAX = 1024 };

struct instance {
  struct executor *stages[STAGES_MAX]; /* a stage's number is its place */
  bool is_running[STAGES_MAX];         /* a pass of this stage is computed by another thread */
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

static inline napi_value undefined(napi_env env) {
  napi_value value = 0;
  napi_get_undefined(env, &value);
  return value;
}

static inline napi_value refuse(napi_env env, const char *what) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", what);
  return 0;
}

static inline napi_value no_memory(napi_env env) {
  napi_throw_error(env, "ENGINE_OUT_OF_MEMORY", "The native engine got no memory from the system.");
  return 0;
}

static inline napi_value number(napi_env env, double value) {
  napi_value result = 0;
  napi_create_double(env, value, &result);
  return result;
}

static inline struct call call_of(napi_env env, napi_callback_info info) {
  struct call call = {.env = env, .count = ARGUMENTS_MAX};
  void *instance = 0;
  napi_get_cb_info(env, info, &call.count, call.arguments, 0, 0);
  napi_get_instance_data(env, &instance);
  call.instance = instance;
  return call;
}

static inline int number_at(const struct call *call, size_t index, uint32_t *value) {
  return index < call->count && napi_get_value_uint32(call->env, call->arguments[index], value) == 0;
}

/* Whether there is an array of this type. */
static inline int array_at(const struct call *call, size_t index, int type, struct array *array) {
  bool is_array = false;
  if (index >= call->count || napi_is_typedarray(call->env, call->arguments[index], &is_array) != 0 || !is_array) return 0;
  const int status =
      napi_get_typedarray_info(call->env, call->arguments[index], &array->type, &array->length, &array->data, 0, 0);
  return status == 0 && array->type == type;
}

static inline struct executor **slot_at(const struct call *call, size_t index) {
  uint32_t number;
  if (!number_at(call, index, &number) || number >= STAGES_MAX) return 0;
  return &call->instance->stages[number];
}

/* 0: none, or not now, since a pass of it runs: one thread at a time may use a stage. */
static inline struct executor *stage_at(const struct call *call) {
  struct executor **slot = slot_at(call, 0);
  return slot == 0 || call->instance->is_running[slot - call->instance->stages] ? 0 : *slot;
}

#endif
