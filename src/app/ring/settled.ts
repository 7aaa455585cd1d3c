/**
 * When several pieces of work are over, however they end.
 * @module
 */

/** Resolves with nothing: whoever chains one to the next keeps none of their results. */
export async function settled(...works: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  await Promise.allSettled(works)
}
