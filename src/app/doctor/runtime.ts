/**
 * Doctor's checks of the program's own ground: Node, WebAssembly features, limits of the process, the clock.
 * @module
 */
import { stat } from 'node:fs/promises'
import type { Clock } from '../../base/ports.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import { webAssembly } from './webassembly.ts'

const NODE_MAJOR_MIN = 22
const NODE_MINOR_MIN = 12

/** Smallest modules that use the feature: a body of one constant and one instruction of it. */
const WASM_FEATURES = {
  // i8x16.popcnt of a splat: fixed-width SIMD.
  simd: [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
  // i8x16.relaxed_swizzle of two splats.
  relaxedSimd: [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
    253, 128, 2, 11,
  ],
  // i32.atomic.load of a shared memory.
  threads: [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 10, 11, 1, 9, 0, 65, 0, 254, 16, 2, 0,
    26, 11,
  ],
} as const

export type WasmFeature = keyof typeof WASM_FEATURES

/** Whether this runtime compiles modules that use `feature`. */
export function hasWasmFeature(feature: WasmFeature): boolean {
  return webAssembly.validate(new Uint8Array(WASM_FEATURES[feature]))
}

export function checkNode(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isEnough = major > NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor >= NODE_MINOR_MIN)
  const summary = `Node ${version} on ${process.platform}-${process.arch}.`
  const values = { version, platform: process.platform, architecture: process.arch }
  if (isEnough) return ok('node', summary, values)
  const advice = `Install Node ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or newer, and run this again with it.`
  return fail('node', summary, advice, values)
}

export function checkWasm(): Finding {
  const simd = hasWasmFeature('simd')
  const relaxedSimd = hasWasmFeature('relaxedSimd')
  const threads = hasWasmFeature('threads')
  const values = { simd, relaxedSimd, threads }
  const missing = Object.entries(values).filter(([, has]) => !has)
  if (missing.length === 0) return ok('wasm', 'WebAssembly has SIMD, relaxed SIMD and threads.', values)
  const summary = `WebAssembly lacks ${missing.map(([name]) => name).join(', ')}.`
  const advice =
    'Use a newer Node: without these, where the native engine does not run either, layers run on the slow reference engine.'
  return warn('wasm', summary, advice, values)
}

/** A miner holds a socket per connection and files per shard. */
const OPEN_FILES_MIN = 4_096

export function checkOpenFiles(): Finding {
  // Leaves out the names of network peers, which take a look-up each.
  const report = Object.assign(process.report, { excludeNetwork: true }).getReport()
  const { userLimits } = report as { userLimits?: { open_files?: { soft: number | string } } }
  const soft = userLimits?.open_files?.soft
  if (soft === undefined) return ok('openFiles', 'This system has no limit of open files to read.')
  const limit = soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft)
  const summary = `The process may open ${soft} files.`
  if (limit >= OPEN_FILES_MIN) return ok('openFiles', summary, { limit })
  return warn('openFiles', summary, `Raise it for a miner with many peers: \`ulimit -n ${OPEN_FILES_MIN}\`.`, { limit })
}

const DAY_MS = 86_400_000

/** The clock must not be behind the program's own files: expiry stamps of offers and keys are compared with it. */
export async function checkClock(clock: Clock): Promise<Finding> {
  const wallMs = clock.wallMs()
  const { mtimeMs } = await stat(new URL('../../../package.json', import.meta.url))
  const values = { wallMs, behindMs: Math.max(0, Math.round(mtimeMs - wallMs)) }
  if (mtimeMs - wallMs <= DAY_MS) return ok('clock', 'The clock is not behind the files of the program.', values)
  const advice = 'Set the clock of this machine, best by NTP: peers refuse offers that look expired.'
  return warn('clock', 'The clock is behind the files of the program by more than a day.', advice, values)
}
