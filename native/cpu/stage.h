/*
 * A stage on processors: a run of layers with its weights, scratch, caches and threads, made from numbers and arrays. Knows
 * nothing of JavaScript (addon.c) and nothing of instructions (kernels.h). One thread at a time may use a stage.
 */
#ifndef EXACT1_STAGE_H
#define EXACT1_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

struct caches;
struct executor;

struct stage_numbers {
  uint32_t hidden, heads, shared_heads, head_size, inner, vocabulary;
  uint32_t layers, has_embedding, has_head, threads;
  uint32_t rotary_size, gate, has_output_norms, has_local_rope; /* as in exact1.h */
  float epsilon, score_factor, embedding_factor, score_cap, logit_cap;
  const uint32_t *layer_kinds; /* (layers, 2): window (0: none) and rope of each; or NULL: zeros. Read by stage_open alone */
};

enum stage_result { STAGE_DONE = 0, STAGE_NO_MEMORY = 1, STAGE_BAD_INPUT = 2 };

/* Tensors in the order of src/ml/engine/native-weights.ts. */
enum tensor {
  ATTENTION_NORM, QUERY, KEY, VALUE, QUERY_BIAS, KEY_BIAS, VALUE_BIAS, QUERY_NORM, KEY_NORM, ATTENTION_OUTPUT,
  FEED_FORWARD_NORM, GATE, UP, DOWN, ATTENTION_OUTPUT_NORM, FEED_FORWARD_OUTPUT_NORM, LAYER_TENSORS,
  EMBEDDING = LAYER_TENSORS, OUTPUT_NORM, HEAD, TENSORS,
};

/* One position of one session. */
struct pass_row {
  int32_t cache; /* of stage_open_cache */
  int32_t position, token, session;
};

/* Arrays are the caller's, for the time of the call. */
struct pass_input {
  uint32_t first_layer, last_layer, has_embedding, has_head, wanted_threads, row_count, sessions, logit_count;
  const struct pass_row *rows;
  float *x;                    /* (64, hidden rounded up to 32): rows that enter, without an embedding, and leave */
  float *logits;               /* (logit_count, vocabulary rounded up to 16) */
  const float *cos, *sin;      /* (row_count, rotary_size / 2) */
  const float *local_cos, *local_sin; /* the same, where there is a local rope */
  const uint32_t *logit_rows;  /* (logit_count) indices into rows */
  uint32_t *failed;            /* (sessions) */
};

enum { STAGE_ROWS_MAX = 64, STAGE_HEAD_SIZE_MAX = 1024 };

/* NULL: no memory, or numbers that fit no model. */
struct executor *stage_open(const struct stage_numbers *numbers, const struct kernels *kernels);
/* A matrix or a vector (columns 1, f32); its rows and columns must be those of the numbers. */
enum stage_result stage_load(struct executor *stage, uint32_t layer, uint32_t tensor, const struct source *source,
                             const float *scales);
/* Whether every tensor that a pass reads is there. */
int stage_is_whole(const struct executor *stage);
const struct stage_numbers *stage_numbers_of(const struct executor *stage);
/* Bytes that weights take. */
size_t stage_weight_bytes(const struct executor *stage);
/* A cache for `capacity` positions of so many layers, still without pages: its number, or -1 where there is no memory. */
int32_t stage_open_cache(struct executor *stage, uint32_t capacity, uint32_t layers);
void stage_close_cache(struct executor *stage, int32_t cache);
/* Whose pages are placed, copied and cleared between two runs. */
struct caches *stage_caches(struct executor *stage);
enum stage_result stage_run(struct executor *stage, const struct pass_input *input);
/* Ends its threads and frees everything. */
void stage_close(struct executor *stage);

#endif
