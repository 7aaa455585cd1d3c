/**
 * Which rows of a session a stage holds for good. A step of decoding may have rows of drafts behind its first one; the next step, or a word of stage 1,
 * says which of them stay, and the others are as if they had never been. The same at every stage: all see the same steps. Pure.
 * Spec: docs/spec/wire.md §4.9.
 * @module
 */
import { SESSION_LIMITS } from '../../base/limits.ts'
import type { TokenStep } from './prompt-steps.ts'
import { badMessage } from './ring-error.ts'

export interface KeptRows {
  /** A step is about to be computed: rows of the one before it that are forgotten thereby. @throws RING_BAD_MESSAGE. */
  step(step: Pick<TokenStep, 'turn' | 'position' | 'acknowledge' | 'tokens'>): number
  /** Stage 1 and the tail know at once: of the open step, the rows before `position` stay. Gives how many are forgotten. @throws RING_BAD_MESSAGE. */
  settle(position: number): number
  /** Stage 1 says it, since no step of the turn follows that would. Gives how many are forgotten now. @throws RING_BAD_MESSAGE. */
  keep(turn: number, position: number): number
  /** The step with drafts of which it is not known what stays. */
  readonly open: { readonly turn: number; readonly position: number } | undefined
  /** What the next stage does not know yet. */
  readonly unsaid: { readonly turn: number; readonly position: number } | undefined
  /** Drafts that a step may take along without being refused. */
  readonly draftsAllowed: number
  /** Drafts that were computed, and those that stayed. */
  readonly drafts: number
  readonly draftsKept: number
}

interface Trial {
  readonly turn: number
  readonly start: number
  /** Exclusive. */
  readonly end: number
  keptTo: number | undefined
}

/** Rows that a step of decoding may have in a model with so many tokens. */
export function windowRowsOf(vocabularySize: number): number {
  const fitting = Math.floor(SESSION_LIMITS.windowLogitsMax / vocabularySize)
  return Math.max(1, Math.min(SESSION_LIMITS.windowRowsMax, fitting))
}

/** `hasLease`: rows that stay are paid and audited, so that nothing may build on others. `rowsMax`: of a step of decoding. */
export function createKeptRows(hasLease: boolean, rowsMax: number = SESSION_LIMITS.windowRowsMax): KeptRows {
  /** The last step with drafts, until the next stage knows what stays of it. */
  let trial: Trial | undefined
  let held = 0
  let lost = 0
  let stayed = 0
  let counted = 0
  let [drafts, draftsKept] = [0, 0]

  const settle = (at: Trial, position: number): number => {
    if (position <= at.start || position > at.end)
      throw badMessage('What stays of a step is not some of its first rows.')
    at.keptTo = position
    held = position
    draftsKept += position - at.start - 1
    return at.end - position
  }
  /** Counted when everybody is told, so that all stages allow the same. */
  const tell = (at: Trial, position: number): number => {
    const forgotten = at.keptTo === undefined ? settle(at, position) : 0
    if (position !== at.keptTo) throw badMessage('A step does not go on where the one before it was right.')
    stayed += position - at.start
    lost += at.end - position
    trial = undefined
    return forgotten
  }
  const before = (step: Parameters<KeptRows['step']>[0]): number => {
    const at = trial
    if (at === undefined) return 0
    if (!step.acknowledge && step.turn === at.turn) return tell(at, step.position)
    if (hasLease) throw badMessage('A turn began before it was said what stays of the one before it.')
    trial = undefined
    return 0
  }
  const allowed = (): number => SESSION_LIMITS.draftsLostFree + SESSION_LIMITS.draftsLostPerRow * stayed - lost

  return {
    step(step) {
      const { turn, position, acknowledge, tokens } = step
      const forgotten = before(step)
      // Without a lease stages drop what a cancel finds on its way, some sooner than others: with each turn all count anew.
      if (!hasLease && turn !== counted) [counted, stayed, lost] = [turn, 0, 0]
      if (hasLease && position > held) throw badMessage('A step begins behind what stays of the one before it.')
      held = position + tokens.length
      if (acknowledge) return forgotten
      if (tokens.length === 1) {
        stayed++
        return forgotten
      }
      if (tokens.length > rowsMax) throw badMessage('A step of decoding has too many rows.')
      if (tokens.length - 1 > allowed()) throw badMessage('Too many drafts of this session were wrong.')
      drafts += tokens.length - 1
      trial = { turn, start: position, end: held, keptTo: undefined }
      return forgotten
    },
    settle(position) {
      if (trial === undefined || trial.keptTo !== undefined) throw badMessage('No step waits to hear what stays of it.')
      return settle(trial, position)
    },
    keep(turn, position) {
      if (trial?.turn !== turn) throw badMessage('No step waits to hear what stays of it.')
      return tell(trial, position)
    },
    get open() {
      return trial && trial.keptTo === undefined ? { turn: trial.turn, position: trial.start } : undefined
    },
    get unsaid() {
      return trial?.keptTo === undefined ? undefined : { turn: trial.turn, position: trial.keptTo }
    },
    get draftsAllowed() {
      const { start, end, keptTo } = trial ?? { start: 0, end: 0 }
      // The next step tells what is settled already.
      const told = keptTo === undefined ? 0 : SESSION_LIMITS.draftsLostPerRow * (keptTo - start) - (end - keptTo)
      return Math.max(0, Math.min(rowsMax - 1, allowed() + told))
    },
    get drafts() {
      return drafts
    },
    get draftsKept() {
      return draftsKept
    },
  }
}
