/**
 * The duty that follows the models of a miner through their lives: fetches and loads a version that a vote approved, runs its canary and reports what came of
 * it, offers it, ends the one whose place it took when that has no lease left, and gives its room back when it has retired.
 * Spec: docs/spec/market.md §13, docs/spec/posts.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import type { Log } from '../../base/ports.ts'
import { createTasks, type Tasks } from '../audit/tasks.ts'
import { runCanary } from '../canary/canary-run.ts'
import type { ChainAccess, HeadView } from '../chain/chain-access.ts'
import type { ModelView } from '../chain/market-access.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import type { StoredModel } from '../model-store.ts'
import type { PostToServe } from '../posts/post.ts'
import { PostError } from '../posts/post-error.ts'
import type { PostKeeper } from '../posts/post-keeper.ts'
import type { VersionFiles } from '../posts/version-files.ts'
import { formatBytes } from '../table.ts'
import { reportCanaryCall } from './calls.ts'
import type { Duty, MiningNotes } from './duty.ts'
import { type LifeStep, lifeSteps, sameShare } from './life-rule.ts'
import type { MiningMode } from './mode.ts'
import type { ModelMarkets } from './model-markets.ts'
import type { Moves } from './moves.ts'
import type { MinedRun } from './placement.ts'

export interface ModelLifeParts {
  readonly chain: ChainAccess
  readonly sender: ChainSender
  readonly markets: ModelMarkets
  readonly keeper: Pick<PostKeeper, 'find'>
  readonly moves: Moves
  readonly files: VersionFiles
  readonly notes: MiningNotes
  readonly mode: () => MiningMode
}

export interface ModelLife {
  readonly duty: Duty
  /** Resolves when nothing that it began is at work; what it began ends with the signal of the look that began it. */
  idle(): Promise<void>
}

/** Blocks between two looks: versions take days. */
const LOOK_BLOCKS = 5
/** And two attempts at what failed: what is in the way is seldom gone soon. */
const AGAIN_BLOCKS = 100
/** The chain decided otherwise meanwhile, or has as many reports as it takes. */
const NO_REPORT: readonly unknown[] = ['MODEL_NOT_APPROVED', 'NO_CANARY', 'REPORTS_FULL']

/** What is remembered between looks. */
interface Memory {
  readonly followed: Set<Hash>
  readonly seen: Set<Hash>
  readonly checked: Set<Hash>
  /** Served once and no more, with what was served. */
  readonly left: Map<Hash, StoredModel>
  readonly runs: Map<Hash, { readonly run: MinedRun; readonly segments: number }>
  readonly said: Set<string>
  /** Versions that could not be begun with, checked or removed, and the height of the next attempt. */
  readonly waits: Map<Hash, number>
}

export function createModelLife(parts: ModelLifeParts, { log }: { readonly log: Log }): ModelLife {
  const { chain, markets, keeper, mode } = parts
  const memory: Memory = {
    ...{ followed: new Set(), seen: new Set(), checked: new Set(), said: new Set() },
    ...{ left: new Map(), runs: new Map(), waits: new Map() },
  }
  const tasks = createTasks(log)
  const stepper = createStepper(parts, memory, tasks)
  let next = 0

  const look = async (height: number, signal: AbortSignal): Promise<void> => {
    const models = await chain.market.models(signal)
    for (const { model, status } of models) {
      memory.seen.add(model)
      if (status !== 'approved') memory.checked.delete(model)
    }
    for (const run of markets.runs()) {
      const { length: segments } = keeper.find(run.model)?.model.manifest.segments ?? []
      if (segments > 0) memory.runs.set(run.model, { run, segments })
    }
    const served = new Set(markets.runs().map(({ model }) => model))
    for (const step of lifeSteps({ ...memory, models, served, left: new Set(memory.left.keys()) })) {
      const isHeld = step.type !== 'end' && height < (memory.waits.get(hashOf(step)) ?? 0)
      if (!isHeld && (mode() === 'run' || step.type === 'remove')) stepper.begin(step, { models, height, signal })
    }
  }

  return {
    idle: tasks.idle,
    duty: {
      name: 'versions',
      async look(head: HeadView, signal) {
        if (head.height < next) return
        await look(head.height, signal)
        next = head.height + LOOK_BLOCKS
      },
    },
  }
}

function hashOf({ model }: LifeStep): Hash {
  return typeof model === 'string' ? model : model.model
}

interface Scene {
  readonly models: readonly ModelView[]
  readonly height: number
  readonly signal: AbortSignal
}

function createStepper(
  parts: ModelLifeParts,
  memory: Memory,
  tasks: Tasks,
): { begin(step: LifeStep, scene: Scene): void } {
  const { chain, sender, keeper, moves, files, notes } = parts
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
      })
      checked.add(view.model)
    }
    if (fault === undefined)
      return notes.say({ type: 'state', text: `${view.name} passed its canary on this machine.` })
    const way = fault.way === 'whole' ? 'as a whole' : 'row by row'
    const message = `${view.name} failed its canary on this machine: prompt ${fault.prompt + 1}, computed ${way}, gave other numbers than its publisher's. It is not served.`
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
    notes.say({ type: 'state', text: `${name} is not served here any more.` })
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
  const carryOut = (step: LifeStep, scene: Scene): Promise<void> => {
    switch (step.type) {
      case 'begin':
        return follow(step.model, step.after, scene)
      case 'check':
        return checkServed(step.model, scene.signal)
      case 'end':
        return end(step.model, step.why, scene)
      case 'remove':
        return remove(step.model)
    }
  }

  return {
    begin(step, scene) {
      const model = hashOf(step)
      // One thing at a time with one model.
      tasks.begin(
        model,
        () => carryOut(step, scene),
        (error) => {
          if (scene.signal.aborted) return
          if (step.type !== 'end') memory.waits.set(model, scene.height + AGAIN_BLOCKS)
          const code = codeOf(error) ?? 'BUG'
          once(`${step.type} ${model} ${code}`, `${messageOf(error)} (${code})`, 'problem')
        },
      )
    },
  }
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
