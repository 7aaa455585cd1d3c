/**
 * What a miner does as the models that it serves come and go: which new version it begins with, which old one it ends. Pure.
 * Spec: docs/spec/market.md §13, docs/spec/posts.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { ModelView } from '../chain/market-access.ts'

export interface LifeFacts {
  /** All of the chain. */
  readonly models: readonly ModelView[]
  readonly served: ReadonlySet<Hash>
  /** Of these, or of those before, the ones that were begun because another made way. */
  readonly followed: ReadonlySet<Hash>
  /** Superseded ones that were served here and are no more. */
  readonly left: ReadonlySet<Hash>
  /** Ever seen on the chain, or named there as what a version takes the place of. */
  readonly seen: ReadonlySet<Hash>
  /** What took the place of models, as far as this miner has ever seen it: the chain forgets. */
  readonly successors: ReadonlyMap<Hash, Hash>
  /** Being fetched, loaded and checked now, so that it is served. */
  readonly begun: ReadonlySet<Hash>
  /** Whose canary was run here in this approval, whatever came of it. */
  readonly checked: ReadonlySet<Hash>
}

export type LifeStep =
  /** Serve this version beside the one whose place it takes or took; of one that has its own place back, `after` is itself. */
  | { readonly type: 'begin'; readonly model: ModelView; readonly after: Hash }
  /** It is being begun with, and nobody wants it any more. */
  | { readonly type: 'break-off'; readonly model: Hash }
  /** It is served, and its canary was not run since it was approved. */
  | { readonly type: 'check'; readonly model: ModelView }
  /** Serve it no more; superseded ones when they have no lease left. */
  | { readonly type: 'end'; readonly model: Hash; readonly why: 'superseded' | 'given-up' | 'retired' }
  /** Nobody needs its files. */
  | { readonly type: 'remove'; readonly model: Hash }

export function lifeSteps(facts: LifeFacts): LifeStep[] {
  const { models, served, followed, left, seen, checked, begun } = facts
  const byHash = new Map(models.map((model) => [model.model, model]))
  const isOver = (model: Hash): boolean => {
    const status = byHash.get(model)?.status
    return status === 'retired' || (status === undefined && seen.has(model))
  }
  const steps: LifeStep[] = []
  for (const model of begun) {
    const status = byHash.get(model)?.status
    if (status !== 'approved' && status !== 'active') steps.push({ type: 'break-off', model })
  }
  for (const after of new Set([...served, ...left])) {
    const next = nextOf(after, byHash.get(after), models) ?? laterOf(after, byHash, facts)
    const isNew = next !== undefined && !served.has(next.model)
    if (isNew && !(next.status === 'approved' && checked.has(next.model)))
      steps.push({ type: 'begin', model: next, after })
  }
  // What took its place retired, so that it has it back.
  for (const after of left) {
    const view = byHash.get(after)
    if (view?.status === 'active' && !served.has(after)) steps.push({ type: 'begin', model: view, after })
  }
  for (const model of served) {
    const view = byHash.get(model)
    if (view?.status === 'approved' && view.canary !== undefined && !checked.has(model)) {
      steps.push({ type: 'check', model: view })
    }
    if (view?.status === 'superseded') steps.push({ type: 'end', model, why: 'superseded' })
    if (view?.status === 'published' && followed.has(model)) steps.push({ type: 'end', model, why: 'given-up' })
    if (isOver(model)) steps.push({ type: 'end', model, why: 'retired' })
  }
  for (const model of left) if (isOver(model)) steps.push({ type: 'remove', model })
  return steps
}

/** The model whose place a version takes, or took when it became active. */
function placeOf({ predecessor, successor }: ModelView): Hash | undefined {
  return successor ?? predecessor
}

/** What takes or took the place of a model; of several that are approved, the one that is looked at first. */
function nextOf(model: Hash, view: ModelView | undefined, models: readonly ModelView[]): ModelView | undefined {
  const after = models.filter((other) => placeOf(other) === model)
  // Where it is active itself, it was registered anew, or a vote brought it back.
  const active = view?.status === 'active' ? undefined : after.find(({ status }) => status === 'active')
  if (active !== undefined) return active
  const approved = after.filter(({ status }) => status === 'approved')
  return approved.sort((one, other) => (one.dueHeight ?? 0) - (other.dueHeight ?? 0))[0]
}

/** Of a model that the chain has forgotten, with all that took its place one after the other but the last. */
function laterOf(model: Hash, byHash: ReadonlyMap<Hash, ModelView>, { successors }: LifeFacts): ModelView | undefined {
  if (byHash.has(model)) return undefined
  const newest = byHash.get(newestOf(model, successors))
  return newest?.status === 'active' ? newest : undefined
}

/** The end of the chain of successors that begins with a model; votes that brought one back make circles of them. */
export function newestOf(model: Hash, successors: ReadonlyMap<Hash, Hash>): Hash {
  const met = new Set<Hash>()
  let newest = model
  for (let next = successors.get(newest); next !== undefined && !met.has(next); next = successors.get(newest)) {
    met.add(newest)
    newest = next
  }
  return newest
}

/** The same share of a version with another number of segments; exactly the same run where the number is the same. */
export function sameShare(
  { first, end }: { readonly first: number; readonly end: number },
  { before, after }: { readonly before: number; readonly after: number },
): { readonly first: number; readonly end: number } {
  return { first: Math.floor((first * after) / before), end: Math.ceil((end * after) / before) }
}
