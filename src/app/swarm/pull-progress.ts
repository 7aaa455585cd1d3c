/**
 * How far a download is: bytes, rate over the last seconds, peers, time left. Pure: times come as arguments.
 * Spec: docs/spec/cli.md §14.
 * @module
 */
import type { Milliseconds, PeerId } from '../../base/brand.ts'

export interface PullProgress {
  readonly doneBytes: number
  readonly totalBytes: number
  /** Of those that are done, what was here before. */
  readonly keptBytes: number
  /** What came over the wire, with what was of no use. */
  readonly receivedBytes: number
  /** Of chunks that were stored, by the peers that sent them. */
  readonly from: ReadonlyMap<PeerId, number>
  /** Peers that sent what was wrong. */
  readonly banned: number
  /** Files that another download of this machine fetches: they are waited for. */
  readonly heldFiles: number
  readonly bytesPerSecond: number
  /** Peers that chunks are on the way from. */
  readonly peers: number
  /** undefined: nothing comes. */
  readonly secondsLeft: number | undefined
}

export interface RateMeter {
  /** Bytes so far, at this time. */
  note(bytes: number, nowMs: Milliseconds): void
  bytesPerSecond(): number
}

const WINDOW_MS = 5_000

export function createRateMeter(): RateMeter {
  const notes: { readonly bytes: number; readonly atMs: Milliseconds }[] = []
  return {
    note: (bytes, nowMs) => {
      notes.push({ bytes, atMs: nowMs })
      while (notes.length > 2 && notes[1]!.atMs <= nowMs - WINDOW_MS) notes.shift()
    },
    bytesPerSecond: () => {
      const [first, last] = [notes[0], notes.at(-1)]
      if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0
      return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1_000
    },
  }
}
