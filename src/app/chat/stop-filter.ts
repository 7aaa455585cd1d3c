/**
 * Holds back the end of a text while it may still become a stop text, so that no part of a stop text is ever shown.
 * @module
 */

export interface StopFilter {
  /** True once a stop text was complete; nothing is shown from then on. */
  readonly stopped: boolean
  /** What may be shown now. */
  push(text: string): string
  /** The rest, when no more text comes. */
  finish(text: string): string
}

export function createStopFilter(stops: readonly string[]): StopFilter {
  const wanted = stops.filter((stop) => stop.length > 0)
  let held = ''
  let stopped = false
  const push = (text: string): string => {
    if (stopped) return ''
    held += text
    const at = Math.min(...wanted.map((stop) => indexOrInfinity(held, stop)), Number.POSITIVE_INFINITY)
    if (at !== Number.POSITIVE_INFINITY) {
      const shown = held.slice(0, at)
      stopped = true
      held = ''
      return shown
    }
    const keep = Math.max(0, ...wanted.map((stop) => overlap(held, stop)))
    const shown = held.slice(0, held.length - keep)
    held = held.slice(held.length - keep)
    return shown
  }
  return {
    get stopped() {
      return stopped
    },
    push,
    finish: (text) => {
      const shown = push(text) + held
      held = ''
      return shown
    },
  }
}

function indexOrInfinity(text: string, stop: string): number {
  const at = text.indexOf(stop)
  return at < 0 ? Number.POSITIVE_INFINITY : at
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length
  }
  return 0
}
