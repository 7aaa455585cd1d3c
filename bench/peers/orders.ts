/**
 * What a process with an engine of others is asked, whichever it is; and how its tokens one after the other are timed.
 * @module
 */

export type StepsOrder =
  /** A prompt of so many tokens, alone in its context. */
  | { readonly type: 'prefill'; readonly rows: number }
  /** So many tokens one after the other, or fewer where they take long, from a position that has been computed up to. */
  | { readonly type: 'decode'; readonly position: number; readonly steps: number; readonly hasLogits: boolean }

export interface PeerTold {
  /** Of the prompt or of each token. */
  readonly ms: readonly number[]
  /** What the library says of itself, when it has been loaded. */
  readonly about: string
}

/** Where others use the cores its steps take seconds. */
const DECODE_MS_MAX = 3_000
const STEPS_MIN = 3

/** `run`: computes so many tokens from a position on; what was there and after it is forgotten. */
export async function timeSteps(
  order: StepsOrder,
  run: (position: number, rows: number, hasLogits: boolean) => Promise<unknown>,
): Promise<PeerTold> {
  const ms: number[] = []
  const isPrompt = order.type === 'prefill'
  const [start, steps, rows] = isPrompt ? [0, 1, order.rows] : [order.position, order.steps, 1]
  const untilMs = performance.now() + DECODE_MS_MAX
  for (let step = 0; step < steps; step++) {
    if (step >= STEPS_MIN && performance.now() > untilMs) break
    const startedMs = performance.now()
    await run(start + step, rows, isPrompt || order.hasLogits)
    ms.push(performance.now() - startedMs)
  }
  return { ms, about: '' }
}
