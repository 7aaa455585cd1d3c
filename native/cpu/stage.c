#include "stage.h"

#include "../attention.h"
#include "caches.h"
#include "memory.h"
#include "pool.h"

struct executor {
  struct stage stage; /* as the next pass runs it */
  struct stage_numbers numbers;
  const struct kernels *kernels;
  struct pool *pool;
  struct arena arena;
  struct layer *layers;
  struct embedding embedding;
  struct matrix head;
  const float *output_norm;
  size_t weight_bytes;
  struct caches caches;
  u32 positions_max; /* scratch is long enough for */
  struct row rows[ROWS_MAX];
};

_Static_assert(sizeof(size_t) == 8, "products of sizes below fit 64 bits");
_Static_assert((u32)STAGE_ROWS_MAX == ROWS_MAX, "stage.h tells the rows of a pass");

static u32 padded(u32 columns) { return (columns + GROUP - 1) / GROUP * GROUP; }
static u32 whole_lanes(u32 size) { return (size + 15) / 16 * 16; }

/* Places in struct layer, in the order of enum tensor; vectors are pointers, matrices structures. */
struct place {
  size_t offset;
  u32 is_matrix;
};
#define VECTOR_AT(field) {offsetof(struct layer, field), 0}
#define MATRIX_AT(field) {offsetof(struct layer, field), 1}
static const struct place PLACES[LAYER_TENSORS] = {
    [ATTENTION_NORM] = VECTOR_AT(attention_norm),
    [QUERY] = MATRIX_AT(query),
    [KEY] = MATRIX_AT(key),
    [VALUE] = MATRIX_AT(value),
    [QUERY_BIAS] = VECTOR_AT(query_bias),
    [KEY_BIAS] = VECTOR_AT(key_bias),
    [VALUE_BIAS] = VECTOR_AT(value_bias),
    [QUERY_NORM] = VECTOR_AT(query_norm),
    [KEY_NORM] = VECTOR_AT(key_norm),
    [ATTENTION_OUTPUT] = MATRIX_AT(attention_output),
    [FEED_FORWARD_NORM] = VECTOR_AT(feed_forward_norm),
    [GATE] = MATRIX_AT(gate),
    [UP] = MATRIX_AT(up),
    [DOWN] = MATRIX_AT(down),
    [ATTENTION_OUTPUT_NORM] = VECTOR_AT(attention_output_norm),
    [FEED_FORWARD_OUTPUT_NORM] = VECTOR_AT(feed_forward_output_norm),
};

/* Rows and columns that a tensor of this model has. */
static void shape_of(const struct stage_numbers *n, u32 tensor, u32 *rows, u32 *columns) {
  const u32 query = n->heads * n->head_size, key = n->shared_heads * n->head_size;
  const u32 shapes[TENSORS][2] = {
      [ATTENTION_NORM] = {n->hidden, 1}, [QUERY] = {query, n->hidden},  [KEY] = {key, n->hidden},
      [VALUE] = {key, n->hidden},        [QUERY_BIAS] = {query, 1},     [KEY_BIAS] = {key, 1},
      [VALUE_BIAS] = {key, 1},           [QUERY_NORM] = {n->head_size, 1}, [KEY_NORM] = {n->head_size, 1},
      [ATTENTION_OUTPUT] = {n->hidden, query}, [FEED_FORWARD_NORM] = {n->hidden, 1},
      [GATE] = {n->inner, n->hidden},    [UP] = {n->inner, n->hidden},  [DOWN] = {n->hidden, n->inner},
      [ATTENTION_OUTPUT_NORM] = {n->hidden, 1}, [FEED_FORWARD_OUTPUT_NORM] = {n->hidden, 1},
      [EMBEDDING] = {n->vocabulary, n->hidden}, [OUTPUT_NORM] = {n->hidden, 1}, [HEAD] = {n->vocabulary, n->hidden},
  };
  *rows = shapes[tensor][0];
  *columns = shapes[tensor][1];
}

static void *take(struct executor *e, size_t bytes) { return arena_take(&e->arena, bytes); }

static void *take_rows(struct executor *e, u32 width) { return take(e, (size_t)ROWS_MAX * width * sizeof(float)); }

static int open_operand(struct executor *e, struct operand *operand, u32 width) {
  operand->width = width;
  operand->values = take_rows(e, width);
  operand->wide = take(e, (size_t)ROWS_MAX * width * sizeof(i16));
  operand->narrow = take(e, (size_t)ROWS_MAX * (width / GROUP) * e->kernels->narrow_group);
  operand->scales = take(e, ROWS_MAX * sizeof(float));
  return operand->values && operand->wide && operand->narrow && operand->scales;
}

static int open_scratch(struct executor *e, const struct stage_numbers *n) {
  struct stage *s = &e->stage;
  const u32 query = padded(n->heads * n->head_size), key = padded(n->shared_heads * n->head_size);
  const u32 hidden = padded(n->hidden), inner = padded(n->inner), head = whole_lanes(n->head_size);
  s->hidden = n->hidden;
  s->hidden_width = hidden;
  s->heads = n->heads;
  s->shared_heads = n->shared_heads;
  s->head_size = n->head_size;
  s->head_width = head;
  s->rotary_size = n->rotary_size;
  s->gate = n->gate;
  s->embedding_factor = n->embedding_factor;
  s->score_cap = n->score_cap;
  s->logit_cap = n->logit_cap;
  s->branch = n->has_output_norms ? take_rows(e, hidden) : 0;
  s->epsilon = n->epsilon;
  s->score_factor = n->score_factor;
  s->query_width = query;
  s->key_width = key;
  s->logits_width = whole_lanes(n->vocabulary);
  s->query = take_rows(e, query);
  s->key = take_rows(e, key);
  s->value = take_rows(e, key);
  s->rotated = take_rows(e, n->heads * head);
  s->up = take_rows(e, inner);
  e->layers = take(e, (n->layers + 1) * sizeof *e->layers);
  for (u32 i = 0; e->layers && n->layer_kinds && i < n->layers; i++) {
    e->layers[i].window = n->layer_kinds[2 * i];
    e->layers[i].rope = n->layer_kinds[2 * i + 1];
  }
  const int has_operands = open_operand(e, &s->hidden_operand, hidden) && open_operand(e, &s->mixed_operand, query) &&
                           open_operand(e, &s->inner_operand, inner);
  const int has_branch = !n->has_output_norms || s->branch;
  return has_operands && has_branch && s->query && s->key && s->value && s->rotated && s->up && e->layers;
}

static int fit_a_model(const struct stage_numbers *n) {
  const u32 most = 1u << 20, sizes[] = {n->hidden, n->heads, n->shared_heads, n->head_size, n->inner, n->vocabulary};
  for (u32 i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (sizes[i] == 0 || sizes[i] > most) return 0;
  for (u32 i = 0; n->layer_kinds && i < n->layers; i++) {
    const u32 rope = n->layer_kinds[2 * i + 1];
    if (rope > ROPE_NONE || (rope == ROPE_LOCAL && !n->has_local_rope)) return 0;
  }
  if (n->rotary_size == 0 || n->rotary_size > n->head_size || n->rotary_size % 2 != 0 || n->gate > GATE_GELU) return 0;
  return n->heads % n->shared_heads == 0 && n->head_size <= STAGE_HEAD_SIZE_MAX && n->head_size % 2 == 0 &&
         n->heads < 65536 && (uint64_t)n->heads * n->head_size <= most && n->layers <= 4096 && n->threads >= 1 &&
         n->threads <= POOL_THREADS_MAX;
}

struct executor *stage_open(const struct stage_numbers *numbers, const struct kernels *kernels) {
  if (!fit_a_model(numbers)) return 0;
  struct arena arena = {0};
  struct executor *e = arena_take(&arena, sizeof *e);
  if (e == 0) return 0;
  e->arena = arena;
  e->numbers = *numbers;
  e->numbers.layer_kinds = 0;
  e->kernels = kernels;
  caches_open(&e->caches, numbers->shared_heads, whole_lanes(numbers->head_size));
  if (open_scratch(e, numbers)) e->pool = pool_open(kernels, numbers->threads);
  if (e->pool != 0) return e;
  stage_close(e);
  return 0;
}

void stage_close(struct executor *e) {
  if (e->pool != 0) pool_close(e->pool);
  caches_close(&e->caches);
  if (e->stage.scores != 0) pages_give(e->stage.scores, (size_t)e->numbers.threads * TASK_HEADS * e->stage.scores_width * 4);
  struct arena arena = e->arena; /* which holds e */
  arena_close(&arena);
}

static const float *load_floats(struct executor *e, const float *from, u32 count, u32 room) {
  float *to = take(e, room * sizeof *to);
  if (to == 0) return 0;
  __builtin_memcpy(to, from, count * sizeof *to);
  e->weight_bytes += room * sizeof *to;
  return to;
}

static enum stage_result load_vector(struct executor *e, const struct source *source, const float **to) {
  if (source->format != FORMAT_F32) return STAGE_BAD_INPUT;
  *to = load_floats(e, source->values, source->rows, padded(source->rows));
  return *to == 0 ? STAGE_NO_MEMORY : STAGE_DONE;
}

/* The embedding keeps the form of the specification. */
static enum stage_result load_embedding(struct executor *e, const struct source *source, const float *scales) {
  const size_t row_bytes = source->format == FORMAT_F32  ? (size_t)source->columns * sizeof(float)
                           : source->format == FORMAT_Q8 ? source->width
                                                         : source->width / 2;
  const size_t bytes = row_bytes * source->rows, more = (size_t)source->rows * (source->width / GROUP);
  struct embedding embedding = {.format = source->format, .width = source->width};
  u8 *data = take(e, bytes);
  if (data == 0) return STAGE_NO_MEMORY;
  __builtin_memcpy(data, source->values, bytes);
  embedding.data = data;
  e->weight_bytes += bytes;
  if (source->format == FORMAT_F32) embedding.width = source->columns;
  if (source->format == FORMAT_Q4) {
    u8 *multipliers = take(e, more);
    if (multipliers == 0) return STAGE_NO_MEMORY;
    __builtin_memcpy(multipliers, source->multipliers, more);
    embedding.multipliers = multipliers;
    e->weight_bytes += more;
  }
  if (source->format != FORMAT_F32) {
    embedding.scales = load_floats(e, scales, source->rows, source->rows);
    if (embedding.scales == 0) return STAGE_NO_MEMORY;
  }
  e->embedding = embedding;
  return STAGE_DONE;
}

static enum stage_result load_matrix(struct executor *e, const struct source *source, const float *scales, struct matrix *to) {
  const struct kernels *k = e->kernels;
  const u32 units = (source->rows + k->unit - 1) / k->unit;
  const size_t bytes = k->packed_bytes(source->format, source->rows, source->width);
  struct matrix matrix = {.format = source->format, .units = units, .width = source->width};
  u8 *data = take(e, bytes);
  if (data == 0) return STAGE_NO_MEMORY;
  k->pack(source, data);
  matrix.data = data;
  e->weight_bytes += bytes;
  if (source->format != FORMAT_F32) {
    matrix.scales = load_floats(e, scales, source->rows, units * k->unit);
    if (matrix.scales == 0) return STAGE_NO_MEMORY;
  }
  *to = matrix;
  return STAGE_DONE;
}

enum stage_result stage_load(struct executor *e, u32 layer, u32 tensor, const struct source *source, const float *scales) {
  if (tensor >= TENSORS || (tensor < LAYER_TENSORS && layer >= e->numbers.layers)) return STAGE_BAD_INPUT;
  u32 rows, columns;
  shape_of(&e->numbers, tensor, &rows, &columns);
  if ((tensor == ATTENTION_OUTPUT_NORM || tensor == FEED_FORWARD_OUTPUT_NORM) && !e->numbers.has_output_norms)
    return STAGE_BAD_INPUT;
  if (source->rows != rows || source->columns != columns || source->format > FORMAT_Q4) return STAGE_BAD_INPUT;
  if (tensor == OUTPUT_NORM) return load_vector(e, source, &e->output_norm);
  if (tensor == EMBEDDING) return load_embedding(e, source, scales);
  if (tensor == HEAD) return load_matrix(e, source, scales, &e->head);
  const struct place *place = &PLACES[tensor];
  char *at = (char *)&e->layers[layer] + place->offset;
  if (place->is_matrix) return load_matrix(e, source, scales, (struct matrix *)(void *)at);
  return load_vector(e, source, (const float **)(void *)at);
}

static int is_optional(const struct executor *e, u32 tensor) {
  if (tensor == ATTENTION_OUTPUT_NORM || tensor == FEED_FORWARD_OUTPUT_NORM) return !e->numbers.has_output_norms;
  return tensor >= QUERY_BIAS && tensor <= KEY_NORM;
}

int stage_is_whole(const struct executor *e) {
  for (u32 layer = 0; layer < e->numbers.layers; layer++)
    for (u32 tensor = 0; tensor < LAYER_TENSORS; tensor++) {
      const char *at = (const char *)&e->layers[layer] + PLACES[tensor].offset;
      const int is_there = PLACES[tensor].is_matrix ? ((const struct matrix *)(const void *)at)->data != 0
                                                    : *(const float *const *)(const void *)at != 0;
      if (!is_there && !is_optional(e, tensor)) return 0;
    }
  if (e->numbers.has_embedding && e->embedding.data == 0) return 0;
  return !e->numbers.has_head || (e->output_norm != 0 && e->head.data != 0);
}

const struct stage_numbers *stage_numbers_of(const struct executor *e) { return &e->numbers; }

size_t stage_weight_bytes(const struct executor *e) { return e->weight_bytes; }

/* Makes sure that scores of so many positions fit; doubling bounds how often they move. */
static int allow_positions(struct executor *e, u32 capacity) {
  if (capacity <= e->positions_max && e->stage.scores != 0) return 1;
  u32 positions = e->positions_max * 2 > capacity ? e->positions_max * 2 : capacity;
  if (positions < 1024) positions = 1024;
  const u32 width = whole_lanes(positions + 16);
  const size_t rows = (size_t)e->numbers.threads * TASK_HEADS;
  float *scores = pages_take(rows * width * sizeof *scores);
  if (scores == 0) return 0;
  if (e->stage.scores != 0) pages_give(e->stage.scores, rows * e->stage.scores_width * sizeof *scores);
  e->stage.scores = scores;
  e->stage.scores_width = width;
  e->positions_max = positions;
  return 1;
}

i32 stage_open_cache(struct executor *e, u32 capacity, u32 layers) {
  if (capacity == 0 || capacity > 1u << 24 || layers > e->numbers.layers || !allow_positions(e, capacity)) return -1;
  return caches_add(&e->caches, capacity, layers);
}

void stage_close_cache(struct executor *e, i32 cache) { caches_remove(&e->caches, cache); }

struct caches *stage_caches(struct executor *e) { return &e->caches; }

static int is_sound_row(const struct executor *e, const struct pass_input *in, const struct pass_row *row) {
  const struct cache *cache = caches_get(&e->caches, row->cache);
  if (cache == 0 || row->session < 0 || (u32)row->session >= in->sessions) return 0;
  if (row->position < 0 || (u32)row->position >= cache->capacity) return 0;
  if ((u32)row->position / PAGE_POSITIONS >= cache->placed || cache->layers < in->last_layer - in->first_layer) return 0;
  return !in->has_embedding || (row->token >= 0 && (u32)row->token < e->numbers.vocabulary);
}

static int is_sound(const struct executor *e, const struct pass_input *in) {
  if (in->row_count == 0 || in->row_count > ROWS_MAX || in->sessions > ROWS_MAX || in->logit_count > in->row_count) return 0;
  if (in->first_layer > in->last_layer || in->last_layer > e->numbers.layers) return 0;
  if ((in->has_embedding && !e->numbers.has_embedding) || (in->logit_count > 0 && !in->has_head)) return 0;
  if ((in->has_head && !e->numbers.has_head) || !stage_is_whole(e)) return 0;
  if (e->numbers.has_local_rope && (in->local_cos == 0 || in->local_sin == 0)) return 0;
  for (u32 i = 0; i < in->row_count; i++)
    if (!is_sound_row(e, in, &in->rows[i])) return 0;
  for (u32 i = 0; i < in->logit_count; i++)
    if (in->logit_rows[i] >= in->row_count) return 0;
  return 1;
}

enum stage_result stage_run(struct executor *e, const struct pass_input *in) {
  if (!is_sound(e, in)) return STAGE_BAD_INPUT;
  struct stage *s = &e->stage;
  s->layer_count = in->last_layer - in->first_layer;
  s->layers = e->layers + in->first_layer;
  s->embedding = in->has_embedding ? &e->embedding : 0;
  s->output_norm = e->output_norm;
  s->head = &e->head;
  s->x = in->x;
  s->logits = in->logits;
  s->cos = in->cos;
  s->sin = in->sin;
  s->local_cos = in->local_cos;
  s->local_sin = in->local_sin;
  for (u32 i = 0; i < in->row_count; i++) {
    const struct pass_row *row = &in->rows[i];
    const struct cache *cache = caches_get(&e->caches, row->cache);
    e->rows[i] = (struct row){cache->pages, cache->columns, (u32)row->position, row->token, (u32)row->session};
  }
  __builtin_memset(in->failed, 0, in->sessions * sizeof *in->failed);
  const struct job job = {s, in->row_count, e->rows, in->failed, in->logit_count, in->logit_rows};
  const u32 wanted = in->wanted_threads < 1 ? 1 : at_most(in->wanted_threads, e->numbers.threads);
  pool_run(e->pool, &job, wanted);
  return STAGE_DONE;
}
