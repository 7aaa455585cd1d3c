/**
 * The trace of a simulation: one line for everything that a node says or that is done to it, and a digest over all lines, by
 * which two runs are compared.
 * @module
 */
import { createHash } from 'node:crypto'

export interface Trace {
  note(who: string, what: string): void
  /** Of all lines so far. */
  digest(): string
}

export function createTrace(nowMs: () => number, print?: (line: string) => void): Trace {
  const hash = createHash('sha256')
  return {
    note(who, what) {
      const line = `${(nowMs() / 1_000).toFixed(3).padStart(8)} ${who.padEnd(5)} ${what}`
      hash.update(line).update('\n')
      print?.(line)
    },
    digest: () => hash.copy().digest('hex'),
  }
}
