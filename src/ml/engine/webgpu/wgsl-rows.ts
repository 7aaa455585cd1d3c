/**
 * Kernels over whole rows: embedding, norm, quantising. One workgroup per row, or per part of a row.
 * Spec: docs/spec/numerics.md §2–§4, §6.1.
 * @module
 */
import type { WeightFormat } from '../../config.ts'
import { FLAG, type Kernel, read, STATUS, write } from './kernel.ts'

const ROW_THREADS = 256

/** Elements that one workgroup of the embedding makes. */
export const EMBED_THREADS = 64

/** Groups of 32 that one workgroup of `quantize` makes. */
export const QUANTIZE_THREADS = 64

/** The tree of §2 over `lanes[start … start+15]`. */
export const TREE = /* wgsl */ `
fn tree(start: u32) -> u32 {
  // Fifteen sums: eight, four, two, one.
  for (var sum = now.zero; sum < 15u; sum++) {
    let width = select(select(select(1u, 2u, sum < 14u), 4u, sum < 12u), 8u, sum < 8u);
    let i = start + (sum & (width - 1u));
    lanes[i] = add(lanes[i], lanes[i + width]);
  }
  return lanes[start];
}
`

/** §6.1: 1 ÷ √(squares ÷ length + epsilon). */
export const RECIPROCAL_ROOT = /* wgsl */ `
fn reciprocal_root(squares: u32, length: u32, epsilon: u32) -> u32 {
  var above = squares;
  var below = length;
  var quotient = 0u;
  for (var i = now.zero; i < 2u; i++) {
    quotient = divide(above, below);
    above = 0x3f800000u;
    below = square_root(add(quotient, epsilon));
  }
  return quotient;
}
`

/** §4: one group of 32, which ends up multiplied by `inverse` in `floats`. Writes mantissas, and the group's word: sum of mantissas · 2^8 + exponent. */
const QUANTIZE_GROUP = /* wgsl */ `
const SMALLEST: u32 = ${(127 - 100) << 23}u; // 2^-100
const WHOLE: u32 = 0x467e0000u; // 16256

fn quantize_group(row: u32, index: u32, length: u32, inverse: u32, zero: bool) {
  let start = row * length + index * 32u;
  let count = min(length - index * 32u, 32u);
  let groups = (length + 31u) / 32u;
  // f32(gmax·inverse) is the largest of the products, as rounding keeps the order.
  var bound = 0u;
  for (var k = 0u; k < count; k++) {
    let value = multiply(floats[start + k], inverse);
    floats[start + k] = value;
    bound = max(bound, value & 0x7fffffffu);
  }
  // Bits of numbers of one sign are in their order, and 127·2^e is a multiple of 2^23 above 127.
  let above = (max(bound, 0x42fe0000u) - 0x42fe0000u + 0x7fffffu) >> 23u;
  let exponent = select(min(above, 7u), 0u, zero);
  var sum = 0;
  for (var word = now.zero; word < 8u; word++) {
    var packed = 0u;
    for (var byte = now.zero; byte < 4u; byte++) {
      let k = word * 4u + byte;
      if (k >= count || zero) { continue; }
      let mantissa = clamp(nearest_integer(floats[start + k], exponent), -127, 127);
      sum += mantissa;
      packed |= (u32(mantissa) & 255u) << (byte * 8u);
    }
    mantissas[(row * groups + index) * 8u + word] = packed;
  }
  group_words[row * groups + index] = sum * 256 + i32(exponent);
}
`

const QUANTIZED = [write('mantissas'), write('group_words', 'array<i32>'), write('scales')]

/** §6.1 and, where `op.quantizes`, §4. */
export const NORM: Kernel = {
  name: 'norm',
  // float_length and epsilon: bits of f32. is_head: reads from row `now.head` on.
  parameters: ['length', 'float_length', 'epsilon', 'quantizes', 'is_head'],
  bindings: [
    read('hidden'), // (rows, length)
    read('gain'), // (length)
    write('floats'), // (rows, length)
    ...QUANTIZED,
    STATUS,
  ],
  hasCache: false,
  workgroupSize: ROW_THREADS,
  declarations: /* wgsl */ `
var<workgroup> lanes: array<u32, 16>;
var<workgroup> factor: u32;
var<workgroup> largest_here: atomic<u32>;
${TREE}
${RECIPROCAL_ROOT}
${QUANTIZE_GROUP}
`,
  body: /* wgsl */ `
  let row = group.y;
  let source_row = row + select(0u, now.head, op.is_head != 0u);
  let source = source_row * op.length;
  let target_row = row * op.length;
  for (var k = local; k < op.length; k += ${ROW_THREADS}u) {
    floats[target_row + k] = multiply(hidden[source + k], hidden[source + k]);
  }
  storageBarrier();
  workgroupBarrier();
  if (local < 16u) {
    var sum = 0u;
    for (var k = local; k < op.length; k += 16u) { sum = add(sum, floats[target_row + k]); }
    lanes[local] = sum;
  }
  workgroupBarrier();
  if (local == 0u) {
    let squares = tree(0u);
    if (!is_finite(squares)) { atomicOr(&status[source_row * 2u], ${FLAG.norm}u); }
    factor = reciprocal_root(squares, op.float_length, op.epsilon);
    atomicStore(&status[row * 2u + 1u], 0u);
  }
  storageBarrier();
  workgroupBarrier();
  var largest = 0u;
  for (var k = local; k < op.length; k += ${ROW_THREADS}u) {
    var value = hidden[source + k];
    for (var i = now.zero; i < 2u; i++) { value = multiply(value, select(gain[k], factor, i == 0u)); }
    floats[target_row + k] = value;
    largest = max(largest, value & 0x7fffffffu);
  }
  if (is_largest_near(largest)) { atomicMax(&largest_here, largest); }
  if (op.quantizes == 0u) { return; }
  storageBarrier();
  workgroupBarrier();
  let amax = atomicLoad(&largest_here);
  let zero = amax < SMALLEST;
  let inverse = divide(WHOLE, amax);
  for (var index = local; index * 32u < op.length; index += ${ROW_THREADS}u) {
    quantize_group(row, index, op.length, inverse, zero);
  }
  if (local == 0u) {
    scales[row] = select(divide(amax, WHOLE), 0u, zero);
    if (amax >= INF) { atomicOr(&status[source_row * 2u], ${FLAG.product}u); }
  }
`,
}

/** §4 of a row whose largest magnitude is known. */
export const QUANTIZE: Kernel = {
  name: 'quantize',
  parameters: ['length'],
  bindings: [
    write('floats'), // (rows, length)
    ...QUANTIZED,
    STATUS,
  ],
  hasCache: false,
  workgroupSize: QUANTIZE_THREADS,
  declarations: QUANTIZE_GROUP,
  body: /* wgsl */ `
  let row = group.y;
  let index = group.x * ${QUANTIZE_THREADS}u + local;
  let amax = atomicLoad(&status[row * 2u + 1u]);
  let zero = amax < SMALLEST;
  if (index * 32u < op.length) { quantize_group(row, index, op.length, divide(WHOLE, amax), zero); }
  if (index == 0u) {
    scales[row] = select(divide(amax, WHOLE), 0u, zero);
    if (amax >= INF) { atomicOr(&status[row * 2u], ${FLAG.product}u); }
  }
`,
}

/** How one element of an embedding row is read (§3). */
const EMBEDDED: Record<WeightFormat, string> = {
  f32: 'weights[token * op.length + k]',
  q8: /* wgsl */ `multiply(from_integer(extractBits(bitcast<i32>(weights[(token * op.width + k) / 4u]), (k & 3u) * 8u, 8u)), row_scales[token])`,
  q4: /* wgsl */ `multiply(from_integer(nibble_at(token, k) * multiplier_at(token, k)), row_scales[token])`,
}

const NIBBLES = /* wgsl */ `
fn nibble_at(token: u32, k: u32) -> i32 {
  let index = (token * op.width + (k & ~31u)) / 2u + (k & 15u);
  let byte = weights[index / 4u] >> ((index & 3u) * 8u);
  return i32((byte >> ((k & 16u) / 4u)) & 15u) - 8;
}
fn multiplier_at(token: u32, k: u32) -> i32 {
  let index = (token * op.width + k) / 32u;
  return i32((multipliers[index / 4u] >> ((index & 3u) * 8u)) & 255u);
}
`

/** §3: rows of the tokens whose rows this part of the embedding matrix has. */
export function embedKernel(format: WeightFormat): Kernel {
  const scales = format === 'f32' ? [] : [read('row_scales')]
  return {
    name: `embed-${format}`,
    parameters: ['length', 'width', 'first', 'count'],
    bindings: [
      read('tokens'), // (rows)
      read('weights'),
      ...scales,
      ...(format === 'q4' ? [read('multipliers')] : []),
      write('hidden'), // (rows, length)
    ],
    hasCache: false,
    workgroupSize: EMBED_THREADS,
    declarations: format === 'q4' ? NIBBLES : '',
    body: /* wgsl */ `
  let k = group.x * ${EMBED_THREADS}u + local;
  let token = tokens[group.y] - op.first;
  if (k >= op.length || token >= op.count) { return; }
  hidden[group.y * op.length + k] = ${EMBEDDED[format]};
`,
  }
}
