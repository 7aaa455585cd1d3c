/**
 * A state that counts what is asked of it: for tests of what a rule costs.
 * @module
 */
import type { StateKey, WriteState } from '../src/core/state/state.ts'

export interface CountedState extends WriteState {
  /** Records that were read, walked past or written. */
  readonly touched: number
  /** How often a key was written. */
  writesOf(key: StateKey): number
}

export function countedState(state: WriteState): CountedState {
  const writes = new Map<StateKey, number>()
  let touched = 0
  return {
    get touched() {
      return touched
    },
    writesOf: (key) => writes.get(key) ?? 0,
    get(key) {
      touched++
      return state.get(key)
    },
    *entries(prefix) {
      for (const entry of state.entries(prefix)) {
        touched++
        yield entry
      }
    },
    set(key, value) {
      touched++
      writes.set(key, (writes.get(key) ?? 0) + 1)
      state.set(key, value)
    },
  }
}
