/*
 * One pass of a stage: its phases in order, with a barrier after each. Run by every thread that takes part.
 */
#ifndef EXACT1_PASS_H
#define EXACT1_PASS_H

#include "layer.h"

/* x += W operand, or x += norm(W operand). */
static void add_branch(const struct pass *p, const struct matrix *m, const struct operand *in, const float *gain) {
  if (gain == 0) {
    add_product(p, m, in);
    return;
  }
  branch_product(p, m, in);
  barrier(&p->team);
  add_normed(p, gain);
}

static void run_layer(const struct pass *p, u32 index) {
  const struct stage *s = p->stage;
  const struct layer *l = &s->layers[index];
  norm_rows(p, l->attention_norm, needs(&l->query) | needs(&l->key) | needs(&l->value));
  barrier(&p->team);
  project(p, l);
  barrier(&p->team);
  rotate_rows(p, l, index);
  barrier(&p->team);
  attend_rows(p, index);
  barrier(&p->team);
  quantize_rows(p, &s->mixed_operand, needs(&l->attention_output));
  barrier(&p->team);
  add_branch(p, &l->attention_output, &s->mixed_operand, l->attention_output_norm);
  barrier(&p->team);
  norm_rows(p, l->feed_forward_norm, needs(&l->gate) | needs(&l->up));
  barrier(&p->team);
  gate_rows(p, l);
  barrier(&p->team);
  quantize_rows(p, &s->inner_operand, needs(&l->down));
  barrier(&p->team);
  add_branch(p, &l->down, &s->inner_operand, l->feed_forward_output_norm);
  barrier(&p->team);
}

/* noinline: a helper never leaves its loop, and V8 replaces first-tier code only where a function is entered. */
static __attribute__((noinline)) void run_pass(struct sync *sync, const struct job *job, u32 thread, u32 threads) {
  const struct pass p = {{sync, thread, threads}, job->stage, job};
  /* Read before the last barrier, after which the leader may already write the next job. */
  const u32 logit_count = job->logit_count;
  if (p.stage->embedding) {
    embed_rows(&p);
    barrier(&p.team);
  }
  for (u32 layer = 0; layer < p.stage->layer_count; layer++) run_layer(&p, layer);
  check_rows(&p);
  barrier(&p.team);
  if (logit_count == 0) return;
  norm_logit_rows(&p);
  barrier(&p.team);
  logit_products(&p);
  barrier(&p.team);
}

#endif
