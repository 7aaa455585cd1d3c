/**
 * The duty that follows the models of a miner through their lives: fetches and loads a version that a vote approved, runs its canary and reports what came of
 * it, offers it, ends the one whose place it took when that has no lease left, and gives its room back when it has retired.
 * Spec: docs/spec/market.md §13, docs/spec/posts.md §4.
 * @module
 */
import type { Log } from '../../base/ports.ts'
import { createTasks } from '../audit/tasks.ts'
import type { ChainAccess, HeadView } from '../chain/chain-access.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import type { PostKeeper } from '../posts/post-keeper.ts'
import type { VersionFiles } from '../posts/version-files.ts'
import type { Duty, MiningNotes } from './duty.ts'
import { type LifeStep, lifeSteps } from './life-rule.ts'
import type { MiningMode } from './mode.ts'
import type { ModelMarkets } from './model-markets.ts'
import type { Moves } from './moves.ts'
import type { VersionRecords } from './version-records.ts'
import { createStepper, type LifeMemory } from './version-steps.ts'

export interface ModelLifeParts {
  readonly chain: ChainAccess
  readonly sender: ChainSender
  readonly markets: ModelMarkets
  readonly keeper: Pick<PostKeeper, 'find'>
  readonly moves: Moves
  readonly files: VersionFiles
  readonly records: VersionRecords
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
/** What a miner does also while it is paused. */
const NOT_HELD_UP: readonly LifeStep['type'][] = ['remove', 'break-off']

export function createModelLife(parts: ModelLifeParts, { log }: { readonly log: Log }): ModelLife {
  const { chain, markets, keeper, records, mode } = parts
  const memory: LifeMemory = {
    ...{ followed: new Set(), seen: new Set(), checked: new Set(), said: new Set() },
    ...{ left: new Map(), runs: new Map(), waits: new Map(), begun: new Map() },
  }
  const tasks = createTasks(log)
  const stepper = createStepper(parts, memory, tasks)
  let next = 0

  const look = async (height: number, signal: AbortSignal): Promise<void> => {
    const models = await chain.market.models(signal)
    for (const { model, status, predecessor, successor } of models) {
      // Nobody can register a version of a model that is not there.
      for (const known of [model, predecessor, successor]) if (known !== undefined) memory.seen.add(known)
      if (status !== 'approved') memory.checked.delete(model)
    }
    for (const known of records.successors.keys()) memory.seen.add(known)
    for (const run of markets.runs()) {
      const { length: segments } = keeper.find(run.model)?.model.manifest.segments ?? []
      if (segments > 0) memory.runs.set(run.model, { run, segments })
    }
    const served = new Set(markets.runs().map(({ model }) => model))
    const scene = { models, height, signal }
    await stepper.noteLives(served, scene)
    const [left, begun] = [new Set(memory.left.keys()), new Set(memory.begun.keys())]
    for (const step of lifeSteps({ ...memory, models, served, left, begun, successors: records.successors })) {
      if (mode() === 'run' || NOT_HELD_UP.includes(step.type)) stepper.begin(step, scene)
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
