/*
 * exact-1 in C, for WebAssembly and for processors: the structures of a stage and of a job, and the small functions that all
 * phases share. For WebAssembly TypeScript writes the structures (src/ml/engine/wasm-layout.ts holds the same order, in 32-bit
 * words); elsewhere cpu/stage.c does. Knows nothing of files, peers or JavaScript.
 * Spec: docs/spec/numerics.md. Every f32 operation here is one IEEE operation: built with -ffp-contract=off.
 *
 * Conventions: a "unit" is UNIT consecutive output rows of a matrix, the grain in which threads share work.
 * Rows are padded to whole units and columns to whole groups of 32, with zeros, in weights and in activations.
 */
#ifndef EXACT1_H
#define EXACT1_H

#include "vector.h"

#if !defined(UNIT_ROWS)
#define UNIT_ROWS 8
#endif
enum { GROUP = 32, UNIT = UNIT_ROWS, ROWS_MAX = 64 };
_Static_assert(UNIT % WIDTH == 0, "lanes fill units");

/* Units that one call of a product takes at most: what is unpacked for them stays in the first cache. */
enum { UNITS_MAX = 4 };
/* Positions of one page of a cache (src/ml/engine/cache-pages.ts), which attention takes at once: 64 keys of 64 values are
 * 16 KiB, and stay in the first cache while the heads of a task use them. */
enum { PAGE_POSITIONS = 64 };
enum { FORMAT_F32 = 0, FORMAT_Q8 = 1, FORMAT_Q4 = 2 };

/* Bits of a session's `failed` word, in the order of src/ml/engine/step-runner.ts. */
enum { BAD_NORM = 1, BAD_OPERAND = 2, BAD_ATTENTION = 4, BAD_OUTPUT = 8, BAD_LOGITS = 16 };

struct matrix {
  u32 format;
  u32 units;        /* rows / UNIT, rounded up */
  u32 width;        /* K: columns rounded up to whole groups */
  const u8 *data;   /* packed, see pack.h and cpu/pack.h */
  const u8 *multipliers;
  const float *scales; /* (units * UNIT) */
};

/* Which tables a layer rotates by. */
enum { ROPE_GLOBAL = 0, ROPE_LOCAL = 1, ROPE_NONE = 2 };
enum { GATE_SILU = 0, GATE_GELU = 1 };

struct layer {
  const float *attention_norm;
  struct matrix query, key, value;
  const float *query_bias, *key_bias, *value_bias; /* or null */
  const float *query_norm, *key_norm;              /* (head_size), or null */
  struct matrix attention_output;
  const float *feed_forward_norm;
  struct matrix gate, up, down;
  const float *attention_output_norm, *feed_forward_output_norm; /* or null */
  u32 window; /* 0: none */
  u32 rope;
};

/* The embedding stays in the form of docs/spec/numerics.md §3: it is looked up, never multiplied. */
struct embedding {
  u32 format;
  u32 width; /* f32: columns; else K */
  const u8 *data;
  const u8 *multipliers;
  const float *scales;
};

/* One row's integer form of §4: X for q8 matrices, groups of 40 bytes for q4 matrices (quantize.h). */
struct operand {
  float *values; /* (ROWS_MAX, width) f32 */
  i16 *wide;     /* (width / 16, rows of the pass, 16) */
  u8 *narrow;    /* (width / 32, rows of the pass, 40) */
  float *scales; /* (ROWS_MAX) */
  u32 width;
};

struct stage {
  u32 hidden, hidden_width;
  u32 heads, shared_heads, head_size, head_width; /* head_width: rounded up to 16 */
  u32 layer_count;
  float epsilon, score_factor;
  const struct layer *layers;
  const struct embedding *embedding; /* or null: rows arrive in x */
  const float *output_norm;          /* or null: rows leave in x */
  const struct matrix *head;
  float *x;                      /* (ROWS_MAX, hidden_width) */
  struct operand hidden_operand; /* normed rows */
  struct operand mixed_operand;  /* attention results (heads * head_size) */
  struct operand inner_operand;  /* activation(gate) * up */
  float *query, *key, *value;    /* (ROWS_MAX, width of their outputs) */
  u32 query_width, key_width;
  float *rotated;                /* (ROWS_MAX, heads, head_width) */
  float *up;                     /* (ROWS_MAX, inner width) */
  float *logits;                 /* (ROWS_MAX, logits_width) */
  u32 logits_width;
  float *scores;                 /* (threads, TASK_HEADS, scores_width) */
  u32 scores_width;
  const float *cos, *sin;        /* (ROWS_MAX, rotary_size / 2): rows of this pass */
  const float *local_cos, *local_sin; /* the same for ROPE_LOCAL, or null */
  float *branch;                 /* (ROWS_MAX, hidden_width), or null without output norms */
  u32 rotary_size, gate;
  float embedding_factor;        /* 1: none */
  float score_cap, logit_cap;    /* 0: none */
};

/* One position of one session. Its cache is a table (layers, columns) of pages; a page holds positions of one layer in runs
 * (PAGE_POSITIONS, head_width) of keys and of values of each shared head (at_position). */
struct row {
  float *const *pages;
  u32 columns;
  u32 position;
  i32 token;
  u32 session; /* index into job.failed */
};

struct job {
  const struct stage *stage;
  u32 row_count;
  const struct row *rows;
  u32 *failed; /* (sessions) */
  u32 logit_count;
  const u32 *logit_rows; /* (logit_count) indices into rows */
};

/* Where a position is in a layer's pages. `run`: 2 · shared head for keys, one more for values. */
static inline float *at_position(float *const *pages, u32 position, u32 run, u32 head_width) {
  return pages[position / PAGE_POSITIONS] + ((size_t)run * PAGE_POSITIONS + position % PAGE_POSITIONS) * head_width;
}

static inline u32 at_most(u32 count, u32 most) { return count < most ? count : most; }

static inline void fail(const struct job *job, u32 row, u32 reason) {
  __atomic_fetch_or(&job->failed[job->rows[row].session], reason, __ATOMIC_RELAXED);
}

/* §6.1: 1 / sqrt(mean square + epsilon), or a bad sum. Values past n are not read; n is any length. */
static inline float norm_factor(const float *x, u32 n, float epsilon, int *bad) {
  floats lanes[SIXTEEN];
  u32 k = 0;
  UNROLL for (int i = 0; i < SIXTEEN; i++) lanes[i] = all(0);
  for (; k + 16 <= n; k += 16)
    UNROLL for (int i = 0; i < SIXTEEN; i++) {
      const floats value = load(x + k + i * WIDTH);
      lanes[i] = lanes[i] + value * value;
    }
  if (k < n) {
    float tail[16] = {0};
    for (u32 i = 0; k + i < n; i++) tail[i] = x[k + i] * x[k + i];
    UNROLL for (int i = 0; i < SIXTEEN; i++) lanes[i] = lanes[i] + load(tail + i * WIDTH);
  }
  float sum = tree(lanes);
  if (!is_finite(sum)) *bad = 1;
  return 1.0f / __builtin_sqrtf(sum / (float)n + epsilon);
}

/* §7: exp of each lane. f32 constants are written so that one rounding gives the value of the specification. */
static inline floats exp_of(floats x) {
  x = smaller(larger(x, all(-87.0f)), all(88.0f));
  const ints whole = round_int(x * all(1.44269504088896341f));
  const floats n = to_float(whole);
  const floats r = (x - n * all(0.693359375f)) - n * all(-2.12194440e-4f);
  floats p = all(1.9875691500e-4f);
  p = p * r + all(1.3981999507e-3f);
  p = p * r + all(8.3334519073e-3f);
  p = p * r + all(4.1665795894e-2f);
  p = p * r + all(1.6666665459e-1f);
  p = p * r + all(5.0000001201e-1f);
  const floats y = ((p * (r * r)) + r) + all(1.0f);
  /* -126 <= n <= 127, so 2^n is a normal number made of its exponent field alone. */
  return y * (floats)((whole + all_int(127)) << 23);
}

/* §7: tanh of each lane, and values held between -cap and cap. */
static inline floats tanh_of(floats x) { return all(1.0f) - all(2.0f) / (exp_of(x * all(2.0f)) + all(1.0f)); }
static inline floats capped(floats x, float cap) { return tanh_of(x / all(cap)) * all(cap); }

/* §6.8: the two activations of a gate. */
static inline floats silu_of(floats x) { return x / (all(1.0f) + exp_of(-x)); }
static inline floats gelu_of(floats x) {
  const floats t = (((x * x) * all(0.044715f) + all(1.0f)) * x) * all(1.5957691216057308f);
  return x / (all(1.0f) + exp_of(-t));
}

#endif
