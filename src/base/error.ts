/**
 * HouseError: a failure that is not a bug. It has a code for programs, a sentence for people that says
 * what to do, and details for logs. Details never hold secrets.
 * @module
 */

/** Values that may stand in an error's details. */
export type ErrorDetail = string | number | boolean | undefined

const SHOWN_CHARACTERS_MAX = 40

export interface HouseErrorOptions {
  /** Facts for logs and `--json`; never secrets. */
  readonly details?: Readonly<Record<string, ErrorDetail>>
  readonly cause?: unknown
}

/**
 * Base of every expected failure. Subclasses, declared beside their thrower, narrow `code`:
 * `class KeystoreError extends HouseError<'KEYSTORE_WRONG_PASSWORD' | …> {}`
 */
export class HouseError<Code extends string = string> extends Error {
  override readonly name: string = 'HouseError'
  readonly code: Code
  readonly details: Readonly<Record<string, ErrorDetail>>

  /** `message` is a full sentence; where the user can act, it says how. */
  constructor(code: Code, message: string, options: HouseErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }
}

/** The code of a HouseError, or undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof HouseError ? error.code : undefined
}

/** A value that somebody wrote, short enough for a sentence. Lists and objects are only named: they may be deep, or pretend to be text. */
export function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object'
  // JSON has no bigint, and nothing for undefined.
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text
}

/** A message fit to show for any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
