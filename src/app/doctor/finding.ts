/**
 * What one check of `dllm doctor` found, and what to do about it.
 * @module
 */
import { messageOf } from '../../base/error.ts'

export type FindingStatus = 'ok' | 'warn' | 'fail'

export interface Finding {
  /** Stable name for programs, such as `memory.bandwidth`. */
  readonly id: string
  readonly status: FindingStatus
  /** One line for people. */
  readonly summary: string
  /** What to do; absent when nothing needs doing. */
  readonly advice?: string
  /** The numbers behind the line; bytes, milliseconds and counts as their names say. */
  readonly values?: Readonly<Record<string, string | number | boolean>>
}

type Values = NonNullable<Finding['values']>

export function ok(id: string, summary: string, values: Values = {}): Finding {
  return { id, status: 'ok', summary, values }
}

export function warn(id: string, summary: string, advice: string, values: Values = {}): Finding {
  return { id, status: 'warn', summary, advice, values }
}

export function fail(id: string, summary: string, advice: string, values: Values = {}): Finding {
  return { id, status: 'fail', summary, advice, values }
}

/** For checks that end in an error of their own: its message is the finding. */
export function failed(id: string, what: string, error: unknown): Finding {
  return { id, status: 'fail', summary: `${what} failed.`, advice: messageOf(error) }
}
