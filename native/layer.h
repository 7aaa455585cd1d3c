/*
 * The phases of a stage for the rows of one pass: docs/spec/numerics.md §6. Each function is run by the threads that come;
 * the work inside is claimed piece by piece (threads.h), and the next phase begins when all pieces are done.
 */
#ifndef EXACT1_LAYER_H
#define EXACT1_LAYER_H

#include "attention.h"
#include "products.h"
#include "quantize.h"
#include "threads.h"

/* What the phases of one pass share. */
struct pass {
  struct team team;
  const struct stage *stage;
  const struct job *job;
};

static inline u32 needs(const struct matrix *m) { return 1u << m->format; }

static inline void add_to(float *y, const float *more, u32 n) {
  for (u32 i = 0; i < n; i += 4) store4(y + i, load4(y + i) + load4(more + i));
}

/* §3: row `token` of the embedding. */
static void embed(const struct embedding *e, u32 token, float *x, u32 hidden) {
  if (e->format == FORMAT_F32) {
    const float *from = (const float *)e->data + (size_t)token * e->width;
    for (u32 k = 0; k < hidden; k++) x[k] = from[k];
  } else if (e->format == FORMAT_Q8) {
    const i8 *from = (const i8 *)e->data + (size_t)token * e->width;
    for (u32 k = 0; k < hidden; k++) x[k] = (float)from[k] * e->scales[token];
  } else {
    const u8 *from = e->data + (size_t)token * (e->width / 2);
    const u8 *multipliers = e->multipliers + (size_t)token * (e->width / GROUP);
    for (u32 k = 0; k < hidden; k++) {
      u32 byte = from[k / GROUP * 16 + k % 16];
      i32 value = (i32)(k % GROUP < 16 ? byte & 15 : byte >> 4) - 8;
      x[k] = (float)(value * multipliers[k / GROUP]) * e->scales[token];
    }
  }
}

static void embed_rows(const struct pass *p) {
  const struct stage *s = p->stage;
  u32 row, last;
  while (claim(&p->team, p->job->row_count, 1, &row, &last)) {
    float *x = s->x + row * s->hidden_width;
    embed(s->embedding, (u32)p->job->rows[row].token, x, s->hidden);
    if (s->embedding_factor != 1.0f)
      for (u32 k = 0; k < s->hidden; k++) x[k] = x[k] * s->embedding_factor;
    /* A row that failed before may have left NaN in the padding. */
    for (u32 k = s->hidden; k < s->hidden_width; k++) x[k] = 0;
  }
}

/* §6.1 and §4: row `from` of x, normed, is row `to` of the hidden operand, in the forms named. */
static void norm_row(const struct pass *p, u32 from, u32 to, u32 rows, const float *gain, u32 formats) {
  const struct stage *s = p->stage;
  const u32 width = s->hidden_width;
  const float *x = s->x + from * width;
  float *y = s->hidden_operand.values + to * width;
  int bad = 0;
  const floats factor = all(norm_factor(x, s->hidden, s->epsilon, &bad));
  if (bad) fail(p->job, from, BAD_NORM);
  for (u32 k = 0; k < width; k += WIDTH) store(y + k, (load(x + k) * factor) * load(gain + k));
  if (!quantize_row(&s->hidden_operand, to, rows, formats)) fail(p->job, from, BAD_OPERAND);
}

static void norm_rows(const struct pass *p, const float *gain, u32 formats) {
  u32 row, last;
  while (claim(&p->team, p->job->row_count, 1, &row, &last)) norm_row(p, row, row, p->job->row_count, gain, formats);
}

static void quantize_rows(const struct pass *p, const struct operand *operand, u32 formats) {
  u32 row, last;
  while (claim(&p->team, p->job->row_count, 1, &row, &last))
    if (!quantize_row(operand, row, p->job->row_count, formats)) fail(p->job, row, BAD_OPERAND);
}

/* §6.2 for units of one of the three matrices. */
static void project_units(const struct pass *p, const struct matrix *m, u32 unit, u32 count, const float *bias, float *out,
                          u32 width) {
  product(m, unit, count, &p->stage->hidden_operand, p->job->row_count, out, width);
  if (bias)
    for (u32 t = 0; t < p->job->row_count; t++)
      add_to(out + (size_t)t * width + unit * UNIT, bias + unit * UNIT, count * UNIT);
}

static void project(const struct pass *p, const struct layer *l) {
  const struct stage *s = p->stage;
  const u32 query = l->query.units, key = query + l->key.units, total = key + l->value.units;
  u32 unit, last;
  while (claim(&p->team, total, piece_of(&p->team, total), &unit, &last))
    while (unit < last) {
      const u32 end = unit < query ? query : unit < key ? key : total;
      const u32 count = at_most(at_most(last, end) - unit, UNITS_MAX);
      if (unit < query) project_units(p, &l->query, unit, count, l->query_bias, s->query, s->query_width);
      else if (unit < key) project_units(p, &l->key, unit - query, count, l->key_bias, s->key, s->key_width);
      else project_units(p, &l->value, unit - key, count, l->value_bias, s->value, s->key_width);
      unit += count;
    }
}

/* §6.3 and §6.4 for one head of h values; y (head_width) is zero past h. */
static void rotate_head(const struct pass *p, u32 row, u32 rope, const float *x, const float *gain, float *y) {
  const struct stage *s = p->stage;
  const u32 size = s->head_size, half = rope == ROPE_NONE ? 0 : s->rotary_size / 2;
  const float *cos = (rope == ROPE_LOCAL ? s->local_cos : s->cos) + row * half;
  const float *sin = (rope == ROPE_LOCAL ? s->local_sin : s->sin) + row * half;
  if (gain) {
    int bad = 0;
    float factor = norm_factor(x, size, s->epsilon, &bad);
    if (bad) fail(p->job, row, BAD_NORM);
    for (u32 i = 0; i < size; i++) y[i] = (x[i] * factor) * gain[i];
  } else {
    for (u32 i = 0; i < size; i++) y[i] = x[i];
  }
  for (u32 i = 0; i < half; i++) {
    float low = y[i], high = y[i + half];
    y[i] = low * cos[i] - high * sin[i];
    y[i + half] = high * cos[i] + low * sin[i];
  }
  for (u32 i = size; i < s->head_width; i++) y[i] = 0;
}

/* Pages of one layer of a row's cache. */
static inline float *const *pages_of(const struct row *row, u32 layer) { return row->pages + (size_t)layer * row->columns; }

/* §6.3–§6.5: rotated queries to scratch, rotated keys and plain values to the cache. */
static void rotate_rows(const struct pass *p, const struct layer *l, u32 layer) {
  const struct stage *s = p->stage;
  const u32 heads = s->heads + s->shared_heads;
  u32 task, last;
  while (claim(&p->team, p->job->row_count * heads, heads, &task, &last))
    for (; task < last; task++) {
      const u32 row = task / heads, head = task % heads;
      if (head < s->heads) {
        const float *q = s->query + row * s->query_width + head * s->head_size;
        rotate_head(p, row, l->rope, q, l->query_norm, s->rotated + (row * s->heads + head) * s->head_width);
        continue;
      }
      const struct row *r = &p->job->rows[row];
      const u32 shared = head - s->heads, from = row * s->key_width + shared * s->head_size;
      float *const *pages = pages_of(r, layer);
      float *key = at_position(pages, r->position, 2 * shared, s->head_width);
      float *value = at_position(pages, r->position, 2 * shared + 1, s->head_width);
      rotate_head(p, row, l->rope, s->key + from, l->key_norm, key);
      for (u32 i = 0; i < s->head_size; i++) value[i] = s->value[from + i];
      for (u32 i = s->head_size; i < s->head_width; i++) value[i] = 0;
    }
}

/* Heads [head, head + count) of one row, all with the same keys. */
static void attend_heads(const struct pass *p, u32 layer, u32 row, u32 head, u32 count) {
  const struct stage *s = p->stage;
  const struct row *r = &p->job->rows[row];
  const u32 width = s->head_width, size = s->head_size;
  const u32 window = s->layers[layer].window;
  const u32 first = window != 0 && r->position >= window ? r->position - window + 1 : 0;
  const struct attention a = {
      .queries = s->rotated + (row * s->heads + head) * width,
      .pages = pages_of(r, layer),
      .shared_head = head * s->shared_heads / s->heads,
      .heads = count,
      .width = width,
      .first = first,
      .count = r->position - first + 1,
      .factor = s->score_factor,
      .cap = s->score_cap,
      .scores = s->scores + (size_t)p->team.thread * TASK_HEADS * s->scores_width,
      .scores_width = s->scores_width,
  };
  float *out = s->mixed_operand.values + row * s->mixed_operand.width + head * size;
  float mixed[TASK_HEADS * 1024];
  const int good = attend(&a, mixed);
  if (!good) fail(p->job, row, BAD_ATTENTION);
  for (u32 h = 0; h < count; h++)
    for (u32 i = 0; i < size; i++) out[h * size + i] = good ? mixed[h * width + i] : 0;
}

static void attend_rows(const struct pass *p, u32 layer) {
  const u32 heads = p->stage->heads, sharing = heads / p->stage->shared_heads;
  const u32 parts = (sharing + TASK_HEADS - 1) / TASK_HEADS, tasks = p->stage->shared_heads * parts;
  u32 task, last;
  while (claim(&p->team, p->job->row_count * tasks, 1, &task, &last)) {
    const u32 shared = task % tasks / parts, from = task % parts * TASK_HEADS;
    attend_heads(p, layer, task / tasks, shared * sharing + from, at_most(sharing - from, TASK_HEADS));
  }
}

/* §6.7, the end of §6.8: x += W operand. */
static void add_product(const struct pass *p, const struct matrix *m, const struct operand *in) {
  const struct stage *s = p->stage;
  enum { STRIDE = UNITS_MAX * UNIT };
  float y[ROWS_MAX * STRIDE];
  u32 unit, last;
  while (claim(&p->team, m->units, piece_of(&p->team, m->units), &unit, &last))
    for (u32 count; unit < last; unit += count) {
      count = at_most(last - unit, UNITS_MAX);
      product(m, unit, count, in, p->job->row_count, y - (size_t)unit * UNIT, STRIDE);
      for (u32 t = 0; t < p->job->row_count; t++)
        add_to(s->x + t * s->hidden_width + unit * UNIT, y + t * STRIDE, count * UNIT);
    }
}

/* §6.7, §6.8, where what is added is normed first: branch = W operand. */
static void branch_product(const struct pass *p, const struct matrix *m, const struct operand *in) {
  const struct stage *s = p->stage;
  u32 unit, last;
  while (claim(&p->team, m->units, piece_of(&p->team, m->units), &unit, &last))
    for (u32 count; unit < last; unit += count) {
      count = at_most(last - unit, UNITS_MAX);
      product(m, unit, count, in, p->job->row_count, s->branch, s->hidden_width);
    }
}

/* x += norm(branch) */
static void add_normed(const struct pass *p, const float *gain) {
  const struct stage *s = p->stage;
  u32 row, last;
  while (claim(&p->team, p->job->row_count, 1, &row, &last)) {
    float *x = s->x + row * s->hidden_width;
    const float *y = s->branch + row * s->hidden_width;
    int bad = 0;
    const floats factor = all(norm_factor(y, s->hidden, s->epsilon, &bad));
    if (bad) fail(p->job, row, BAD_NORM);
    for (u32 k = 0; k < s->hidden_width; k += WIDTH) store(x + k, load(x + k) + (load(y + k) * factor) * load(gain + k));
  }
}

/* activation(gate) * up of `count` elements, in place of the gate. */
static inline void gate_lanes(u32 kind, float *gate, const float *up, u32 count) {
  if (kind == GATE_GELU)
    for (u32 i = 0; i < count; i += WIDTH) store(gate + i, gelu_of(load(gate + i)) * load(up + i));
  else
    for (u32 i = 0; i < count; i += WIDTH) store(gate + i, silu_of(load(gate + i)) * load(up + i));
}

/* §6.8: the same thread computes the two halves of a unit. */
static void gate_rows(const struct pass *p, const struct layer *l) {
  const struct stage *s = p->stage;
  const u32 width = s->inner_operand.width;
  u32 unit, last;
  while (claim(&p->team, l->gate.units, piece_of(&p->team, l->gate.units), &unit, &last))
    for (u32 count; unit < last; unit += count) {
      count = at_most(last - unit, UNITS_MAX);
      product(&l->gate, unit, count, &s->hidden_operand, p->job->row_count, s->inner_operand.values, width);
      product(&l->up, unit, count, &s->hidden_operand, p->job->row_count, s->up, width);
      for (u32 t = 0; t < p->job->row_count; t++) {
        const size_t at = (size_t)t * width + unit * UNIT;
        gate_lanes(s->gate, s->inner_operand.values + at, s->up + at, count * UNIT);
      }
    }
}

/* §1: rows that leave the layers. */
static void check_rows(const struct pass *p) {
  const struct stage *s = p->stage;
  u32 row, last;
  while (claim(&p->team, p->job->row_count, 1, &row, &last))
    if (largest_bits(s->x + row * s->hidden_width, s->hidden_width) >= 0x7f800000u) fail(p->job, row, BAD_OUTPUT);
}

static void norm_logit_rows(const struct pass *p) {
  u32 at, last;
  while (claim(&p->team, p->job->logit_count, 1, &at, &last))
    norm_row(p, p->job->logit_rows[at], at, p->job->logit_count, p->stage->output_norm, needs(p->stage->head));
}

static void check_logits(const struct pass *p, u32 unit, u32 count) {
  const struct stage *s = p->stage;
  const i4 mask = {0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff};
  for (u32 t = 0; t < p->job->logit_count; t++) {
    i4 most = {0};
    for (u32 i = unit * UNIT; i < (unit + count) * UNIT; i += 4)
      most = max4(most, (i4)load4(s->logits + (size_t)t * s->logits_width + i) & mask);
    if (lanes_max(most) >= 0x7f800000u) fail(p->job, p->job->logit_rows[t], BAD_LOGITS);
  }
}

static void cap_logits(const struct pass *p, u32 unit, u32 count) {
  const struct stage *s = p->stage;
  for (u32 t = 0; t < p->job->logit_count; t++) {
    float *logits = s->logits + (size_t)t * s->logits_width + unit * UNIT;
    for (u32 i = 0; i < count * UNIT; i += WIDTH) store(logits + i, capped(load(logits + i), s->logit_cap));
  }
}

static void logit_products(const struct pass *p) {
  const struct stage *s = p->stage;
  u32 unit, last;
  while (claim(&p->team, s->head->units, piece_of(&p->team, s->head->units), &unit, &last))
    for (u32 count; unit < last; unit += count) {
      count = at_most(last - unit, UNITS_MAX);
      product(s->head, unit, count, &s->hidden_operand, p->job->logit_count, s->logits, s->logits_width);
      check_logits(p, unit, count);
      if (s->logit_cap != 0) cap_logits(p, unit, count);
    }
}

#endif
