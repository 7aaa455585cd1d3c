/**
 * A line of progress for people: share done, bytes, rate and time left. Redrawn in place on a terminal, not more often
 * than anybody can read; silent elsewhere.
 * @module
 */
import { type Milliseconds, milliseconds } from '../base/brand.ts'
import type { Clock } from '../base/ports.ts'
import { formatBytes } from './table.ts'

const REDRAW_MS = 100
const BAR_CHARACTERS = 24

export interface Progress {
  update(doneBytes: number, totalBytes: number, facts?: ProgressFacts): void
  /** Removes the line. */
  end(): void
}

export interface ProgressFacts {
  /** Of those that are done, what was so before: it has no rate. */
  readonly keptBytes?: number
  /** The rate of now, where it is known; else that since the beginning is shown. */
  readonly bytesPerSecond?: number
  /** Stands at the end. */
  readonly remark?: string
}

export interface ProgressOutput {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** Draws on `output`, usually stderr; does nothing where that is no terminal. */
export function createProgress(label: string, output: ProgressOutput, ports: { clock: Clock }): Progress {
  const startedMs = ports.clock.now()
  let drawnMs: Milliseconds | undefined
  return {
    update(doneBytes, totalBytes, facts = {}) {
      if (!output.isTTY) return
      const nowMs = ports.clock.now()
      if (drawnMs !== undefined && nowMs - drawnMs < REDRAW_MS && doneBytes < totalBytes) return
      drawnMs = nowMs
      output.write(
        `\r\x1b[K${progressLine(label, { ...facts, doneBytes, totalBytes, elapsedMs: milliseconds(nowMs - startedMs) })}`,
      )
    },
    end() {
      if (drawnMs !== undefined) output.write('\r\x1b[K')
    },
  }
}

export interface ProgressState extends ProgressFacts {
  readonly doneBytes: number
  readonly totalBytes: number
  readonly elapsedMs: Milliseconds
}

/** `genesis ████░░░░  42 %  1.2 of 2.8 GB  310 MB/s  5 s left` */
export function progressLine(
  label: string,
  { doneBytes, totalBytes, keptBytes = 0, elapsedMs, bytesPerSecond, remark }: ProgressState,
): string {
  const share = totalBytes === 0 ? 1 : doneBytes / totalBytes
  const filled = Math.round(share * BAR_CHARACTERS)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_CHARACTERS - filled)
  const rate = bytesPerSecond ?? (elapsedMs > 0 ? ((doneBytes - keptBytes) / elapsedMs) * 1_000 : 0)
  const parts = [
    `${label} ${bar} ${String(Math.floor(share * 100)).padStart(3)} %`,
    `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}`,
    `${formatBytes(rate)}/s`,
    ...(rate > 0 ? [`${formatSeconds((totalBytes - doneBytes) / rate)} left`] : []),
    ...(remark === undefined ? [] : [remark]),
  ]
  return parts.join('  ')
}

function formatSeconds(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  return seconds < 5_400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`
}
