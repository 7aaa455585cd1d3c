/*
 * One pass of a stage: its phases in order. What one writes, the next reads.
 */
#ifndef EXACT1_PASS_H
#define EXACT1_PASS_H

#include "layer.h"

/* Phases of a layer in their order. Those of output norms are only where a model has them. */
enum layer_phase {
  NORM_ATTENTION,
  PROJECT,
  ROTATE,
  ATTEND,
  QUANTIZE_MIXED,
  ADD_MIXED,
  ADD_MIXED_NORMED,
  NORM_FEED_FORWARD,
  GATE,
  QUANTIZE_INNER,
  ADD_INNER,
  ADD_INNER_NORMED,
  LAYER_PHASES
};

/* Phases around the layers. */
enum { LOGIT_PHASES = 2 };

static u32 phases_of_layer(const struct stage *s) { return s->branch ? LAYER_PHASES : LAYER_PHASES - 2; }

/* x += W operand, or branch = W operand, which is normed before it is added. */
static void add_or_branch(const struct pass *p, const struct matrix *m, const struct operand *in) {
  if (p->stage->branch) branch_product(p, m, in);
  else add_product(p, m, in);
}

static void run_layer(const struct pass *p, u32 index, enum layer_phase phase) {
  const struct stage *s = p->stage;
  const struct layer *l = &s->layers[index];
  switch (phase) {
    case NORM_ATTENTION: return norm_rows(p, l->attention_norm, needs(&l->query) | needs(&l->key) | needs(&l->value));
    case PROJECT: return project(p, l);
    case ROTATE: return rotate_rows(p, l, index);
    case ATTEND: return attend_rows(p, index);
    case QUANTIZE_MIXED: return quantize_rows(p, &s->mixed_operand, needs(&l->attention_output));
    case ADD_MIXED: return add_or_branch(p, &l->attention_output, &s->mixed_operand);
    case ADD_MIXED_NORMED: return add_normed(p, l->attention_output_norm);
    case NORM_FEED_FORWARD: return norm_rows(p, l->feed_forward_norm, needs(&l->gate) | needs(&l->up));
    case GATE: return gate_rows(p, l);
    case QUANTIZE_INNER: return quantize_rows(p, &s->inner_operand, needs(&l->down));
    case ADD_INNER: return add_or_branch(p, &l->down, &s->inner_operand);
    case ADD_INNER_NORMED: return add_normed(p, l->feed_forward_output_norm);
    case LAYER_PHASES: return;
  }
}

static u32 phases_of(const struct job *job) {
  const struct stage *s = job->stage;
  return (s->embedding != 0) + s->layer_count * phases_of_layer(s) + 1 + (job->logit_count > 0 ? LOGIT_PHASES : 0);
}

/* noinline: V8 replaces first-tier code only where a function is entered. */
static __attribute__((noinline)) void run_phase(const struct team *team, const struct job *job, u32 phase) {
  const struct stage *s = job->stage;
  const struct pass p = {*team, s, job};
  if (s->embedding != 0 && phase-- == 0) return embed_rows(&p);
  const u32 each = phases_of_layer(s), layer = phase / each, rest = phase % each;
  if (layer < s->layer_count) {
    const u32 left_out = !s->branch && rest >= ADD_MIXED_NORMED;
    return run_layer(&p, layer, (enum layer_phase)(rest + left_out));
  }
  phase -= s->layer_count * each;
  if (phase == 0) check_rows(&p);
  else if (phase == 1) norm_logit_rows(&p);
  else logit_products(&p);
}

#endif
