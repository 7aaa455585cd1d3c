/**
 * Kernels of matrix products (numerics.md §5), each with one of three ends: the product, the product added to a row, or silu of one half times the other.
 * Rows of a matrix are read as they are stored. Spec: docs/spec/gpu.md §8.
 * @module
 */
import type { WeightFormat } from '../../config.ts'
import { FLAG, type Kernel, read, STATUS, write } from './kernel.ts'
import { PRODUCT_SOURCE } from './wgsl-product.ts'
import { TREE } from './wgsl-rows.ts'

/** What becomes of a product. `gated`: the matrix has `op.rows` rows of gate and as many of up. */
export const MATRIX_ENDS = { plain: 0, residual: 1, gated: 2 } as const
export type MatrixEnd = keyof typeof MATRIX_ENDS

/** Rows of the matrix (pairs of them, where gated) that one workgroup makes. */
export const MATRIX_ROWS: Record<MatrixEnd, number> = { plain: 4, residual: 4, gated: 2 }

const THREADS = 64

/** One kernel for all ends: drivers compile these the longest. */
const END = /* wgsl */ `
fn is_gated() -> bool { return op.end == ${MATRIX_ENDS.gated}u; }
fn per_group() -> u32 { return select(${MATRIX_ROWS.plain}u, ${MATRIX_ROWS.gated}u, is_gated()); }

// Row of the matrix at place 0 … 3 of this workgroup; gated: gate, up, gate, up.
fn row_at(workgroup: u32, place: u32) -> u32 {
  let pair = min(workgroup * 2u + (place >> 1u), op.rows - 1u) + (place & 1u) * op.rows;
  return select(min(workgroup * 4u + place, op.rows - 1u), pair, is_gated());
}

fn end(row: u32, index: u32, value: u32, up: u32) {
  let at = row * op.stride + op.first + index;
  var result = value;
  if (is_gated()) {
    result = multiply(divide(value, add(0x3f800000u, exponential(negate(value)))), up);
    atomicMax(&status[row * 2u + 1u], result & 0x7fffffffu);
  } else if (op.end == ${MATRIX_ENDS.residual}u) {
    result = add(outputs[at], value);
    if (!is_finite(result)) { atomicOr(&status[row * 2u], ${FLAG.output}u); }
  }
  outputs[at] = result;
}
`

/** The product, or both of a gated pair, and their end. */
const FINISH = (value: string) => /* wgsl */ `
  var pair = array<u32, 2>();
  for (var side = now.zero; side < select(1u, 2u, is_gated()); side++) { pair[side] = ${value}; }
  end(row, index, pair[0], pair[1]);
`

/**
 * `tile`: rows of activations that one workgroup multiplies by its weights, f32: 1. `op`: rows that this part of the matrix makes, units of its rows, where its
 * outputs begin, how long a row of outputs is.
 */
export function matrixKernel(format: WeightFormat, tile: number): Kernel {
  return {
    name: `matrix-${format}-${tile}`,
    parameters: ['rows', 'units', 'first', 'stride', 'end'],
    hasCache: false,
    workgroupSize: THREADS,
    ...(format === 'f32' ? FLOAT : integerKernel(format, tile)),
  }
}

type KernelParts = Pick<Kernel, 'bindings' | 'declarations' | 'body' | 'withSubgroups'>

const OUTPUTS = [write('outputs'), STATUS] // (rows, op.stride)

/** §5 of f32: sixteen threads are the lanes of one row. */
const FLOAT: KernelParts = {
  bindings: [read('weights'), read('inputs'), ...OUTPUTS],
  declarations: `var<workgroup> lanes: array<u32, ${THREADS}>;\n${TREE}${END}`,
  body: /* wgsl */ `
  let weights_at = row_at(group.x, local >> 4u) * op.units;
  let row = group.y;
  var sum = 0u;
  for (var k = local & 15u; k < op.units; k += 16u) {
    sum = add(sum, multiply(weights[weights_at + k], inputs[row * op.units + k]));
  }
  lanes[local] = sum;
  workgroupBarrier();
  let index = group.x * per_group() + local;
  if (local >= per_group() || index >= op.rows) { return; }
  ${FINISH('tree(select(local * 16u, local * 32u + side * 16u, is_gated()))')}
`,
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

const ROWS = 4
const range = (count: number) => Array.from({ length: count }, (_unused, index) => index)

/** Row of activations, row of weights, and the place of their sum. */
interface Cell {
  readonly m: number
  readonly r: number
  readonly cell: number
}

/** Sums of this thread's groups in `high0`, `low0` …, written out for each cell. */
function groupLoop(format: 'q8' | 'q4', cells: readonly Cell[], tile: number): string {
  const multiplier = (r: number) =>
    format === 'q4'
      ? `i32((multipliers[(row${r} * op.units + g) / 4u] >> (((row${r} * op.units + g) & 3u) * 8u)) & 255u)`
      : '1'
  return `
  ${range(ROWS)
    .map((r) => `let row${r} = row_at(group.x, ${r}u);`)
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
    ${range(ROWS)
      .map((r) => `let w${r} = ${LOADS[format](`row${r} * op.units + g`)}; let k${r} = ${multiplier(r)};`)
      .join('\n    ')}
    ${cells
      .map(
        ({ m, r, cell }) =>
          `{ let s = group_sum(w${r}, k${r}, a${m}, b${m}, e${m}); high${cell} += s >> 16u; low${cell} += s & 0xffff; }`,
      )
      .join('\n    ')}
  }`
}

/**
 * §5 of q8 and q4: each thread takes every 64th group of four rows. Sums of groups are kept as S = high·2^16 + low, of which neither part overflows for
 * any fan-in up to 131,072 (4,096 groups below 2^29), in whatever order they are added.
 */
function integerKernel(format: 'q8' | 'q4', tile: number): KernelParts {
  const cells = range(tile).flatMap((m) => range(ROWS).map((r) => ({ m, r, cell: m * ROWS + r })))
  return {
    bindings: [
      read('weights', 'array<vec4<u32>>'),
      read('row_scales'),
      ...(format === 'q4' ? [read('multipliers')] : []),
      read('mantissas', 'array<vec4<u32>>'),
      read('group_words', 'array<i32>'),
      read('scales'),
      ...OUTPUTS,
    ],
    ...integerForm(format, tile, cells, inTree(cells)),
    withSubgroups: integerForm(format, tile, cells, bySubgroups(cells)),
  }
}

/** How the sums of a workgroup's threads become one for each cell. */
interface Reduction {
  /** `highs`, `lows`, and `sum_of(cell)`: high and low part. */
  readonly declarations: string
  readonly body: string
}

/** Through shared memory, in halves. */
function inTree(cells: readonly Cell[]): Reduction {
  return {
    declarations: /* wgsl */ `
var<workgroup> highs: array<i32, ${cells.length * THREADS}>;
var<workgroup> lows: array<i32, ${cells.length * THREADS}>;
fn sum_of(cell: u32) -> vec2<i32> { return vec2<i32>(highs[cell * ${THREADS}u], lows[cell * ${THREADS}u]); }
`,
    body: /* wgsl */ `
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
`,
  }
}

/**
 * Each subgroup adds and one of its threads hands the sums on: one barrier, whatever the size of subgroups and whichever threads are in one. Sums of integers
 * are the same in any order.
 */
function bySubgroups(cells: readonly Cell[]): Reduction {
  return {
    declarations: /* wgsl */ `
var<workgroup> highs: array<atomic<i32>, ${cells.length}>;
var<workgroup> lows: array<atomic<i32>, ${cells.length}>;
fn sum_of(cell: u32) -> vec2<i32> { return vec2<i32>(atomicLoad(&highs[cell]), atomicLoad(&lows[cell])); }
`,
    body: /* wgsl */ `
  ${cells.map(({ cell }) => `high${cell} = subgroupAdd(high${cell}); low${cell} = subgroupAdd(low${cell});`).join('\n  ')}
  if (subgroupElect()) {
    ${cells.map(({ cell }) => `atomicAdd(&highs[${cell}], high${cell}); atomicAdd(&lows[${cell}], low${cell});`).join('\n    ')}
  }
`,
  }
}

function integerForm(
  format: 'q8' | 'q4',
  tile: number,
  cells: readonly Cell[],
  reduction: Reduction,
): Pick<Kernel, 'declarations' | 'body'> {
  return {
    declarations: /* wgsl */ `
${PRODUCT_SOURCE}
${GROUP_SUMS[format]}
${reduction.declarations}
fn finished(cell: u32, weights_row: u32, row: u32) -> u32 {
  let sum = sum_of(cell);
  return product(sum.x, sum.y, row_scales[weights_row], scales[row]);
}
${END}
`,
    body: /* wgsl */ `
  ${groupLoop(format, cells, tile)}
  ${reduction.body}
  workgroupBarrier();
  if (local >= per_group() * ${tile}u) { return; }
  let row = group.y * ${tile}u + local / per_group();
  let index = group.x * per_group() + local % per_group();
  if (row >= now.rows || index >= op.rows) { return; }
  ${FINISH('finished(select(local, local * 2u + side, is_gated()), index + side * op.rows, row)')}
`,
  }
}
