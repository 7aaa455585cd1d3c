/**
 * Long work in steps: a generator that does a bounded piece between two yields, so that whoever drives it can let other things
 * happen in between. The work knows no time; how many steps go into one turn is the driver's business.
 * @module
 */

/** Each `next` does one piece; the last one returns the value. */
export type Steps<Value = void> = Generator<undefined, Value, void>

/** All steps at once. @throws what the work throws. */
export function finish<Value>(steps: Steps<Value>): Value {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}
