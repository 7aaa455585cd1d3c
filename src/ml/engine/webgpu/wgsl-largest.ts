/**
 * Kernels that find the largest logit of each row (numerics.md §8.2), so that of a row one id comes back instead of a vocabulary of logits: groups of threads look for it in
 * shares of the row, then one group looks among what they have found. Spec: docs/spec/gpu.md §10.
 * @module
 */
import { FLAG, type Kernel, read, STATUS, write } from './kernel.ts'

const THREADS = 256
/** That share a row, at the most: 16,384 threads, each with ten logits of a vocabulary of 152,000. */
export const SHARES_MAX = 64

/** Workgroups for rows of so many logits. */
export function sharesOf(vocabularySize: number): number {
  return Math.min(Math.ceil(vocabularySize / THREADS), SHARES_MAX)
}

/**
 * `consider(key, place)`: keys are in the order of the numbers, the place of id k is ~k, so that of equal keys the lower id is the larger place. 0, 0 is nothing. In the end
 * `FOUND` has both of the workgroup's best.
 */
const BEST = /* wgsl */ `
var<workgroup> highest: atomic<u32>;
var<workgroup> first: atomic<u32>;
var<private> best: vec2<u32>;

fn consider(key: u32, place: u32) {
  if (key > best.x || (key == best.x && place > best.y)) { best = vec2<u32>(key, place); }
}
`
const FOUND = /* wgsl */ `
  if (is_largest_near(best.x)) { atomicMax(&highest, best.x); }
  workgroupBarrier();
  let key = atomicLoad(&highest);
  let place = select(0u, best.y, best.x == key);
  if (is_largest_near(place)) { atomicMax(&first, place); }
  workgroupBarrier();
`

/** Of one share: every `op.shares`-th 256 logits of a row. −0 counts as +0. */
export const LARGEST_OF_SHARE: Kernel = {
  name: 'largest-of-share',
  parameters: ['length', 'shares'],
  bindings: [
    read('logits'), // (rows, length)
    write('candidates', 'array<vec2<u32>>'), // (rows, shares): key, place
    STATUS,
  ],
  hasCache: false,
  workgroupSize: THREADS,
  declarations: BEST,
  body: /* wgsl */ `
  let row = group.y;
  for (var k = group.x * ${THREADS}u + local; k < op.length; k += op.shares * ${THREADS}u) {
    let logit = logits[row * op.length + k];
    if (!is_finite(logit)) { atomicOr(&status[(row + now.head) * 2u], ${FLAG.logits}u); }
    consider(ordered(select(logit, 0u, logit == SIGN)), ~k);
  }
  ${FOUND}
  if (local == 0u) { candidates[row * op.shares + group.x] = vec2<u32>(key, atomicLoad(&first)); }
`,
}

/** Of a row, from its shares. */
export const LARGEST: Kernel = {
  name: 'largest',
  parameters: ['shares'],
  bindings: [
    read('candidates', 'array<vec2<u32>>'), // (rows, shares)
    write('largest'), // (rows): ids
  ],
  hasCache: false,
  workgroupSize: SHARES_MAX,
  declarations: BEST,
  body: /* wgsl */ `
  if (local < op.shares) {
    let candidate = candidates[group.y * op.shares + local];
    consider(candidate.x, candidate.y);
  }
  ${FOUND}
  if (local == 0u) { largest[group.y] = ~atomicLoad(&first); }
`,
}
