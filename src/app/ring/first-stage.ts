/**
 * What stage 1 does beside computing: it cuts prompts into steps, and makes a step of each token that comes back round the ring, with drafts of what may
 * follow where that pays. Decides which steps there are.
 * Spec: docs/spec/wire.md §4.3, §4.4, §4.9.
 * @module
 */
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'
import type { StageLease } from '../market/stage-lease.ts'
import type { DraftModel } from './draft-model.ts'
import { createDrafting } from './drafting.ts'
import type { KeptRows } from './kept-rows.ts'
import { chunkSize, decodeStep, promptSteps, type TokenStep } from './prompt-steps.ts'
import type { SessionTimers } from './session-timers.ts'
import type { SessionTurns } from './session-turns.ts'

export interface FirstStage {
  /** A prompt, chunk by chunk, each sent on while the next is computed. */
  prompt(prompt: StageMessageOf<'prompt'>): Promise<void>
  /** Tokens came back round the ring. */
  tokens(message: StageMessageOf<'token'>): Promise<void>
  /** The tail has ended the turn. */
  end(message: StageMessageOf<'end'>): void
  /** A step is about to be computed. */
  begun(step: TokenStep): void
  /** It was computed here. */
  ran(computeMs: number): void
  /** Lets go who waits for the ring; resolves when its drafts take no memory any more. */
  close(): Promise<void>
}

export interface FirstStageParts {
  readonly open: StageMessageOf<'open'>
  readonly hiddenSize: number
  readonly vocabularySize: number
  readonly lease: StageLease | undefined
  readonly turns: SessionTurns
  readonly timers: SessionTimers
  readonly kept: KeptRows
  /** That drafts, where there is one. */
  readonly draftModel?: DraftModel | undefined
  readonly run: (step: TokenStep) => Promise<void>
  /** To the next stage, where there is one. */
  readonly toNext: (message: StageMessageOf<'keep'>) => void
}

export function createFirstStage(parts: FirstStageParts, { clock }: { clock: Clock }): FirstStage {
  const { open, hiddenSize, vocabularySize, lease, turns, timers, kept, run, toNext } = parts
  const drafting = createDrafting(
    { capacity: open.capacity, stages: open.stages.length, model: parts.draftModel, vocabularySize },
    { clock },
  )
  let isClosed = false
  let wake: () => void = () => undefined

  const settle = (position: number): void => {
    const forgotten = kept.settle(position)
    lease?.forget(forgotten)
    wake()
  }
  /** What is paid must be known before anything builds on it. */
  const settled = async (): Promise<void> => {
    while (kept.open !== undefined && !isClosed) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    const { unsaid } = kept
    if (unsaid === undefined) return
    kept.keep(unsaid.turn, unsaid.position)
    toNext({ type: 'keep', ...unsaid })
  }

  return {
    async prompt(prompt) {
      const { turn, chunkTokens, tokens } = prompt
      if (!turns.isCurrent(turn)) return
      const size = chunkSize(Math.min(chunkTokens, lease?.receiptRows ?? chunkTokens), hiddenSize)
      timers.expectStep(DEADLINES.decodeStepMs + Math.ceil(tokens.length / size) * DEADLINES.prefillChunkMs)
      if (lease) await settled()
      drafting.prompt(prompt)
      for (const step of promptSteps(prompt, size)) {
        if (!turns.isCurrent(turn)) return
        await run(step)
      }
    },
    async tokens(message) {
      const { turn, position, tokens } = message
      const isCurrent = turns.isCurrent(turn)
      const isAwaited = kept.open?.turn === turn
      if (isCurrent || isAwaited) drafting.answer(message)
      const next = position + tokens.length - 1
      if (isAwaited) settle(next)
      if (!isCurrent) return
      timers.stepDone()
      const { draftsAllowed } = kept
      const plan = await drafting.plan({ position: next, token: tokens.at(-1)!, draftsAllowed })
      if (!turns.isCurrent(turn)) return
      const rows = lease?.rowsAt(next, plan.tokens.length) ?? plan.tokens.length
      drafting.take(plan, rows)
      await run(decodeStep({ turn, position: next, tokens: plan.tokens.subarray(0, rows) }))
    },
    end({ turn, position }) {
      if (kept.open?.turn === turn) settle(position)
      if (!turns.isCurrent(turn)) return
      drafting.end(position)
      timers.stepDone()
    },
    begun({ acknowledge }) {
      if (acknowledge) return
      timers.expectStep(DEADLINES.decodeStepMs)
      drafting.begun()
    },
    ran: (computeMs) => drafting.ran(computeMs),
    close() {
      isClosed = true
      wake()
      return drafting.close()
    },
  }
}
