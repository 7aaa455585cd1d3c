/**
 * Says once a minute why there was nothing to do, when no step was computed in it. Goes by the clock, since a chain that stands still is one of
 * the reasons. Spec: docs/spec/cli.md §10.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import type { MiningNotes } from './duty.ts'
import { type IdleFacts, idleReasons } from './idle-words.ts'

const MINUTE_MS = milliseconds(60_000)

export interface IdleParts {
  readonly notes: MiningNotes
  readonly clock: Clock
  /** Steps computed since the start. */
  readonly steps: () => number
  /** Of each model that is served. */
  readonly facts: (signal: AbortSignal) => Promise<readonly IdleFacts[]>
}

/** Until the signal fires. */
export async function tellIdleMinutes({ notes, clock, steps, facts }: IdleParts, signal: AbortSignal): Promise<void> {
  let before = steps()
  for (;;) {
    await clock.sleep(MINUTE_MS, signal).catch(() => undefined)
    if (signal.aborted) return
    const now = steps()
    if (now === before) {
      for (const { reason, text } of idleReasons(await facts(signal)))
        notes.say({ type: 'idle', text, details: { reason } })
    }
    before = now
  }
}
