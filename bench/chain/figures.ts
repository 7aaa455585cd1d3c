/**
 * From what users saw to figures.
 * @module
 */
import type { UserSeen } from './user.ts'

/** The value below which `share` of them lie; NaN for none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Milliseconds between blocks, as one node saw them become final. */
export function intervals({ blocks }: UserSeen): number[] {
  return blocks.slice(1).map(({ finalMs }, index) => finalMs - blocks[index]!.finalMs)
}

/** Milliseconds from the time that the proposer wrote into a block until a node had it final. */
export function roundMs({ blocks }: UserSeen): number[] {
  return blocks.map(({ finalMs, timeMs }) => finalMs - timeMs)
}
