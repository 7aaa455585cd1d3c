#include "self-check.h"

#include <stdlib.h>
#include <string.h>

#include "caches.h"
#include "stage.h"

/* Fan-ins of no whole group, one of more than one run (Q8_RUN, Q4_RUN), rows of no whole unit, heads that share keys. */
enum { HIDDEN = 41, HEADS = 3, HEAD_SIZE = 24, INNER = 1097, ROWS = 7, HIDDEN_WIDTH = 64, INNER_WIDTH = 1120, KINDS = 5 };
enum { VALUES_MAX = INNER * HIDDEN_WIDTH };
_Static_assert(VALUES_MAX >= HIDDEN * INNER_WIDTH, "every matrix has room");

struct noise {
  uint32_t state;
};

/* Marsaglia's xorshift32. */
static uint32_t next(struct noise *noise) {
  uint32_t s = noise->state;
  s ^= s << 13;
  s ^= s >> 17;
  s ^= s << 5;
  return noise->state = s;
}

struct room {
  union {
    float f32[VALUES_MAX];
    int8_t q8[VALUES_MAX];
    uint8_t q4[VALUES_MAX / 2];
  } values;
  uint8_t multipliers[VALUES_MAX / 32];
  float scales[INNER];
};

/* Integers at their bounds and rows without variation bring sums to theirs. */
struct kind {
  uint32_t format, is_extreme;
};

static int load(struct executor *stage, uint32_t tensor, const uint32_t shape[4], struct room *room, struct noise *noise) {
  const uint32_t is_extreme = shape[3];
  struct source source = {.format = shape[0], .rows = shape[1], .columns = shape[2], .width = (shape[2] + 31) / 32 * 32,
                          .values = &room->values, .multipliers = room->multipliers};
  const size_t count = (size_t)source.rows * source.width;
  if (source.format == 0)
    for (size_t i = 0; i < (size_t)source.rows * source.columns; i++)
      room->values.f32[i] = is_extreme ? 1.0f : ((float)(next(noise) >> 8) / 8388608.0f - 1.0f) * 0.3f;
  if (source.format == 1)
    for (size_t i = 0; i < count; i++)
      room->values.q8[i] = i % source.width >= source.columns ? 0 : is_extreme ? 127 : (int8_t)((int)(next(noise) >> 8) % 255 - 127);
  if (source.format == 2)
    for (size_t i = 0; i < count / 2; i++) room->values.q4[i] = is_extreme ? 0 : (uint8_t)(next(noise) >> 8);
  for (size_t i = 0; i < count / 32; i++) room->multipliers[i] = is_extreme ? 63 : (uint8_t)(1 + (next(noise) >> 8) % 63);
  for (uint32_t i = 0; i < source.rows; i++) room->scales[i] = 0.001f + (float)(next(noise) >> 20) * 1e-7f;
  return stage_load(stage, 0, tensor, &source, room->scales) == STAGE_DONE;
}

/* The rows that leave one layer; 0: no memory. */
static int compute(const struct kernels *kernels, struct kind kind, struct room *room, float *x) {
  const struct stage_numbers numbers = {.hidden = HIDDEN, .heads = HEADS, .shared_heads = 1, .head_size = HEAD_SIZE,
                                        .inner = INNER, .vocabulary = 8, .layers = 1, .threads = 1, .epsilon = 1e-5f,
                                        .score_factor = 0.2f,
                                        .rotary_size = HEAD_SIZE, .embedding_factor = 1};
  struct executor *stage = stage_open(&numbers, kernels);
  if (stage == 0) return 0;
  struct noise noise = {.state = 2463534242u};
  const uint32_t query = HEADS * HEAD_SIZE, key = HEAD_SIZE;
  const uint32_t vectors[][2] = {{ATTENTION_NORM, HIDDEN}, {FEED_FORWARD_NORM, HIDDEN}};
  const uint32_t matrices[][3] = {{QUERY, query, HIDDEN}, {KEY, key, HIDDEN},   {VALUE, key, HIDDEN}, {ATTENTION_OUTPUT, HIDDEN, query},
                                  {GATE, INNER, HIDDEN},  {UP, INNER, HIDDEN}, {DOWN, HIDDEN, INNER}};
  int is_done = 1;
  for (int i = 0; i < 2; i++)
    is_done &= load(stage, vectors[i][0], (const uint32_t[]){0, vectors[i][1], 1, kind.is_extreme}, room, &noise);
  for (int i = 0; i < 7; i++)
    is_done &= load(stage, matrices[i][0], (const uint32_t[]){kind.format, matrices[i][1], matrices[i][2], kind.is_extreme}, room, &noise);
  float cosines[ROWS * HEAD_SIZE / 2], sines[ROWS * HEAD_SIZE / 2];
  for (int i = 0; i < ROWS * HEAD_SIZE / 2; i++) {
    cosines[i] = (float)(next(&noise) >> 8) / 16777216.0f;
    sines[i] = (float)(next(&noise) >> 8) / 16777216.0f;
  }
  memset(x, 0, ROWS * HIDDEN_WIDTH * sizeof *x);
  for (int row = 0; row < ROWS; row++)
    for (int i = 0; i < HIDDEN; i++) x[row * HIDDEN_WIDTH + i] = kind.is_extreme ? -3.0f : (float)(next(&noise) >> 8) / 8388608.0f - 1.0f;
  uint32_t failed = 0;
  struct pass_row rows[ROWS];
  for (int row = 0; row < ROWS; row++) rows[row] = (struct pass_row){.position = row};
  is_done &= stage_open_cache(stage, ROWS, 1) == 0 && caches_grow(stage_caches(stage), 1) &&
             caches_place(stage_caches(stage), 0, 0, (const uint32_t[]){0}, 1);
  struct pass_input pass = {.last_layer = 1, .wanted_threads = 1, .row_count = ROWS - 1, .sessions = 1, .rows = rows, .x = x,
                            .cos = cosines, .sin = sines, .failed = &failed};
  is_done = is_done && stage_run(stage, &pass) == STAGE_DONE && failed == 0;
  /* One row alone takes other ways than many. */
  pass.row_count = 1;
  pass.rows = rows + ROWS - 1;
  pass.x = x + (ROWS - 1) * HIDDEN_WIDTH;
  is_done = is_done && stage_run(stage, &pass) == STAGE_DONE && failed == 0;
  stage_close(stage);
  return is_done;
}

/* FNV-1a of the rows of each kind, as GCC and clang give them for x64 and arm64: all kernels of one build may err alike, where a
 * compiler contracts or reassociates unasked. */
static const uint64_t EXPECTED[KINDS] = {0x38b1ffa12d3054c9u, 0x0fcb826d63e7e738u, 0x35ea5131fd90c472u, 0xf11e8c7e40aa720au,
                                         0x355af510d396d456u};

static uint64_t digest_of(const float *x) {
  const uint8_t *bytes = (const uint8_t *)x;
  uint64_t digest = 1469598103934665603u;
  for (size_t i = 0; i < ROWS * HIDDEN_WIDTH * sizeof *x; i++) digest = (digest ^ bytes[i]) * 1099511628211u;
  return digest;
}

int kernels_agree(const struct kernels *one, const struct kernels *other) {
  if (one == 0 || other == 0) return 0;
  float *found = malloc(2 * ROWS * HIDDEN_WIDTH * sizeof *found), *expected = found + ROWS * HIDDEN_WIDTH;
  struct room *room = malloc(sizeof *room);
  int agree = found != 0 && room != 0;
  const struct kind kinds[KINDS] = {{0, 0}, {1, 0}, {2, 0}, {1, 1}, {2, 1}};
  for (size_t i = 0; agree && i < KINDS; i++)
    agree = compute(one, kinds[i], room, found) && digest_of(found) == EXPECTED[i] && compute(other, kinds[i], room, expected) &&
            memcmp(found, expected, ROWS * HIDDEN_WIDTH * sizeof *found) == 0;
  free(found);
  free(room);
  return agree;
}
