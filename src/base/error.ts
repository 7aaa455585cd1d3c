/**
 * HouseError: a failure that is not a bug. It has a code for programs, a sentence for people that says
 * what to do, and details for logs. Details never hold secrets.
 * @module
 */

/** Values that may stand in an error's details. */
export type ErrorDetail = string | number | boolean | undefined

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

/** A message fit to show for any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
