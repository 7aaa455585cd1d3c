/**
 * Stage 1's cutting of a prompt into steps: chunks of as many tokens as the client asks for and a frame can carry. The
 * first one brings the settings of the turn, the last one asks the tail for a token. Pure.
 * Spec: docs/spec/wire.md §4.3.
 * @module
 */
import { SESSION_LIMITS } from '../../base/limits.ts'
import { PASS_ROWS_MAX } from '../../ml/engine/step-runner.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'
import { badMessage } from './ring-error.ts'

/** Activations of one frame: 256 positions of hidden 8,192 in f32 (WIRE_LIMITS.stageMessageBytesMax without its header). */
const FRAME_ROWS_BYTES_MAX = 8 * 1024 * 1024
const NO_ROWS = new Uint8Array(0)
/** While the first chunks reach the last stage and the last ones leave the first, stages wait: several chunks for each stage make that short. */
const CHUNKS_PER_STAGE = 4

export type TokenStep = StageMessageOf<'step'>

/** Where a session stands when a prompt comes. */
export interface PromptMoment {
  readonly isFirst: boolean
  readonly isReady: boolean
  readonly latestTurn: number
}

/** @throws RingError RING_BAD_MESSAGE. */
export function checkPrompt(prompt: StageMessageOf<'prompt'>, { isFirst, isReady, latestTurn }: PromptMoment): void {
  if (!isFirst) throw badMessage('Only stage 1 takes a prompt.')
  if (!isReady) throw badMessage('A prompt came before the session was ready.')
  if (prompt.turn <= latestTurn) throw badMessage('The turn of a prompt is not after the one before it.')
  if (prompt.tokens.length === 0) throw badMessage('A prompt needs at least one token.')
}

/** One row of activations per token, and at least one. @throws RingError RING_BAD_MESSAGE. */
export function checkShape({ rows, tokens }: TokenStep, hiddenSize: number): void {
  if (rows.length === tokens.length * hiddenSize * 4 && rows.length > 0) return
  throw badMessage('A step has activations of the wrong shape.')
}

/** Tokens per chunk that a client asks for when nobody wants anything else: whole passes of an engine, since a part of one reads all weights, too. */
export function usualChunk(tokens: number, stages: number): number {
  const most = SESSION_LIMITS.prefillChunkTokensMax
  if (stages === 1) return most
  const passes = Math.max(1, Math.floor(tokens / (CHUNKS_PER_STAGE * stages) / PASS_ROWS_MAX))
  return Math.min(most, passes * PASS_ROWS_MAX)
}

/** Tokens per chunk. */
export function chunkSize(wanted: number, hiddenSize: number): number {
  const fitting = Math.floor(FRAME_ROWS_BYTES_MAX / (hiddenSize * 4))
  return Math.max(1, Math.min(wanted, fitting, SESSION_LIMITS.prefillChunkTokensMax))
}

/** The steps of a prompt in order; `rows` are empty, because nothing has computed them yet. */
export function* promptSteps(prompt: StageMessageOf<'prompt'>, size: number): Generator<TokenStep> {
  const { tokens, turn, position, generation } = prompt
  for (let start = 0; start < tokens.length; start += size) {
    yield {
      type: 'step',
      turn,
      position: position + start,
      sample: start + size >= tokens.length,
      acknowledge: true,
      generation: start === 0 ? generation : undefined,
      tokens: tokens.slice(start, start + size),
      rows: NO_ROWS,
    }
  }
}

/** The step of a token that came back round the ring, and of drafts behind it. */
export function decodeStep({ turn, position, tokens }: Pick<TokenStep, 'turn' | 'position' | 'tokens'>): TokenStep {
  return {
    type: 'step',
    turn,
    position,
    sample: true,
    acknowledge: false,
    generation: undefined,
    tokens,
    rows: NO_ROWS,
  }
}
