/**
 * One thing after the other: tasks that touch the same file begin in the order in which they were asked for, each after
 * the one before has ended.
 * @module
 */

/** Runs a task after all earlier ones, also after failed ones; gives its outcome to the caller only. */
export type Serial = <Result>(task: () => Promise<Result>) => Promise<Result>

export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const result = last.then(task)
    last = result.catch(() => undefined)
    return result
  }
}
