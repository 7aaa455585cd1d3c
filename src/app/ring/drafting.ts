/**
 * Stage 1's drafts: what may follow the token that came back, how much of it goes along, and what was learnt when the ring has answered. Knows the tokens
 * of the session, no channels and no money.
 * Spec: docs/spec/wire.md §4.9.
 * @module
 */
import { SESSION_LIMITS } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { createDraftIndex } from '../../ml/draft-index.ts'
import { createDraftWindow, type DraftSource, sourceOf } from '../../ml/draft-window.ts'
import type { Generation } from '../../net/protocols/generation.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'
import { createModelDrafter, type DraftModel } from './draft-model.ts'
import { badMessage } from './ring-error.ts'

/** Where the next step begins, and how many drafts others let it have. */
export interface DraftPlace {
  readonly position: number
  /** That came back, for this position. */
  readonly token: number
  readonly draftsAllowed: number
}

export interface Drafting {
  /** A turn begins. */
  prompt(prompt: Pick<StageMessageOf<'prompt'>, 'position' | 'tokens' | 'draftsMax' | 'generation'>): void
  /** What may be sent next. */
  plan(place: DraftPlace): Promise<DraftPlan>
  /** Of the plan, so many rows are about to be computed. */
  take(plan: DraftPlan, rows: number): void
  /** The step has begun. */
  begun(): void
  /** What its rows took in the engine here. */
  ran(computeMs: number): void
  /** The ring has drawn tokens. @throws RING_BAD_MESSAGE where they do not go with the step. */
  answer(told: Pick<StageMessageOf<'token'>, 'position' | 'tokens'>): void
  /** The turn is over: the rows before `position` stay. */
  end(position: number): void
  close(): Promise<void>
}

interface Guess {
  readonly drafts: readonly number[]
  readonly source: DraftSource
}

export interface DraftPlan {
  /** The one that is certain, then drafts. */
  readonly tokens: Int32Array
  readonly position: number
  /** Where the drafts are from. */
  readonly source: DraftSource
  /** More than go along: what does not is compared too. */
  readonly guesses: readonly Guess[]
  /** What it took to have them. */
  readonly draftingMs: number
}

interface Sent extends DraftPlan {
  rows: number
  sinceMs: number
  computeMs: number
}

export interface DraftingOptions {
  readonly capacity: number
  /** Of the ring. */
  readonly stages: number
  /** Where the miner has one that knows these tokens. */
  readonly model?: DraftModel | undefined
  /** Tokens of the ring's model; the one that drafts may have more, which mean nothing. */
  readonly vocabularySize: number
}

const DRAFTS_MAX = SESSION_LIMITS.windowRowsMax - 1

export function createDrafting(options: DraftingOptions, { clock }: { clock: Clock }): Drafting {
  const { capacity, stages, model, vocabularySize } = options
  const index = createDraftIndex(capacity)
  const window = createDraftWindow(stages)
  const drafter = model && createModelDrafter(model, capacity)
  let settings: Generation | undefined
  let most = 0
  /** Tokens that the turn may still have. */
  let left = 0
  let sent: Sent | undefined

  const append = (position: number, tokens: Iterable<number>): void => {
    drafter?.cut(position)
    index.cut(position)
    for (const token of tokens) index.append(token)
  }
  const learn = ({ guesses, source, rows, sinceMs, draftingMs, computeMs }: Sent, tokens: Int32Array): void => {
    for (const guess of guesses) window.compare(guess.source, compared(guess.drafts, tokens))
    const ms = clock.now() - sinceMs + draftingMs
    window.learn({ source, sent: rows - 1, gained: tokens.length, ms, computeMs })
  }

  /** Of the step that is out, the rows before `position` stay. */
  const stay = (position: number): void => {
    if (sent !== undefined && position > sent.position)
      append(sent.position + 1, sent.tokens.subarray(1, position - sent.position))
    sent = undefined
  }

  return {
    prompt({ position, tokens, draftsMax, generation }) {
      // The client may have heard of the end of the turn before this stage did.
      stay(position)
      append(position, tokens)
      most = Math.min(draftsMax, DRAFTS_MAX)
      left = generation.maxTokens
      settings = generation
    },
    async plan({ position, token, draftsAllowed }) {
      const room = Math.max(0, Math.min(most, left - 1, capacity - position - 1, draftsAllowed))
      const past = index.propose(most > 0 ? DRAFTS_MAX : 0)
      const found: Guess = { drafts: past.tokens, source: sourceOf(past.match) }
      const byPast = window.choose(found.source, Math.min(room, found.drafts.length))
      const byModel = window.choose('model', drafter ? room : 0)
      const startedMs = clock.now()
      const isAsked = byModel.drafts > 0 && (byPast.drafts === 0 || byModel.rate > byPast.rate)
      const heard = isAsked && settings ? await drafter?.draft(index, byModel.drafts, settings) : undefined
      const strange = heard?.findIndex((one) => one >= vocabularySize) ?? -1
      const said = strange < 0 ? heard : heard?.slice(0, strange)
      const draftingMs = clock.now() - startedMs
      if (said === undefined) {
        const tokens = Int32Array.of(token, ...found.drafts.slice(0, byPast.drafts))
        return { tokens, position, source: found.source, guesses: [found], draftingMs }
      }
      const guesses: Guess[] = [found, { drafts: said, source: 'model' }]
      return { tokens: Int32Array.of(token, ...said), position, source: 'model', guesses, draftingMs }
    },
    take(plan, rows) {
      sent = { ...plan, rows, sinceMs: clock.now(), computeMs: 0 }
    },
    begun() {
      if (sent !== undefined) sent.sinceMs = clock.now()
    },
    ran(computeMs) {
      if (sent !== undefined) sent.computeMs = computeMs
    },
    answer({ position, tokens }) {
      check(sent, position, tokens)
      if (sent !== undefined) learn(sent, tokens)
      append(position, tokens)
      left -= tokens.length
      sent = undefined
    },
    end: stay,
    close: async () => drafter?.close(),
  }
}

function compared(drafts: readonly number[], tokens: Int32Array): { right: number; missed: boolean } {
  const firstWrong = tokens.findIndex((token, at) => token !== drafts[at])
  const right = firstWrong < 0 ? tokens.length : firstWrong
  return { right, missed: right < Math.min(tokens.length, drafts.length) }
}

/** All tokens but the last are drafts that were right. */
function check(step: Sent | undefined, position: number, tokens: Int32Array): void {
  const isOfStep = step === undefined || position === step.position + 1
  const isRight = tokens.subarray(0, -1).every((token, at) => token === step?.tokens[at + 1])
  if (isOfStep && tokens.length <= (step?.rows ?? 1) && isRight) return
  throw badMessage('The tail gave tokens that are not of the step.')
}
