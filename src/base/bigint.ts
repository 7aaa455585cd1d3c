/**
 * Arithmetic of bigint that the language lacks.
 * @module
 */

/** The smaller of two. */
export function lesser(left: bigint, right: bigint): bigint {
  return left < right ? left : right
}
