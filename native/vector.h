/*
 * Vectors for the phases that compute in f32, written once for WebAssembly and for processors: the vector types of GCC and
 * clang, whose operators are one IEEE operation per lane (built with -ffp-contract=off), and the few operations that those
 * types lack. f4 is four lanes everywhere; `floats` is as wide as the target computes, WIDTH lanes, and may be f4.
 */
#ifndef EXACT1_VECTOR_H
#define EXACT1_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#if defined(__wasm__)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "packed weights are for processors that put the low byte first"
#endif
#if defined(__FAST_MATH__)
#error "every operation is one of IEEE 754: build without fast math"
#endif
_Static_assert(__FLT_EVAL_METHOD__ == 0, "every f32 operation is rounded to f32");

typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;

/* Lanes of `floats`: 4, 8 or 16. The kernels' own test sets it, to run wide code on narrow machines. */
#if !defined(WIDTH)
#if defined(__AVX512F__)
#define WIDTH 16
#elif defined(__AVX__)
#define WIDTH 8
#else
#define WIDTH 4
#endif
#endif

typedef float f4 __attribute__((vector_size(16)));
typedef i32 i4 __attribute__((vector_size(16)));
typedef u32 u4 __attribute__((vector_size(16)));
typedef i16 h8 __attribute__((vector_size(16)));
typedef i8 b16 __attribute__((vector_size(16)));
typedef float floats __attribute__((vector_size(4 * WIDTH)));
typedef i32 ints __attribute__((vector_size(4 * WIDTH)));

/* The sixteen lanes of docs/spec/numerics.md §2 are this many vectors. */
enum { SIXTEEN = 16 / WIDTH };

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline, unused))

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE4(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE4(a, b, i, j, k, l) __builtin_shuffle(a, b, (i4){i, j, k, l})
#endif

/*
 * Keep an address, or a vector, where the source computes it. Left alone, clang turns base + constant addresses into
 * additions of their own and reassociates integer sums, so that all products of a group are alive at once; V8 emits code
 * in that order and has 15 vector registers, and spills. The extracted lane is never read: V8 drops it.
 */
#if defined(__wasm__)
#define PIN(value) __asm__ volatile("" : "+r"(value))
#define PIN_VECTOR(value) __asm__ volatile("" ::"r"(wasm_i32x4_extract_lane(value, 0)))
#else
#define PIN(value) (void)(value)
#endif

/* Unaligned, of any type. */
#define LOAD(type, at) ({ type loaded_; __builtin_memcpy(&loaded_, at, sizeof loaded_); loaded_; })
#define STORE(at, value) ({ __typeof__(value) stored_ = (value); __builtin_memcpy(at, &stored_, sizeof stored_); })

INLINE f4 load4(const float *at) { return LOAD(f4, at); }
INLINE void store4(float *at, f4 value) { STORE(at, value); }
INLINE f4 f4_of(float value) { return (f4){value, value, value, value}; }
INLINE floats load(const float *at) { return LOAD(floats, at); }
INLINE void store(float *at, floats value) { STORE(at, value); }
INLINE floats all(float value) { return value - (floats){0}; }
INLINE ints all_int(i32 value) { return value - (ints){0}; }

INLINE u32 bits_of(float value) {
  u32 bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}

INLINE float float_of(u32 bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

INLINE int is_finite(float value) { return (bits_of(value) & 0x7fffffffu) < 0x7f800000u; }

/* Lane by lane: b where a < b, else a; so that a lane of `a` that is no number stays. */
INLINE f4 larger4(f4 a, f4 b) {
#if defined(__wasm__)
  return (f4)wasm_f32x4_pmax((v128_t)a, (v128_t)b);
#elif defined(__SSE2__)
  return _mm_max_ps(b, a);
#else
  i4 is_less = a < b;
  return (f4)((is_less & (i4)b) | (~is_less & (i4)a));
#endif
}

/* Lane by lane: b where b < a, else a. */
INLINE f4 smaller4(f4 a, f4 b) {
#if defined(__wasm__)
  return (f4)wasm_f32x4_pmin((v128_t)a, (v128_t)b);
#elif defined(__SSE2__)
  return _mm_min_ps(b, a);
#else
  i4 is_less = b < a;
  return (f4)((is_less & (i4)b) | (~is_less & (i4)a));
#endif
}

INLINE i4 max4(i4 a, i4 b) {
#if defined(__wasm__)
  return (i4)wasm_i32x4_max((v128_t)a, (v128_t)b);
#elif defined(__SSE4_1__)
  return (i4)_mm_max_epi32((__m128i)a, (__m128i)b);
#else
  i4 is_less = a < b;
  return (is_less & b) | (~is_less & a);
#endif
}

/* To the nearest integers, ties to even. Unspecified for lanes that are no number or past 2^31. */
INLINE i4 round4(f4 value) {
#if defined(__wasm__)
  return (i4)wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest((v128_t)value));
#elif defined(__SSE2__)
  return (i4)_mm_cvtps_epi32(value);
#elif defined(__aarch64__)
  return (i4)vcvtnq_s32_f32((float32x4_t)value);
#else
  return (i4){(i32)__builtin_rintf(value[0]), (i32)__builtin_rintf(value[1]), (i32)__builtin_rintf(value[2]),
              (i32)__builtin_rintf(value[3])};
#endif
}

INLINE f4 to_float4(i4 value) { return __builtin_convertvector(value, f4); }

/* Eight integers that fit 16 bits, and sixteen that fit 8. */
INLINE h8 narrow16(i4 a, i4 b) {
#if defined(__wasm__)
  return (h8)wasm_i16x8_narrow_i32x4((v128_t)a, (v128_t)b);
#elif defined(__SSE2__)
  return (h8)_mm_packs_epi32((__m128i)a, (__m128i)b);
#elif defined(__aarch64__)
  return (h8)vcombine_s16(vmovn_s32((int32x4_t)a), vmovn_s32((int32x4_t)b));
#else
  return (h8){(i16)a[0], (i16)a[1], (i16)a[2], (i16)a[3], (i16)b[0], (i16)b[1], (i16)b[2], (i16)b[3]};
#endif
}

INLINE b16 narrow8(h8 a, h8 b) {
#if defined(__wasm__)
  return (b16)wasm_i8x16_narrow_i16x8((v128_t)a, (v128_t)b);
#elif defined(__SSE2__)
  return (b16)_mm_packs_epi16((__m128i)a, (__m128i)b);
#elif defined(__aarch64__)
  return (b16)vcombine_s8(vmovn_s16((int16x8_t)a), vmovn_s16((int16x8_t)b));
#else
  b16 bytes;
  for (int i = 0; i < 8; i++) {
    bytes[i] = (i8)a[i];
    bytes[i + 8] = (i8)b[i];
  }
  return bytes;
#endif
}

/* The lane that is largest. */
INLINE u32 lanes_max(i4 v) {
  v = max4(v, SHUFFLE4(v, v, 2, 3, 2, 3));
  v = max4(v, SHUFFLE4(v, v, 1, 1, 1, 1));
  return (u32)v[0];
}

INLINE float largest_lane(f4 v) {
  v = larger4(v, SHUFFLE4(v, v, 2, 3, 2, 3));
  v = larger4(v, SHUFFLE4(v, v, 1, 1, 1, 1));
  return v[0];
}

/* The same operations on as many lanes as there are. part4 is four of them, from a multiple of four on. */
#if WIDTH == 4
INLINE f4 part4(floats value, int from) {
  (void)from;
  return value;
}
INLINE floats larger(floats a, floats b) { return larger4(a, b); }
INLINE floats smaller(floats a, floats b) { return smaller4(a, b); }
INLINE ints max_int(ints a, ints b) { return max4(a, b); }
INLINE ints round_int(floats value) { return round4(value); }
INLINE floats to_float(ints value) { return to_float4(value); }
#else
#define PARTS4(vector) union { vector whole; f4 parts[WIDTH / 4]; i4 int_parts[WIDTH / 4]; }
#define EACH4(result, a, b, operation)                                         \
  PARTS4(__typeof__(a)) first_ = {a}, second_ = {b};                           \
  UNROLL for (int i = 0; i < WIDTH / 4; i++) operation;                        \
  return result
INLINE f4 part4(floats value, int from) {
#if WIDTH == 8 && defined(__AVX__)
  return from == 0 ? _mm256_castps256_ps128(value) : _mm256_extractf128_ps(value, 1);
#else
  PARTS4(floats) all_parts = {value};
  return all_parts.parts[from / 4];
#endif
}
#if WIDTH == 8 && defined(__AVX2__)
INLINE floats larger(floats a, floats b) { return _mm256_max_ps(b, a); }
INLINE floats smaller(floats a, floats b) { return _mm256_min_ps(b, a); }
INLINE ints max_int(ints a, ints b) { return (ints)_mm256_max_epi32((__m256i)a, (__m256i)b); }
INLINE ints round_int(floats value) { return (ints)_mm256_cvtps_epi32(value); }
#elif WIDTH == 16 && defined(__AVX512F__)
INLINE floats larger(floats a, floats b) { return _mm512_max_ps(b, a); }
INLINE floats smaller(floats a, floats b) { return _mm512_min_ps(b, a); }
INLINE ints max_int(ints a, ints b) { return (ints)_mm512_max_epi32((__m512i)a, (__m512i)b); }
INLINE ints round_int(floats value) { return (ints)_mm512_cvtps_epi32(value); }
#else
INLINE floats larger(floats a, floats b) {
  EACH4(first_.whole, a, b, first_.parts[i] = larger4(first_.parts[i], second_.parts[i]));
}
INLINE floats smaller(floats a, floats b) {
  EACH4(first_.whole, a, b, first_.parts[i] = smaller4(first_.parts[i], second_.parts[i]));
}
INLINE ints max_int(ints a, ints b) {
  EACH4(first_.whole, a, b, first_.int_parts[i] = max4(first_.int_parts[i], second_.int_parts[i]));
}
INLINE ints round_int(floats value) {
  EACH4((ints)first_.whole, value, value, first_.int_parts[i] = round4(second_.parts[i]));
}
#endif
INLINE floats to_float(ints value) { return __builtin_convertvector(value, floats); }
#endif

/* §2: the halved lanes b[0..3] of sixteen lanes, and the rest of the tree. */
INLINE f4 fold(const floats *lanes) {
#if WIDTH == 4
  return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
#elif WIDTH == 8
  const floats a = lanes[0] + lanes[1];
  return part4(a, 0) + part4(a, 4);
#else
  return (part4(lanes[0], 0) + part4(lanes[0], 8)) + (part4(lanes[0], 4) + part4(lanes[0], 12));
#endif
}

INLINE float tree(const floats *lanes) {
  const f4 b = fold(lanes);
  return (b[0] + b[2]) + (b[1] + b[3]);
}

/* The largest magnitude of the lanes, as bits. */
INLINE u32 largest_int(ints v) {
#if WIDTH == 4
  return lanes_max(v);
#else
  PARTS4(ints) all_parts = {v};
  i4 most = all_parts.int_parts[0];
  for (int i = 1; i < WIDTH / 4; i++) most = max4(most, all_parts.int_parts[i]);
  return lanes_max(most);
#endif
}

#endif
