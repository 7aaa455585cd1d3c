/*
 * Products of matrices with operands, of whichever target: those that V8 compiles best, or those of this processor.
 */
#ifndef EXACT1_PRODUCTS_H
#define EXACT1_PRODUCTS_H

#include "matmul-f32.h"
#if defined(__wasm__)
#include "matmul-q4.h"
#include "matmul-q8.h"
#else
#include "cpu/matmul-q4.h"
#include "cpu/matmul-q8.h"
#endif

/* Rows of at most UNITS_MAX units for all tokens; out is (tokens, stride). */
static void product(const struct matrix *m, u32 unit, u32 count, const struct operand *in, u32 tokens, float *out,
                    u32 stride) {
  if (m->format == FORMAT_Q4) units_q4(m, unit, count, in, tokens, out, stride);
#if defined(__wasm__)
  else if (m->format == FORMAT_Q8)
    for (u32 i = 0; i < count; i++) unit_q8(m, unit + i, in, tokens, out, stride);
#else
  else if (m->format == FORMAT_Q8) units_q8(m, unit, count, in, tokens, out, stride);
#endif
  else
    for (u32 i = 0; i < count; i++) unit_f32(m, unit + i, in, tokens, out, stride);
}

#endif
