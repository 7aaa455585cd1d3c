/**
 * Steps of many sessions that wait for one engine, and what of them makes the next batch. A step of decoding never waits for a whole chunk of somebody's
 * prompt: beside other sessions a long step is computed in pieces, and short ones go first. Bits do not depend on it. Pure; knows no engine and no clock.
 * Spec: docs/spec/wire.md §4.3, docs/spec/numerics.md §1.
 * @module
 */
import { assert } from '../base/assert.ts'
import { type Milliseconds, milliseconds } from '../base/brand.ts'
import { SESSION_LIMITS } from '../base/limits.ts'
import type { ModelConfig } from '../ml/config.ts'
import type { CacheId, StepInput, StepOutput } from '../ml/engine/engine.ts'
import { rowsOf } from '../ml/engine/step-check.ts'
import { joinFloats } from '../ml/join-floats.ts'

const { batchRowsMax, shortRowsMax, sharedRowsMax, pieceRowsMin } = SESSION_LIMITS

/** A step that waits, or whose first rows were computed. */
export interface QueuedStep {
  readonly step: StepInput
  readonly rows: number
  /** Rows that are computed. */
  done: number
  computeMs: Milliseconds
  /** Values of its pieces so far. */
  readonly values: Float32Array[]
}

/** Rows of one step in a batch: all that are left, or a part of them. */
export interface Piece<Q extends QueuedStep = QueuedStep> {
  readonly queued: Q
  readonly input: StepInput
  readonly rows: number
}

export interface StepQueue<Q extends QueuedStep> {
  readonly length: number
  add(queued: Q): void
  /** The next batch, of at least one piece; the queue must not be empty. Steps that it leaves unfinished stay in their places. */
  take(): Piece<Q>[]
  /**
   * Notes the output of a piece, which shared `computeMs` with its batch. Gives the output of the whole step when that was its last piece; a piece that
   * failed is the last one.
   */
  finish(piece: Piece<Q>, output: StepOutput, computeMs: Milliseconds): StepOutput | undefined
  /** Forgets a step that was begun. */
  drop(queued: Q): void
}

/** What a step is when it arrives. */
export function queuedStep(step: StepInput, config: ModelConfig): QueuedStep {
  return { step, rows: rowsOf(step, config), done: 0, computeMs: milliseconds(0), values: [] }
}

export function createStepQueue<Q extends QueuedStep>(config: Pick<ModelConfig, 'hiddenSize'>): StepQueue<Q> {
  const queue: Q[] = []
  let latest = new Set<CacheId>()

  /** Of each session the step that is next: a later one must wait for it, even where it would fit. */
  const heads = (): Q[] => {
    const seen = new Set<CacheId>()
    return queue.filter(({ step }) => !seen.has(step.cache) && seen.add(step.cache))
  }
  /** Sessions that decode come back in a moment: who was in the latest batch counts as if it waited. */
  const isAlone = (cache: CacheId): boolean => {
    const others = queue.some(({ step }) => step.cache !== cache)
    return !others && [...latest].every((other) => other === cache)
  }
  const drop = (queued: Q): void => {
    const index = queue.indexOf(queued)
    assert(index >= 0, 'a step is in the queue until its last piece is computed')
    queue.splice(index, 1)
  }

  return {
    get length() {
      return queue.length
    },
    add: (queued) => void queue.push(queued),
    drop,
    take() {
      const waiting = heads()
      assert(waiting.length > 0, 'a batch has at least one step')
      const pieces: Piece<Q>[] = []
      let total = 0
      const put = (queued: Q, most: number): void => {
        const rows = Math.min(queued.rows - queued.done, most)
        pieces.push({ queued, rows, input: pieceOf(queued, rows, config.hiddenSize) })
        total += rows
      }
      const isShort = ({ rows, done }: Q) => rows - done <= shortRowsMax
      const shortMax = waiting.every(isShort) ? batchRowsMax : batchRowsMax - pieceRowsMin
      for (const queued of waiting) {
        if (isShort(queued) && total + queued.rows - queued.done <= shortMax) put(queued, shortRowsMax)
      }
      for (const queued of waiting) {
        if (isShort(queued)) continue
        const room = (isAlone(queued.step.cache) ? batchRowsMax : sharedRowsMax) - total
        // The first of the long ones goes on in any case, so that short ones do not keep it waiting for ever.
        const isFirst = !pieces.some((piece) => piece.rows > shortRowsMax || !isShort(piece.queued))
        if (room >= pieceRowsMin || isFirst) put(queued, Math.max(room, pieceRowsMin))
      }
      latest = new Set(pieces.map(({ queued }) => queued.step.cache))
      return pieces
    },
    finish({ queued, rows }, output, computeMs) {
      queued.done += rows
      queued.computeMs = milliseconds(queued.computeMs + computeMs)
      if (output.type === 'failed') {
        drop(queued)
        return output
      }
      if (queued.done < queued.rows) {
        queued.values.push(output.values)
        return undefined
      }
      drop(queued)
      return queued.values.length === 0 ? output : { ...output, values: joinFloats([...queued.values, output.values]) }
    },
  }
}

/** The next `rows` rows of a step, as a step. */
function pieceOf({ step, rows, done }: QueuedStep, count: number, hiddenSize: number): StepInput {
  if (done === 0 && count === rows) return step
  const { input } = step
  const end = done + count
  return {
    cache: step.cache,
    position: step.position + done,
    input:
      input.type === 'tokens'
        ? { type: 'tokens', tokens: input.tokens.slice(done, end) }
        : { type: 'hidden', values: input.values.slice(done * hiddenSize, end * hiddenSize) },
    // Only the last piece has the last row.
    logits: step.logits === 'last' && end < rows ? 'none' : step.logits,
    // Pieces are joined, and not every engine that computes one of them says the largest.
    largestOnly: step.largestOnly === true && step.logits !== 'all',
  }
}
