/**
 * How long to wait, and whether a block's time is believable. Pure.
 * Spec: docs/spec/chain.md §7.4, §7.5.
 * @module
 */
import type { Milliseconds } from '../../base/brand.ts'
import type { Timing } from './ledger.ts'
import type { TimerStep } from './replica-port.ts'

/** Milliseconds to wait in a step. Grows per round, so that after every disturbance some round is long enough. */
export function timeoutMs(timing: Timing, step: TimerStep, round: number): number {
  if (step === 'commit') return timing.commitMs
  return (step === 'propose' ? timing.proposeMs : timing.voteMs) + round * timing.roundMs
}

/** What is known of a new block's time when its proposal arrived. Unix milliseconds. */
export interface BlockTime {
  readonly timeMs: Milliseconds
  readonly parentTimeMs: Milliseconds
  readonly arrivedMs: Milliseconds
  readonly round: number
}

/**
 * Whether a block that nobody voted on yet may have its time: later than its parent's, not further ahead of the local clock than
 * clocks may differ, and not further behind than that and the time that a proposal of this round may take to arrive.
 */
export function isTimely({ timeMs, parentTimeMs, arrivedMs, round }: BlockTime, timing: Timing): boolean {
  if (timeMs <= parentTimeMs) return false
  if (timeMs > arrivedMs + timing.clockSkewMs) return false
  return timeMs >= arrivedMs - timing.clockSkewMs - timeoutMs(timing, 'propose', round)
}
