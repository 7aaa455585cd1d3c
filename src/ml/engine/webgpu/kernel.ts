/**
 * What a kernel is to the rest of the executor: a name, what it binds, its parameters and its code. Every number is its bits in a u32.
 * Group 0 holds `now` (changes with each pass), `op` (fixed per recorded call) and buffers; group 1 a session's cache.
 * Spec: docs/spec/gpu.md §8.
 * @module
 */
import { type FloatArithmetic, floatSource } from './wgsl-float.ts'

/** `read`: an input; `write`: also or only written. */
export type Access = 'read' | 'write'

export interface Binding {
  readonly name: string
  /** WGSL type. */
  readonly type: string
  readonly access: Access
}

export interface Kernel {
  readonly name: string
  /** Words of `op`, in order. */
  readonly parameters: readonly string[]
  readonly bindings: readonly Binding[]
  /** Works on a cache: binds group 1. */
  readonly hasCache: boolean
  readonly workgroupSize: number
  /** Declarations and `fn main`'s body; `local` is the thread in its workgroup, `group` the workgroup. */
  readonly declarations: string
  readonly body: string
  /** The same where threads of a subgroup can add; `is_largest_near` serves those that need not differ. */
  readonly withSubgroups?: Pick<Kernel, 'declarations' | 'body'>
}

export interface KernelOptions {
  readonly arithmetic: FloatArithmetic
  /** Whether WGSL has `dot4I8Packed` here (language feature packed_4x8_integer_dot_product). Default: it has. */
  readonly hasPackedDot?: boolean
  /** Whether the device was opened with the feature `subgroups`. Their size may be any, and differ from kernel to kernel. Default: it was not. */
  readonly hasSubgroups?: boolean
  /** Rows of activations for which a weight is read once, where there is more than one row. Default 8; fewer compile faster. */
  readonly tile?: number
}

/** Group 1, in order. Layouts are explicit, so that one bind group serves both kernels. */
export const CACHE_BINDINGS: readonly Binding[] = [
  { name: 'keys', type: 'array<u32>', access: 'write' }, // (capacity, V·h)
  { name: 'values', type: 'array<u32>', access: 'write' }, // (capacity, V·h)
  { name: 'scores', type: 'array<u32>', access: 'write' }, // (rows, H, capacity)
]

export function read(name: string, type = 'array<u32>'): Binding {
  return { name, type, access: 'read' }
}

export function write(name: string, type = 'array<u32>'): Binding {
  return { name, type, access: 'write' }
}

/** (rows, 2): places of a row that met no finite value; magnitude of what is quantised next. */
export const STATUS: Binding = write('status', 'array<atomic<u32>>')

/** Bits of the first word of a row's `status`, the earliest place first. */
export const FAILURES = [
  'a norm',
  'the input of a matrix product',
  'attention',
  'the output of a layer',
  'the logits',
] as const
export const FLAG = { norm: 1, product: 2, attention: 4, output: 8, logits: 16 } as const

/** Words of the uniform `now`. `head`: the first row that the head computes. `capacity`: of the cache. `zero`: 0, which the compiler cannot know. */
export const NOW_WORDS = ['position', 'rows', 'head', 'capacity', 'zero'] as const

/** Four products of signed bytes and their sum. */
const PLAIN_DOT = /* wgsl */ `
fn dot4(a: u32, b: u32) -> i32 {
  let x = bitcast<i32>(a);
  let y = bitcast<i32>(b);
  return extractBits(x, 0u, 8u) * extractBits(y, 0u, 8u) + extractBits(x, 8u, 8u) * extractBits(y, 8u, 8u)
    + extractBits(x, 16u, 8u) * extractBits(y, 16u, 8u) + extractBits(x, 24u, 8u) * extractBits(y, 24u, 8u);
}
`
const PACKED_DOT = /* wgsl */ `
fn dot4(a: u32, b: u32) -> i32 { return dot4I8Packed(a, b); }
`

/**
 * Whether a thread's value is the largest of those of the threads that are together: one that is not need not be compared by an atomic. Without subgroups each
 * is alone. Called by all threads of a workgroup.
 */
const EACH_ALONE = /* wgsl */ `
fn is_largest_near(value: u32) -> bool { return true; }
`
const TOGETHER = /* wgsl */ `
fn is_largest_near(value: u32) -> bool { return value == subgroupMax(value); }
`

/** The whole shader, in the form that the device's capabilities allow. */
export function kernelSource(kernel: Kernel, options: KernelOptions): string {
  const { hasPackedDot = true, hasSubgroups = false } = options
  const form = (hasSubgroups && kernel.withSubgroups) || kernel
  const words = (names: readonly string[]) => names.map((name) => `${name}: u32`).join(', ')
  return [
    ...(hasSubgroups ? ['enable subgroups;'] : []),
    `struct Now { ${words(NOW_WORDS)} }`,
    `struct Op { ${words(kernel.parameters)} }`,
    '@group(0) @binding(0) var<uniform> now: Now;',
    '@group(0) @binding(1) var<uniform> op: Op;',
    ...kernel.bindings.map((binding, index) => declaration(0, index + 2, binding)),
    ...(kernel.hasCache ? CACHE_BINDINGS.map((binding, index) => declaration(1, index, binding)) : []),
    hasPackedDot ? PACKED_DOT : PLAIN_DOT,
    hasSubgroups ? TOGETHER : EACH_ALONE,
    floatSource(options.arithmetic),
    form.declarations,
    `@compute @workgroup_size(${kernel.workgroupSize})`,
    'fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3<u32>) {',
    form.body,
    '}',
  ].join('\n')
}

function declaration(group: number, index: number, { name, type, access }: Binding): string {
  const mode = access === 'read' ? 'read' : 'read_write'
  return `@group(${group}) @binding(${index}) var<storage, ${mode}> ${name}: ${type};`
}
