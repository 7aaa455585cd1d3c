/**
 * What a miner does for one version: fetches, loads and checks it, reports what its canary gave, ends the one whose place it took, and gives its room back.
 * One thing at a time with one model; what failed waits, and what the chain no longer wants is broken off.
 * Spec: docs/spec/market.md §13, docs/spec/posts.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import type { Tasks } from '../audit/tasks.ts'
import { runCanary } from '../canary/canary-run.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import type { ModelView } from '../chain/market-access.ts'
import type { StoredModel } from '../model-store.ts'
import type { PostToServe } from '../posts/post.ts'
import { PostError } from '../posts/post-error.ts'
import { formatBytes } from '../table.ts'
import { reportCanaryCall } from './calls.ts'
import { type LifeStep, sameShare } from './life-rule.ts'
import type { ModelLifeParts } from './model-life.ts'
import type { MinedRun } from './placement.ts'

/** What is remembered between looks. */
export interface LifeMemory {
  readonly followed: Set<Hash>
  readonly seen: Set<Hash>
  readonly checked: Set<Hash>
  /** Served once and no more, with what was served. */
  readonly left: Map<Hash, StoredModel>
  readonly runs: Map<Hash, { readonly run: MinedRun; readonly segments: number }>
  readonly said: Set<string>
  /** Versions that could not be begun with, checked or removed: how often, and the height of the next attempt. */
  readonly waits: Map<Hash, { readonly failures: number; readonly height: number }>
  /** Versions that are being begun with; what fires breaks that off. */
  readonly begun: Map<Hash, AbortController>
}

/** Blocks between two attempts at what failed: what is in the way is seldom gone soon. */
const AGAIN_BLOCKS = 100
/** What failed its canary loads for nothing each time, until somebody changes this machine: twice as long after each failure, to a day. */
const AGAIN_BLOCKS_MAX = 43_200
/** The chain decided otherwise meanwhile, or has as many reports as it takes. */
const NO_REPORT: readonly unknown[] = ['MODEL_NOT_APPROVED', 'NO_CANARY', 'REPORTS_FULL']

export interface Scene {
  readonly models: readonly ModelView[]
  readonly height: number
  readonly signal: AbortSignal
}

export interface Stepper {
  /** Unless it does something with this model, or waits after a failure. */
  begin(step: LifeStep, scene: Scene): void
  /** Keeps what took the place of what is served, and says of what nobody knows. */
  noteLives(served: ReadonlySet<Hash>, scene: Scene): Promise<void>
}

export function createStepper(parts: ModelLifeParts, memory: LifeMemory, tasks: Tasks): Stepper {
  const { chain, sender, keeper, markets, moves, files, records, notes } = parts
  const { said, left, checked, followed } = memory
  const once = (key: string, text: string, type: 'state' | 'problem' = 'state'): void => {
    if (!said.has(key)) notes.say({ type, text })
    said.add(key)
  }
  /** Reports where it was approved for that. @throws PostError POST_CANARY_FAILED. */
  const check = async (view: ModelView, post: PostToServe, signal: AbortSignal): Promise<void> => {
    if (view.canary === undefined) return
    const canary = await files.canary(post.model, view.canary, signal)
    const run = { first: post.firstSegment, end: post.lastSegment, stage: post.host }
    const fault = await runCanary(canary, run, signal)
    if (view.status === 'approved') {
      await sender.send(reportCanaryCall(view.model, fault === undefined), signal).catch((error: unknown) => {
        if (!NO_REPORT.includes(codeOf(error))) throw error
        if (codeOf(error) !== 'REPORTS_FULL') return
        // It can place itself, and does not count among those who are ready.
        notes.say({ type: 'problem', text: messageOf(error), details: { code: 'REPORTS_FULL' } })
      })
      checked.add(view.model)
    }
    if (fault === undefined)
      return notes.say({ type: 'state', text: `${view.name} passed its canary on this machine.` })
    const way = fault.way === 'whole' ? 'as a whole' : 'row by row'
    const { name } = view
    const message = `${name} failed its canary on this machine: prompt ${fault.prompt + 1}, computed ${way}, gave other numbers than its publisher's. It is not served. A damaged shard (\`dllm shard verify ${name}\`), a build of the program of another version, or a machine that computes wrongly does that.`
    throw new PostError('POST_CANARY_FAILED', message, { details: { model: view.model, prompt: fault.prompt } })
  }
  const follow = async (view: ModelView, after: Hash, { models, signal }: Scene): Promise<void> => {
    const before = memory.runs.get(after)
    if (before === undefined) return
    const old = models.find(({ model }) => model === after)?.name ?? after
    const when =
      view.model === after
        ? 'has its place back'
        : view.status === 'approved'
          ? `is to take the place of ${old} at block ${view.dueHeight}`
          : `took the place of ${old}`
    once(`follow ${view.model}`, `${view.name} ${when}. This miner fetches its share of it and serves it as well.`)
    const model = await files.find(view.model, signal)
    // Nobody may have it for days: other moves do not wait for that.
    if (view.canary !== undefined) await files.canary(model, view.canary, signal)
    const counts = { before: before.segments, after: model.manifest.segments.length }
    const { first: firstSegment, end: lastSegment } = sameShare(before.run, counts)
    await moves.begin({ model, firstSegment, lastSegment }, (post) => check(view, post, signal), signal)
    followed.add(view.model)
    left.delete(view.model)
    memory.waits.delete(view.model)
  }
  /** One that fails is served no more: whoever leased it would get wrong answers. */
  const checkServed = async (view: ModelView, signal: AbortSignal): Promise<void> => {
    const post = keeper.find(view.model)
    if (post === undefined) return
    try {
      await check(view, post, signal)
    } catch (error) {
      if (codeOf(error) === 'POST_CANARY_FAILED') await moves.end(view.model, signal)
      throw error
    }
  }
  const end = async (
    model: Hash,
    why: 'superseded' | 'given-up' | 'retired',
    { models, signal }: Scene,
  ): Promise<void> => {
    const served = keeper.find(model)?.model
    const name = served?.manifest.name ?? model
    // Where it would move to, nobody needs it.
    moves.breakOff(model)
    if (why === 'superseded') {
      const taker = models.find((other) => other.model === models.find((view) => view.model === model)?.successor)
      const advice = taker === undefined ? '' : ` Start this miner with --model ${taker.name} from now on.`
      once(`superseded ${model}`, `${name} gets no new leases: another version took its place.${advice}`)
      // Who else has leases of it may need this miner as an auditor.
      if (await hasLeases(chain, model, signal)) return
    }
    await moves.end(model, signal)
    followed.delete(model)
    if (served === undefined) return
    if (why !== 'given-up') left.set(model, served)
    const rest =
      markets.runs().length > 0 || memory.begun.size > 0
        ? ''
        : ' Nothing else is: start this miner with another --model (`dllm chain models` lists them).'
    notes.say({ type: 'state', text: `${name} is not served here any more.${rest}` })
  }
  const remove = async (model: Hash): Promise<void> => {
    const stored = left.get(model)
    if (stored === undefined) return
    const bytes = await files.remove(stored)
    left.delete(model)
    notes.say({
      type: 'state',
      text: `${stored.manifest.name} has retired; ${formatBytes(bytes)} of the disk are free again.`,
    })
  }
  const beginWith = async ({ model: view, after }: LifeStep & { type: 'begin' }, scene: Scene): Promise<void> => {
    const breaking = new AbortController()
    memory.begun.set(view.model, breaking)
    try {
      await follow(view, after, { ...scene, signal: AbortSignal.any([scene.signal, breaking.signal]) })
    } catch (error) {
      if (!breaking.signal.aborted) throw error
      const text = `${view.name} is not to be served any more: it is fetched no further. What came of it stays until \`dllm model remove ${view.name}\`, in case it comes back.`
      notes.say({ type: 'state', text })
    } finally {
      memory.begun.delete(view.model)
    }
  }
  const carryOut = async (step: LifeStep, scene: Scene): Promise<void> => {
    switch (step.type) {
      case 'begin':
        return beginWith(step, scene)
      case 'break-off':
        return
      case 'check':
        return checkServed(step.model, scene.signal)
      case 'end':
        return end(step.model, step.why, scene)
      case 'remove':
        return remove(step.model)
    }
  }

  const failed = (step: LifeStep, height: number, error: unknown): void => {
    const model = hashOf(step)
    const code = codeOf(error) ?? 'BUG'
    const failures = (memory.waits.get(model)?.failures ?? 0) + 1
    const isLater = code === 'POST_CANARY_FAILED'
    const pause = isLater ? Math.min(AGAIN_BLOCKS_MAX, AGAIN_BLOCKS * 2 ** (failures - 1)) : AGAIN_BLOCKS
    if (step.type !== 'end') memory.waits.set(model, { failures, height: height + pause })
    // What the vote decides is not in the way of who serves what is active.
    const isActive = step.type === 'begin' && step.model.status === 'active'
    const again = isLater && isActive ? ` It is tried again at block ${height + pause}, and later each time.` : ''
    const key = `${step.type} ${model} ${code}${again === '' ? '' : ' again'}`
    once(key, `${messageOf(error)}${again} (${code})`, 'problem')
  }

  return {
    async noteLives(served, { models }) {
      for (const view of models) {
        if (view.successor !== undefined && view.status === 'superseded') await records.note(view, view.successor)
        // A vote, or the end of the version after it, brought it back.
        if (view.status === 'active') await records.forget(view.model)
      }
      const known = new Set(models.map(({ model }) => model))
      for (const model of served) {
        if (known.has(model) || memory.seen.has(model)) continue
        const name = keeper.find(model)?.model.manifest.name ?? model
        const text = `${name} is not on the chain, so that nobody leases it here. If another version took its place long ago, start this miner with --model and that one's name (\`dllm chain models\` lists them).`
        once(`unknown ${model}`, text)
      }
    },
    begin(step, scene) {
      const model = hashOf(step)
      if (step.type === 'break-off') return memory.begun.get(model)?.abort(new Error('nobody wants this version'))
      if (step.type !== 'end' && scene.height < (memory.waits.get(model)?.height ?? 0)) return
      // One thing at a time with one model.
      tasks.begin(
        model,
        () => carryOut(step, scene),
        (error) => {
          if (!scene.signal.aborted) failed(step, scene.height, error)
        },
      )
    },
  }
}

function hashOf({ model }: LifeStep): Hash {
  return typeof model === 'string' ? model : model.model
}

async function hasLeases({ market }: ChainAccess, model: Hash, signal: AbortSignal): Promise<boolean> {
  let from: string | undefined
  do {
    const page = await market.leases({ from, limit: NODE_LIMITS.marketPageMax }, signal)
    if (page.entries.some((lease) => lease.model === model)) return true
    from = page.next
  } while (from !== undefined)
  return false
}
