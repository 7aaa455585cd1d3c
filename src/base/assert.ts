/**
 * Programmer errors crash: a failed assertion is a bug in this program, never bad input.
 * @module
 */

/** An invariant of this program did not hold. Never catch it to go on. */
export class AssertionError extends Error {
  override readonly name: string = 'AssertionError'
}

/** Throws AssertionError unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** Closes an exhaustive switch: the compiler proves that no case reaches it. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`)
}
