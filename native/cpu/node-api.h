/*
 * The part of Node-API that addon.c uses: declarations alone, version 8. The binary interface is stable across versions of Node
 * and given by the process that loads the addon, so that building needs no headers of Node. https://nodejs.org/api/n-api.html
 */
#ifndef EXACT1_NODE_API_H
#define EXACT1_NODE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef int napi_status; /* 0: napi_ok */
typedef napi_value (*napi_callback)(napi_env env, napi_callback_info info);
typedef void (*napi_finalize)(napi_env env, void *data, void *hint);
typedef struct napi_async_work__ *napi_async_work;
typedef struct napi_deferred__ *napi_deferred;
typedef struct napi_ref__ *napi_ref;
typedef void (*napi_async_execute_callback)(napi_env env, void *data);
typedef void (*napi_async_complete_callback)(napi_env env, napi_status status, void *data);

/* enum napi_typedarray_type */
enum {
  napi_int8_array, napi_uint8_array, napi_uint8_clamped_array, napi_int16_array, napi_uint16_array, napi_int32_array,
  napi_uint32_array, napi_float32_array, napi_float64_array,
};

#define NAPI_AUTO_LENGTH SIZE_MAX

/* X(result, name, parameters) for each function. */
#define NODE_API_FUNCTIONS(X)                                                                                              \
  X(napi_get_cb_info, (napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **))                       \
  X(napi_create_function, (napi_env, const char *, size_t, napi_callback, void *, napi_value *))                           \
  X(napi_set_named_property, (napi_env, napi_value, const char *, napi_value))                                             \
  X(napi_create_object, (napi_env, napi_value *))                                                                          \
  X(napi_create_double, (napi_env, double, napi_value *))                                                                  \
  X(napi_create_string_utf8, (napi_env, const char *, size_t, napi_value *))                                               \
  X(napi_get_undefined, (napi_env, napi_value *))                                                                          \
  X(napi_get_value_uint32, (napi_env, napi_value, uint32_t *))                                                             \
  X(napi_get_value_string_utf8, (napi_env, napi_value, char *, size_t, size_t *))                                          \
  X(napi_is_typedarray, (napi_env, napi_value, bool *))                                                                    \
  X(napi_get_typedarray_info, (napi_env, napi_value, int *, size_t *, void **, napi_value *, size_t *))                    \
  X(napi_throw_error, (napi_env, const char *, const char *))                                                              \
  X(napi_throw_type_error, (napi_env, const char *, const char *))                                                         \
  X(napi_create_type_error, (napi_env, napi_value, napi_value, napi_value *))                                              \
  X(napi_create_reference, (napi_env, napi_value, uint32_t, napi_ref *))                                                   \
  X(napi_delete_reference, (napi_env, napi_ref))                                                                           \
  X(napi_create_promise, (napi_env, napi_deferred *, napi_value *))                                                        \
  X(napi_resolve_deferred, (napi_env, napi_deferred, napi_value))                                                          \
  X(napi_reject_deferred, (napi_env, napi_deferred, napi_value))                                                           \
  X(napi_create_async_work, (napi_env, napi_value, napi_value, napi_async_execute_callback, napi_async_complete_callback,  \
                             void *, napi_async_work *))                                                                   \
  X(napi_queue_async_work, (napi_env, napi_async_work))                                                                    \
  X(napi_delete_async_work, (napi_env, napi_async_work))                                                                   \
  X(napi_set_instance_data, (napi_env, void *, napi_finalize, void *))                                                     \
  X(napi_get_instance_data, (napi_env, void **))                                                                           \
  X(napi_add_env_cleanup_hook, (napi_env, void (*)(void *), void *))

#if defined(_WIN32)
/* Windows resolves names in one module only: they are looked up in the process that loads the addon. */
#include <windows.h>
#define DECLARE(name, parameters) static napi_status(*name) parameters;
#define FIND(name, parameters) name = (napi_status(*) parameters)(void *)GetProcAddress(GetModuleHandleW(0), #name);
NODE_API_FUNCTIONS(DECLARE)
static inline void find_node_api(void) { NODE_API_FUNCTIONS(FIND) }
#define NODE_API_EXPORT __declspec(dllexport)
#else
#define DECLARE(name, parameters) extern napi_status name parameters;
NODE_API_FUNCTIONS(DECLARE)
static inline void find_node_api(void) {}
#define NODE_API_EXPORT __attribute__((visibility("default")))
#endif

#endif
