/**
 * Kernels of attention (numerics.md §6.2–§6.6): biases, head norm, RoPE and the append to the cache; then scores, softmax and the weighted sum of values.
 * One workgroup per head and row.
 * @module
 */
import { ENGINE_LIMITS } from '../../../base/limits.ts'
import { FLAG, type Kernel, read, STATUS, write } from './kernel.ts'
import { RECIPROCAL_ROOT, TREE } from './wgsl-rows.ts'

const THREADS = 64

const SIZES = ['heads', 'shared_heads', 'size']

/** §6.2–§6.5. Workgroups 0 … H−1 are queries, then V keys, then V values. */
export const ROTATE: Kernel = {
  name: 'rotate',
  parameters: [...SIZES, 'has_bias', 'has_norm', 'epsilon', 'float_size'],
  bindings: [
    write('projected'), // (rows, (H + 2V)·h)
    read('bias'), // ((H + 2V)·h)
    read('gains'), // (2, h): query, key
    read('rope'), // (rows, 2, h/2): cos, sin
    STATUS,
  ],
  hasCache: true,
  workgroupSize: THREADS,
  declarations: /* wgsl */ `
var<workgroup> head: array<u32, ${ENGINE_LIMITS.headSizeMax}>;
var<workgroup> lanes: array<u32, 16>;
var<workgroup> factor: u32;
${TREE}
${RECIPROCAL_ROOT}
`,
  body: /* wgsl */ `
  let row = group.y;
  let length = (op.heads + 2u * op.shared_heads) * op.size;
  let start = row * length + group.x * op.size;
  let is_value = group.x >= op.heads + op.shared_heads;
  let is_key = group.x >= op.heads && !is_value;
  for (var i = local; i < op.size; i += ${THREADS}u) {
    var value = projected[start + i];
    if (op.has_bias != 0u) { value = add(value, bias[group.x * op.size + i]); }
    head[i] = value;
  }
  workgroupBarrier();
  if (op.has_norm != 0u && !is_value) {
    if (local < 16u) {
      var sum = 0u;
      for (var k = local; k < op.size; k += 16u) { sum = add(sum, multiply(head[k], head[k])); }
      lanes[local] = sum;
    }
    workgroupBarrier();
    if (local == 0u) {
      let squares = tree(0u);
      if (!is_finite(squares)) { atomicOr(&status[row * 2u], ${FLAG.norm}u); }
      factor = reciprocal_root(squares, op.float_size, op.epsilon);
    }
    workgroupBarrier();
    let gain_at = select(0u, op.size, is_key);
    for (var i = local; i < op.size; i += ${THREADS}u) {
      var value = head[i];
      for (var j = now.zero; j < 2u; j++) { value = multiply(value, select(gains[gain_at + i], factor, j == 0u)); }
      head[i] = value;
    }
    workgroupBarrier();
  }
  let half = op.size / 2u;
  let shared_head = group.x - op.heads - select(0u, op.shared_heads, is_value);
  let cache_at = ((now.position + row) * op.shared_heads + shared_head) * op.size;
  if (is_value) {
    for (var i = local; i < op.size; i += ${THREADS}u) { values[cache_at + i] = head[i]; }
    return;
  }
  for (var i = local; i < half; i += ${THREADS}u) {
    let c = rope[row * op.size + i];
    let s = rope[row * op.size + half + i];
    // low·c − high·s, then high·c + low·s
    var turned = array<u32, 2>();
    for (var side = now.zero; side < 2u; side++) {
      let own = head[i + side * half];
      let other = head[i + (1u - side) * half] ^ select(0u, SIGN, side == 0u);
      var products = array<u32, 2>();
      for (var j = now.zero; j < 2u; j++) { products[j] = multiply(select(other, own, j == 0u), select(s, c, j == 0u)); }
      turned[side] = add(products[0], products[1]);
    }
    if (is_key) {
      keys[cache_at + i] = turned[0];
      keys[cache_at + half + i] = turned[1];
    } else {
      projected[start + i] = turned[0];
      projected[start + half + i] = turned[1];
    }
  }
`,
}

const ATTEND_THREADS = 128
const AT_ONCE = ATTEND_THREADS / 16

/** §6.6. Sixteen threads are the lanes of one score. */
export const ATTEND: Kernel = {
  name: 'attend',
  // factor: bits of f32(1/√h). window: positions seen, 0: all. capacity of `scores`' rows is that of the cache.
  parameters: [...SIZES, 'factor', 'window'],
  bindings: [
    read('projected'), // (rows, (H + 2V)·h)
    write('floats'), // (rows, H·h)
    STATUS,
  ],
  hasCache: true,
  workgroupSize: ATTEND_THREADS,
  declarations: /* wgsl */ `
var<workgroup> query: array<u32, ${ENGINE_LIMITS.headSizeMax}>;
var<workgroup> lanes: array<u32, ${ATTEND_THREADS}>;
var<workgroup> highest: atomic<u32>;
${TREE}
`,
  body: /* wgsl */ `
  let row = group.y;
  let position = now.position + row;
  let first = select(0u, position + 1u - op.window, op.window != 0u && position >= op.window);
  let count = position + 1u - first;
  let stride = op.shared_heads * op.size;
  let cache_at = first * stride + (group.x * op.shared_heads / op.heads) * op.size;
  let scores_at = (row * op.heads + group.x) * now.capacity;
  let query_at = (row * (op.heads + 2u * op.shared_heads) + group.x) * op.size;
  for (var i = local; i < op.size; i += ${ATTEND_THREADS}u) { query[i] = projected[query_at + i]; }
  let place = local >> 4u;
  var own_highest = 0u;
  for (var t0 = 0u; t0 < count; t0 += ${AT_ONCE}u) {
    workgroupBarrier();
    let t = t0 + place;
    var sum = 0u;
    if (t < count) {
      for (var k = local & 15u; k < op.size; k += 16u) {
        sum = add(sum, multiply(query[k], keys[cache_at + t * stride + k]));
      }
    }
    lanes[local] = sum;
    workgroupBarrier();
    if ((local & 15u) == 0u && t < count) {
      let score = multiply(tree(local), op.factor);
      if (!is_finite(score)) { atomicOr(&status[row * 2u], ${FLAG.attention}u); }
      scores[scores_at + t] = score;
      own_highest = max(own_highest, ordered(score));
    }
  }
  if (is_largest_near(own_highest)) { atomicMax(&highest, own_highest); }
  storageBarrier();
  workgroupBarrier();
  // ordered, undone
  let top = atomicLoad(&highest);
  let largest_score = top ^ select(0xffffffffu, SIGN, (top & SIGN) != 0u);
  for (var t = local; t < count; t += ${ATTEND_THREADS}u) {
    scores[scores_at + t] = exponential(add(scores[scores_at + t], negate(largest_score)));
  }
  storageBarrier();
  workgroupBarrier();
  if (local < 16u) {
    var sum = 0u;
    for (var t = local; t < count; t += 16u) { sum = add(sum, scores[scores_at + t]); }
    lanes[local] = sum;
  }
  workgroupBarrier();
  if (local == 0u) { lanes[0] = tree(0u); }
  workgroupBarrier();
  let total = lanes[0];
  var largest = 0u;
  for (var i = local; i < op.size; i += ${ATTEND_THREADS}u) {
    var sum = 0u;
    for (var t = 0u; t < count; t++) {
      sum = add(sum, multiply(scores[scores_at + t], values[cache_at + t * stride + i]));
    }
    let value = divide(sum, total);
    floats[(row * op.heads + group.x) * op.size + i] = value;
    largest = max(largest, value & 0x7fffffffu);
  }
  if (is_largest_near(largest)) { atomicMax(&status[row * 2u + 1u], largest); }
`,
}
