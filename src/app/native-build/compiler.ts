/**
 * Compiler, files and flags of the native engine, for its build and for the build of its test program. Compiles nothing itself.
 * Spec: docs/spec/native.md §1, docs/spec/numerics.md §1.
 * @module
 */
import { spawnSync } from 'node:child_process'

export interface Instructions {
  /** As native/cpu/detect.c knows it. */
  readonly name: string
  readonly flags: readonly string[]
}

/** The compiler and its first arguments: CC, which may be `ccache gcc`, else cc, gcc or clang. */
export type Compiler = readonly [command: string, ...parameters: string[]]

export function findCompiler(): Compiler | undefined {
  const asked = process.env['CC']?.trim()
  const candidates: Compiler[] = asked ? [[asked], wordsOf(asked)] : [['cc'], ['gcc'], ['clang']]
  return candidates.find(
    ([command, ...parameters]) => spawnSync(command, [...parameters, '--version'], { stdio: 'ignore' }).status === 0,
  )
}

function wordsOf(text: string): Compiler {
  const [command = '', ...parameters] = text.split(/\s+/)
  return [command, ...parameters]
}

/** No fused multiply-add, no fast math: docs/spec/numerics.md. */
export const COMMON_FLAGS: readonly string[] = [
  ...['-std=gnu11', '-fno-fast-math', '-ffp-contract=off', '-fno-math-errno', '-fwrapv'],
  ...['-Wall', '-Wextra', '-Wno-psabi', '-fvisibility=hidden'],
  ...(process.platform === 'win32' ? [] : ['-fPIC', '-pthread']),
]

export const COMMON_SOURCES: readonly string[] = [
  ...[
    'cpu/addon.c',
    'cpu/caches.c',
    'cpu/detect.c',
    'cpu/memory.c',
    'cpu/pool.c',
    'cpu/self-check.c',
    'cpu/stage.c',
    'cpu/wake.c',
  ],
]

const AVX512_VNNI = ['-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq', '-mavx512vnni']

/** The kernels are compiled once for each of them. */
export function instructionsOf(architecture: string): readonly Instructions[] {
  const generic = { name: 'generic', flags: [] }
  if (architecture === 'x64') {
    return [
      { name: 'avx512vnni', flags: ['-mavx2', ...AVX512_VNNI, '-DUNIT_ROWS=16'] },
      { name: 'avxvnni', flags: ['-mavx2', '-mavxvnni'] },
      { name: 'avx2', flags: ['-mavx2'] },
      { name: 'sse41', flags: ['-mssse3', '-msse4.1'] },
      generic,
    ]
  }
  if (architecture === 'arm64') return [{ name: 'dotprod', flags: ['-march=armv8.2-a+dotprod'] }, generic]
  return [generic]
}
