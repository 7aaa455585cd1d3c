/**
 * What a miner has to say of its work for pay: to the person at the terminal, to programs as NDJSON, and into a file of the data folder, which
 * `dllm earnings` and the dashboard read. The file keeps MINING_LIMITS.eventsBytesMax and one older file beside it.
 * Spec: docs/spec/cli.md §10, docs/spec/home.md §6.
 * @module
 */
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MINING_LIMITS } from '../../base/chain-limits.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { MiningEvent, MiningNotes } from './duty.ts'

/** In `mining/NAME/`, one JSON object per line. */
export const EVENTS_FILE = 'events.ndjson'

export interface NotesOptions {
  /** `mining/NAME/` in the data folder. */
  readonly folder: string
  readonly print: (line: string) => void
  readonly emit: (value: object) => void
}

/** What cannot be written is told to the log: no miner stops for its notes. */
export function createMiningNotes(
  { folder, print, emit }: NotesOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): MiningNotes {
  const path = join(folder, EVENTS_FILE)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  let bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const keep = (line: string): void => {
    const length = Buffer.byteLength(line)
    if (bytes > 0 && bytes + length > MINING_LIMITS.eventsBytesMax) {
      renameSync(path, `${path}.1`)
      bytes = 0
    }
    appendFileSync(path, line, { mode: 0o600 })
    bytes += length
  }
  return {
    say({ type, text, details }) {
      const told = { event: type, timeMs: Math.floor(clock.wallMs()), text, ...(details ? { details } : {}) }
      print(text)
      emit({ type: 'mining', ...told })
      try {
        keep(`${JSON.stringify(told)}\n`)
      } catch (error) {
        log.write('warn', 'mining.note_lost', { event: type, why: String(error) })
      }
    },
  }
}

/** Says at once what is new, and what was said already only when `againMs` have passed. */
export function createOnce(
  notes: MiningNotes,
  clock: Clock,
  againMs: number,
): { say(key: string, event: MiningEvent): void; forget(key: string): void } {
  const said = new Map<string, number>()
  return {
    say(key, event) {
      const before = said.get(key)
      if (before !== undefined && clock.now() - before < againMs) return
      said.set(key, clock.now())
      if (said.size > MINING_LIMITS.onceMax) said.delete(said.keys().next().value!)
      notes.say(event)
    },
    forget: (key) => void said.delete(key),
  }
}
