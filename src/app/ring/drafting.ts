/**
 * Stage 1's drafts: what may follow the token that came back, how much of it goes along, and what was learnt when the ring has answered. Knows the tokens
 * of the session, no channels and no money.
 * Spec: docs/spec/wire.md §4.9.
 * @module
 */
import { SESSION_LIMITS } from '../../base/limits.ts'
import { createDraftIndex } from '../../ml/draft-index.ts'
import { createDraftWindow, type DraftSource, sourceOf } from '../../ml/draft-window.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'
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
  /** The tokens of the next step: the one that is certain, then drafts. */
  next(place: DraftPlace): Int32Array
  /** The step is on its way, with so many rows, at this time. */
  begun(rows: number, nowMs: number): void
  /** What its rows took in the engine here. */
  ran(computeMs: number): void
  /** The ring has drawn tokens. @throws RING_BAD_MESSAGE where they do not go with the step. */
  answer(told: Pick<StageMessageOf<'token'>, 'position' | 'tokens'>, nowMs: number): void
  /** The turn is over: the rows before `position` stay. */
  end(position: number): void
}

interface Sent {
  readonly position: number
  readonly token: number
  /** More than went along: what did not is compared too. */
  readonly drafts: readonly number[]
  readonly source: DraftSource
  rows: number
  sinceMs: number
  computeMs: number
}

const DRAFTS_MAX = SESSION_LIMITS.windowRowsMax - 1

export function createDrafting({ capacity, stages }: { readonly capacity: number; readonly stages: number }): Drafting {
  const index = createDraftIndex(capacity)
  const window = createDraftWindow(stages)
  let most = 0
  /** Tokens that the turn may still have. */
  let left = 0
  let sent: Sent | undefined

  const learn = (step: Sent, tokens: Int32Array, nowMs: number): void => {
    const { drafts, source, rows, sinceMs, computeMs } = step
    const firstWrong = tokens.findIndex((token, at) => token !== drafts[at])
    const right = firstWrong < 0 ? tokens.length : firstWrong
    if (drafts.length > 0) window.compare(source, { right, missed: right < Math.min(tokens.length, drafts.length) })
    window.learn({ sent: rows - 1, gained: tokens.length, ms: nowMs - sinceMs, computeMs })
  }
  const check = (step: Sent | undefined, position: number, tokens: Int32Array): void => {
    const rows = step?.rows ?? 1
    const isOfStep = step === undefined || position === step.position + 1
    // All but the last are drafts that were right.
    const isRight = tokens.subarray(0, -1).every((token, at) => token === step?.drafts[at])
    if (!isOfStep || tokens.length > rows || !isRight)
      throw badMessage('The tail gave tokens that are not of the step.')
  }

  return {
    prompt({ position, tokens, draftsMax, generation }) {
      index.cut(position)
      for (const token of tokens) index.append(token)
      most = Math.min(draftsMax, DRAFTS_MAX)
      left = generation.maxTokens
      sent = undefined
    },
    next({ position, token, draftsAllowed }) {
      const { tokens: drafts, match } = index.propose(most > 0 ? DRAFTS_MAX : 0)
      const source = sourceOf(match)
      const room = Math.min(most, left - 1, capacity - position - 1, draftsAllowed, drafts.length)
      const count = room > 0 ? window.choose(source, room) : 0
      sent = { position, token, drafts, source, rows: 1, sinceMs: 0, computeMs: 0 }
      return Int32Array.of(token, ...drafts.slice(0, count))
    },
    begun(rows, nowMs) {
      if (sent === undefined) return
      sent.rows = rows
      sent.sinceMs = nowMs
    },
    ran(computeMs) {
      if (sent !== undefined) sent.computeMs = computeMs
    },
    answer({ position, tokens }, nowMs) {
      check(sent, position, tokens)
      if (sent !== undefined) learn(sent, tokens, nowMs)
      index.cut(position)
      for (const token of tokens) index.append(token)
      left -= tokens.length
      sent = undefined
    },
    end(position) {
      if (sent === undefined) return
      for (const token of sent.drafts.slice(0, Math.max(0, position - sent.position - 1))) index.append(token)
      sent = undefined
    },
  }
}
