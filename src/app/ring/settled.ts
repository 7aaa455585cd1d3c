/**
 * When several pieces of work are over, however they end.
 * @module
 */

/** Resolves with nothing: whoever chains one to the next keeps none of their results. */
export function settled(...works: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = 1
  const over = (): void => {
    if (--left === 0) resolve()
  }
  for (const work of works) {
    if (work === undefined) continue
    left++
    work.then(over, over)
  }
  over()
  return promise
}
