/**
 * What several posts of one miner may take of something that is there once: places for sessions, memory for their caches. One half goes to who
 * comes first; the other is divided evenly, and a post's part of it waits for that post. So no model's sessions keep those of another out, and a
 * model that is asked alone has most of the machine. Pure; whole numbers. Spec: docs/spec/posts.md §2.
 * @module
 */

export interface Shareholder {
  /** What it has taken. */
  readonly used: number
  /** It takes new sessions for as long as it lasts, and nothing waits for it any more. */
  readonly isLeaving: boolean
}

/** How much more `own` may take of `total`; never below 0. With no others it is all that is left. */
export function freeShare(total: number, own: Shareholder, others: readonly Shareholder[]): number {
  const staying = [own, ...others].filter(({ isLeaving }) => !isLeaving)
  const reserve = staying.length === 0 ? 0 : Math.floor(total / (2 * staying.length))
  const taken = others.reduce((sum, { used, isLeaving }) => sum + (isLeaving ? used : Math.max(used, reserve)), 0)
  return Math.max(0, total - own.used - taken)
}
