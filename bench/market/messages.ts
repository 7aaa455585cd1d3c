/**
 * What a bench and its miner processes say to each other.
 * @module
 */
import type { OpenLease } from '../../src/app/market/lease-source.ts'
import type { PeerId } from '../../src/base/brand.ts'
import type { SegmentRun } from '../../src/ml/segments.ts'

export type MinerOrder =
  | {
      readonly type: 'serve'
      readonly home: string
      /** Name of the model. */
      readonly model: string
      readonly part: SegmentRun
      readonly threads: number
      /** Of its lots. */
      readonly folder: string
    }
  | { readonly type: 'lease'; readonly lease: OpenLease }
  | { readonly type: 'cpu' }

export type MinerTold =
  | { readonly type: 'serving'; readonly peer: PeerId; readonly addresses: readonly string[] }
  | { readonly type: 'known' }
  | { readonly type: 'cpu'; readonly cpu: CpuTime }

/** CPU time of a process so far, user and system, in milliseconds. */
export interface CpuTime {
  /** Of all threads. */
  readonly totalMs: number
  /** Of its main thread: everything but engines, and hashing and writing, which libuv's threads do. */
  readonly mainMs: number
}

/** Of this process. */
export function cpuTime(): CpuTime {
  const total = process.cpuUsage()
  const main = process.threadCpuUsage()
  return { totalMs: (total.user + total.system) / 1_000, mainMs: (main.user + main.system) / 1_000 }
}

export function addCpu(one: CpuTime, other: CpuTime): CpuTime {
  return { totalMs: one.totalMs + other.totalMs, mainMs: one.mainMs + other.mainMs }
}
