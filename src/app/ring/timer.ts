/**
 * One deadline at a time: arming it again moves it, disarming forgets it.
 * @module
 */
import type { Milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'

export interface Timer {
  arm(delayMs: Milliseconds, task: () => void): void
  disarm(): void
}

export function createTimer(clock: Clock): Timer {
  let cancel: () => void = () => undefined
  return {
    arm(delayMs, task) {
      cancel()
      cancel = clock.schedule(delayMs, task)
    },
    disarm: () => cancel(),
  }
}
