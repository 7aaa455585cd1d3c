/**
 * Whether a peer that was asked for something brings it fast enough: at least SHARD_LIMITS.floorBytesPerSecond over each DEADLINES.shardFloorMs in which
 * it owed something all the time. So a peer that sends a byte now and then does not hold a download up.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { SHARD_LIMITS } from '../../base/swarm-limits.ts'

export interface ProgressWatch {
  /** Whether the peer owes anything now. */
  owes(isOwing: boolean): void
  came(bytes: number): void
  close(): void
}

const BYTES_PER_WINDOW = (SHARD_LIMITS.floorBytesPerSecond * DEADLINES.shardFloorMs) / 1_000

/** `onSlow` is called once. */
export function createProgressWatch(clock: Pick<Clock, 'schedule'>, onSlow: () => void): ProgressWatch {
  let bytes = 0
  let cancel: (() => void) | undefined
  const begin = (): void => {
    bytes = 0
    cancel = clock.schedule(milliseconds(DEADLINES.shardFloorMs), () => {
      cancel = undefined
      if (bytes < BYTES_PER_WINDOW) onSlow()
      else begin()
    })
  }
  const end = (): void => {
    cancel?.()
    cancel = undefined
  }
  return {
    owes(isOwing) {
      if (!isOwing) end()
      else if (cancel === undefined) begin()
    },
    came(count) {
      bytes += count
    },
    close: end,
  }
}
