/*
 * exact-1 in C for WebAssembly: the structures that TypeScript writes (src/ml/engine/wasm-layout.ts holds the
 * same order) and the small functions that all kernels share. Knows nothing of files, peers or JavaScript.
 * Spec: docs/spec/numerics.md. Every f32 operation here is one IEEE operation: built with -ffp-contract=off.
 *
 * Conventions: a "unit" is eight consecutive output rows of a matrix, the grain in which threads share work.
 * Rows are padded to whole units and columns to whole groups of 32, with zeros, in weights and in activations.
 */
#ifndef EXACT1_H
#define EXACT1_H

#include <stdint.h>
#include <wasm_simd128.h>

typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;

enum { GROUP = 32, UNIT = 8, ROWS_MAX = 64 };

/* Units that one call of a product takes at most: what is unpacked for them stays in the first cache. */
enum { UNITS_MAX = 4 };
enum { FORMAT_F32 = 0, FORMAT_Q8 = 1, FORMAT_Q4 = 2 };

/* Bits of a session's `failed` word, in the order of src/ml/engine/wasm-stage.ts. */
enum { BAD_NORM = 1, BAD_OPERAND = 2, BAD_ATTENTION = 4, BAD_OUTPUT = 8, BAD_LOGITS = 16 };

struct matrix {
  u32 format;
  u32 units;        /* rows / 8, rounded up */
  u32 width;        /* K: columns rounded up to whole groups */
  const u8 *data;   /* packed, see matmul-*.h */
  const u8 *multipliers;
  const float *scales; /* (units * 8) */
};

struct layer {
  const float *attention_norm;
  struct matrix query, key, value;
  const float *query_bias, *key_bias, *value_bias; /* or null */
  const float *query_norm, *key_norm;              /* (head_size), or null */
  struct matrix attention_output;
  const float *feed_forward_norm;
  struct matrix gate, up, down;
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
  u32 window;                                     /* 0: none */
  u32 layer_count;
  float epsilon, score_factor;
  const struct layer *layers;
  const struct embedding *embedding; /* or null: rows arrive in x */
  const float *output_norm;          /* or null: rows leave in x */
  const struct matrix *head;
  float *x;                      /* (ROWS_MAX, hidden_width) */
  struct operand hidden_operand; /* normed rows */
  struct operand mixed_operand;  /* attention results (heads * head_size) */
  struct operand inner_operand;  /* silu(gate) * up */
  float *query, *key, *value;    /* (ROWS_MAX, width of their outputs) */
  u32 query_width, key_width;
  float *rotated;                /* (ROWS_MAX, heads, head_width) */
  float *up;                     /* (ROWS_MAX, inner width) */
  float *logits;                 /* (ROWS_MAX, logits_width) */
  u32 logits_width;
  float *scores;                 /* (threads, TASK_HEADS, scores_width) */
  u32 scores_width;
  float *cos, *sin;              /* (ROWS_MAX, head_size / 2): rows of this pass */
};

/* One position of one session. Its cache holds, per layer and shared head, keys then values (capacity, head_width). */
struct row {
  float *cache;
  u32 capacity;
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

/* f32 constants are written so that one rounding gives the value of the specification. */
static inline v128_t f4(float value) { return wasm_f32x4_splat(value); }
static inline u32 at_most(u32 count, u32 most) { return count < most ? count : most; }
static inline v128_t load(const void *at) { return wasm_v128_load(at); }
static inline void store(void *at, v128_t value) { wasm_v128_store(at, value); }

/*
 * Keep an address, or a vector, where the source computes it. Left alone, clang turns base + constant addresses into
 * additions of their own and reassociates integer sums, so that all products of a group are alive at once; V8 emits code
 * in that order and has 15 vector registers, and spills. The extracted lane is never read: V8 drops it.
 */
#define UNROLL _Pragma("unroll")
#define PIN(value) __asm__ volatile("" : "+r"(value))
#define PIN_VECTOR(value) __asm__ volatile("" ::"r"(wasm_i32x4_extract_lane(value, 0)))

static inline u32 bits_of(float value) {
  union { float f; u32 u; } both = {value};
  return both.u;
}

static inline float float_of(u32 bits) {
  union { u32 u; float f; } both = {bits};
  return both.f;
}

static inline int is_finite(float value) { return (bits_of(value) & 0x7fffffffu) < 0x7f800000u; }

static inline void fail(const struct job *job, u32 row, u32 reason) {
  __atomic_fetch_or(&job->failed[job->rows[row].session], reason, __ATOMIC_RELAXED);
}

/* §2: the tree over sixteen lanes held in four vectors. */
static inline float lanes_tree(v128_t l0, v128_t l1, v128_t l2, v128_t l3) {
  v128_t b = wasm_f32x4_add(wasm_f32x4_add(l0, l2), wasm_f32x4_add(l1, l3));
  v128_t c = wasm_f32x4_add(b, wasm_i32x4_shuffle(b, b, 2, 3, 2, 3));
  return wasm_f32x4_extract_lane(c, 0) + wasm_f32x4_extract_lane(c, 1);
}

/* §6.1: 1 / sqrt(mean square + epsilon), or a bad sum. Values past n are not read; n is any length. */
static inline float norm_factor(const float *x, u32 n, float epsilon, int *bad) {
  v128_t l0 = f4(0), l1 = l0, l2 = l0, l3 = l0;
  u32 k = 0;
  for (; k + 16 <= n; k += 16) {
    v128_t a = load(x + k), b = load(x + k + 4), c = load(x + k + 8), d = load(x + k + 12);
    l0 = wasm_f32x4_add(l0, wasm_f32x4_mul(a, a));
    l1 = wasm_f32x4_add(l1, wasm_f32x4_mul(b, b));
    l2 = wasm_f32x4_add(l2, wasm_f32x4_mul(c, c));
    l3 = wasm_f32x4_add(l3, wasm_f32x4_mul(d, d));
  }
  if (k < n) {
    float tail[16] = {0};
    for (u32 i = 0; k + i < n; i++) tail[i] = x[k + i] * x[k + i];
    l0 = wasm_f32x4_add(l0, load(tail));
    l1 = wasm_f32x4_add(l1, load(tail + 4));
    l2 = wasm_f32x4_add(l2, load(tail + 8));
    l3 = wasm_f32x4_add(l3, load(tail + 12));
  }
  float sum = lanes_tree(l0, l1, l2, l3);
  if (!is_finite(sum)) *bad = 1;
  return 1.0f / __builtin_sqrtf(sum / (float)n + epsilon);
}

/* §7: exp of four values. */
static inline v128_t exp4(v128_t x) {
  x = wasm_f32x4_pmin(wasm_f32x4_pmax(x, f4(-87.0f)), f4(88.0f));
  v128_t n = wasm_f32x4_nearest(wasm_f32x4_mul(x, f4(1.44269504088896341f)));
  v128_t r = wasm_f32x4_sub(wasm_f32x4_sub(x, wasm_f32x4_mul(n, f4(0.693359375f))),
                            wasm_f32x4_mul(n, f4(-2.12194440e-4f)));
  v128_t p = f4(1.9875691500e-4f);
  p = wasm_f32x4_add(wasm_f32x4_mul(p, r), f4(1.3981999507e-3f));
  p = wasm_f32x4_add(wasm_f32x4_mul(p, r), f4(8.3334519073e-3f));
  p = wasm_f32x4_add(wasm_f32x4_mul(p, r), f4(4.1665795894e-2f));
  p = wasm_f32x4_add(wasm_f32x4_mul(p, r), f4(1.6666665459e-1f));
  p = wasm_f32x4_add(wasm_f32x4_mul(p, r), f4(5.0000001201e-1f));
  v128_t y = wasm_f32x4_add(wasm_f32x4_add(wasm_f32x4_mul(p, wasm_f32x4_mul(r, r)), r), f4(1.0f));
  /* -126 <= n <= 127, so 2^n is a normal number made of its exponent field alone. */
  v128_t power = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127)), 23);
  return wasm_f32x4_mul(y, power);
}

#endif
