/**
 * The turns of a session at a stage: which one is the latest, and whether work of a turn is still wanted. In a session with a lease every step that
 * stage 1 began is computed by all stages, so that all count the same rows; a cancel then only keeps new steps from beginning.
 * Spec: docs/spec/wire.md §4.3, §4.5, §4.8.
 * @module
 */
export interface SessionTurns {
  /** The latest that began. */
  readonly latest: number
  /** A turn began, or a step of one came. */
  note(turn: number): void
  /** This turn and older ones are over. */
  cancel(turn: number): void
  /** No work is wanted any more. */
  end(): void
  /** Whether the client waits for what comes of this turn. */
  isCurrent(turn: number): boolean
  /** Whether a step of this turn, which another stage or this one began, goes on. */
  goesOn(turn: number): boolean
}

export function createSessionTurns(hasLease: boolean): SessionTurns {
  let latest = 0
  let cancelled = 0
  let isOver = false
  const isCurrent = (turn: number): boolean => !isOver && turn === latest && turn > cancelled
  return {
    get latest() {
      return latest
    },
    note: (turn) => {
      latest = Math.max(latest, turn)
    },
    cancel: (turn) => {
      cancelled = Math.max(cancelled, turn)
    },
    end: () => {
      isOver = true
    },
    isCurrent,
    goesOn: (turn) => (hasLease ? !isOver : isCurrent(turn)),
  }
}
