/**
 * Kernels of matrix products (numerics.md §5), each with one of three ends: the product, the product added to a row, or silu of one half times the other.
 * Rows of a matrix are read as they are stored. Spec: docs/spec/gpu.md §"Exact numbers".
 * @module
 */
import type { WeightFormat } from '../../config.ts'
import { type Binding, FLAG, type Kernel, read, write } from './kernel.ts'
import { PRODUCT_SOURCE } from './wgsl-product.ts'
import { TREE } from './wgsl-rows.ts'

/** What becomes of a product. `gated`: the matrix has `op.rows` rows of gate and as many of up. */
export type MatrixEnd = 'plain' | 'residual' | 'gated'

export interface MatrixVariant {
  readonly format: WeightFormat
  readonly end: MatrixEnd
  /** Rows of activations that one workgroup multiplies by its weights, f32: 1. */
  readonly tile: number
}

/** Rows of the matrix (pairs of them, where gated) that one workgroup makes. */
export const MATRIX_ROWS: Record<MatrixEnd, number> = { plain: 4, residual: 4, gated: 2 }

const THREADS = 64

const ENDS: Record<MatrixEnd, { bindings: readonly Binding[]; source: string }> = {
  plain: {
    bindings: [write('outputs')], // (rows, op.stride)
    source: /* wgsl */ `
fn end(row: u32, index: u32, value: u32) { outputs[row * op.stride + op.first + index] = value; }
`,
  },
  residual: {
    bindings: [write('outputs'), write('flags', 'array<atomic<u32>>')],
    source: /* wgsl */ `
fn end(row: u32, index: u32, value: u32) {
  let at = row * op.stride + op.first + index;
  let sum = add(outputs[at], value);
  outputs[at] = sum;
  if (!is_finite(sum)) { atomicOr(&flags[row], ${FLAG.output}u); }
}
`,
  },
  gated: {
    bindings: [write('outputs'), write('largest', 'array<atomic<u32>>')],
    source: /* wgsl */ `
fn end(row: u32, index: u32, gate: u32, up: u32) {
  let value = multiply(divide(gate, add(0x3f800000u, exponential(negate(gate)))), up);
  outputs[row * op.stride + op.first + index] = value;
  atomicMax(&largest[row], value & 0x7fffffffu);
}
`,
  },
}

/** `op`: rows that this part of the matrix makes, units of its rows, where its outputs begin, and how long a row of outputs is. */
const PARAMETERS = ['rows', 'units', 'first', 'stride']

export function matrixKernel(variant: MatrixVariant): Kernel {
  const { format, end, tile } = variant
  return {
    name: `matrix-${format}-${end}-${tile}`,
    parameters: PARAMETERS,
    hasCache: false,
    workgroupSize: THREADS,
    ...(format === 'f32' ? floatKernel(end) : integerKernel({ format, end, tile })),
  }
}

/** Gate and up of one output. */
const PAIR = (value: string) => `
  var pair = array<u32, 2>();
  for (var side = now.zero; side < 2u; side++) { pair[side] = ${value}; }`

type KernelParts = Pick<Kernel, 'bindings' | 'declarations' | 'body'>

/** §5 of f32: sixteen threads are the lanes of one row. */
function floatKernel(end: MatrixEnd): KernelParts {
  const gated = end === 'gated'
  // Gated: rows 0, 1 of the four are gate and up of one output.
  const rowOf = gated
    ? `min(group.x * 2u + (local >> 5u), op.rows - 1u) + ((local >> 4u) & 1u) * op.rows`
    : `min(group.x * 4u + (local >> 4u), op.rows - 1u)`
  return {
    bindings: [read('weights'), read('inputs'), ...ENDS[end].bindings],
    declarations: `var<workgroup> lanes: array<u32, ${THREADS}>;\n${TREE}${ENDS[end].source}`,
    body: /* wgsl */ `
  let weights_at = (${rowOf}) * op.units;
  let inputs_at = group.y * op.units;
  var sum = 0u;
  for (var k = local & 15u; k < op.units; k += 16u) {
    sum = add(sum, multiply(weights[weights_at + k], inputs[inputs_at + k]));
  }
  lanes[local] = sum;
  workgroupBarrier();
  let index = group.x * ${MATRIX_ROWS[end]}u + local;
  if (local >= ${MATRIX_ROWS[end]}u || index >= op.rows) { return; }
  ${gated ? PAIR('tree(local * 32u + side * 16u)') : 'let value = tree(local * 16u);'}
  end(group.y, index, ${gated ? 'pair[0], pair[1]' : 'value'});
`,
  }
}

/** One group of a row with one group of activations: an integer below 2^29 in magnitude. */
const GROUP_SUMS: Record<'q8' | 'q4', string> = {
  q8: /* wgsl */ `
fn group_sum(w: array<vec4<u32>, 2>, multiplier: i32, a: vec4<u32>, b: vec4<u32>, word: i32) -> i32 {
  let sum = dot4(w[0].x, a.x) + dot4(w[0].y, a.y) + dot4(w[0].z, a.z) + dot4(w[0].w, a.w)
    + dot4(w[1].x, b.x) + dot4(w[1].y, b.y) + dot4(w[1].z, b.z) + dot4(w[1].w, b.w);
  return sum << u32(word & 255);
}
`,
  // Nibbles hold value + 8: eight times the sum of the mantissas is taken away again.
  q4: /* wgsl */ `
fn group_sum(w: array<vec4<u32>, 2>, multiplier: i32, a: vec4<u32>, b: vec4<u32>, word: i32) -> i32 {
  let sum = dot4(w[0].x, a.x) + dot4(w[0].y, a.y) + dot4(w[0].z, a.z) + dot4(w[0].w, a.w)
    + dot4(w[1].x, b.x) + dot4(w[1].y, b.y) + dot4(w[1].z, b.z) + dot4(w[1].w, b.w);
  return ((sum - 8 * (word >> 8u)) * multiplier) << u32(word & 255);
}
`,
}

const LOADS: Record<'q8' | 'q4', (at: string) => string> = {
  q8: (at) => `array<vec4<u32>, 2>(weights[(${at}) * 2u], weights[(${at}) * 2u + 1u])`,
  q4: (at) =>
    `array<vec4<u32>, 2>(weights[${at}] & vec4<u32>(0x0f0f0f0fu), (weights[${at}] >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu))`,
}

/**
 * §5 of q8 and q4: each thread takes every 64th group of four rows. Sums of groups are kept as S = high·2^16 + low, of which neither part overflows for
 * any fan-in up to 131,072 (4,096 groups below 2^29), in whatever order they are added.
 */
function integerKernel({ format, end, tile }: MatrixVariant & { format: 'q8' | 'q4' }): KernelParts {
  const rows = 4
  const range = (count: number) => Array.from({ length: count }, (_unused, index) => index)
  const cells = range(tile).flatMap((m) => range(rows).map((r) => ({ m, r, cell: m * rows + r })))
  const gated = end === 'gated'
  const rowOf = (r: number) =>
    gated
      ? `min(group.x * 2u + ${r >> 1}u, op.rows - 1u) + ${r & 1}u * op.rows`
      : `min(group.x * 4u + ${r}u, op.rows - 1u)`
  const outputs = tile * MATRIX_ROWS[end]
  const multiplier = (r: number) =>
    format === 'q4'
      ? `i32((multipliers[(row${r} * op.units + g) / 4u] >> (((row${r} * op.units + g) & 3u) * 8u)) & 255u)`
      : '1'
  return {
    bindings: [
      read('weights', 'array<vec4<u32>>'),
      read('row_scales'),
      ...(format === 'q4' ? [read('multipliers')] : []),
      read('mantissas', 'array<vec4<u32>>'),
      read('group_words', 'array<i32>'),
      read('scales'),
      ...ENDS[end].bindings,
    ],
    declarations: /* wgsl */ `
var<workgroup> highs: array<i32, ${cells.length * THREADS}>;
var<workgroup> lows: array<i32, ${cells.length * THREADS}>;
${PRODUCT_SOURCE}
${GROUP_SUMS[format]}
fn finished(cell: u32, weights_row: u32, row: u32) -> u32 {
  return product(highs[cell * ${THREADS}u], lows[cell * ${THREADS}u], row_scales[weights_row], scales[row]);
}
${ENDS[end].source}
`,
    body: /* wgsl */ `
  ${range(rows)
    .map((r) => `let row${r} = ${rowOf(r)};`)
    .join('\n  ')}
  ${range(tile)
    .map((m) => `let x${m} = min(group.y * ${tile}u + ${m}u, now.rows - 1u) * op.units;`)
    .join('\n  ')}
  ${cells.map(({ cell }) => `var high${cell} = 0; var low${cell} = 0;`).join('\n  ')}
  for (var g = local; g < op.units; g += ${THREADS}u) {
    ${range(tile)
      .map(
        (m) =>
          `let a${m} = mantissas[(x${m} + g) * 2u]; let b${m} = mantissas[(x${m} + g) * 2u + 1u]; let e${m} = group_words[x${m} + g];`,
      )
      .join('\n    ')}
    ${range(rows)
      .map((r) => `let w${r} = ${LOADS[format](`row${r} * op.units + g`)}; let k${r} = ${multiplier(r)};`)
      .join('\n    ')}
    ${cells
      .map(
        ({ m, r, cell }) =>
          `{ let s = group_sum(w${r}, k${r}, a${m}, b${m}, e${m}); high${cell} += s >> 16u; low${cell} += s & 0xffff; }`,
      )
      .join('\n    ')}
  }
  ${cells.map(({ cell }) => `highs[${cell * THREADS}u + local] = high${cell}; lows[${cell * THREADS}u + local] = low${cell};`).join('\n  ')}
  for (var width = ${THREADS / 2}u; width > 0u; width >>= 1u) {
    workgroupBarrier();
    if (local < width) {
      for (var at = local; at < ${cells.length * THREADS}u; at += ${THREADS}u) {
        highs[at] += highs[at + width];
        lows[at] += lows[at + width];
      }
    }
  }
  workgroupBarrier();
  if (local >= ${outputs}u) { return; }
  let row = group.y * ${tile}u + local / ${MATRIX_ROWS[end]}u;
  let index = group.x * ${MATRIX_ROWS[end]}u + local % ${MATRIX_ROWS[end]}u;
  if (row >= now.rows || index >= op.rows) { return; }
  ${gated ? PAIR('finished(local * 2u + side, index + side * op.rows, row)') : 'let value = finished(local, index, row);'}
  end(row, index, ${gated ? 'pair[0], pair[1]' : 'value'});
`,
  }
}
