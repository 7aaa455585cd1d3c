/**
 * Rates as flags give them: `--down-mib-s`, `--up-mib-s`.
 * @module
 */

const MIB = 1_048_576

/** Undefined: no bound. */
export function bytesPerSecondOf(mebibytesPerSecond: number | undefined): number | undefined {
  return mebibytesPerSecond === undefined ? undefined : mebibytesPerSecond * MIB
}
