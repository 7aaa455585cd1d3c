/**
 * The tail's part of a session: keeps the token ids of the session, samples the next one from logits, and knows
 * when a turn ends. Pure; knows no channels.
 * Spec: docs/spec/numerics.md §8, docs/spec/wire.md §4.4.
 * @module
 */
import { digestOf } from '../../ml/digest.ts'
import { sampleToken, validateSampling } from '../../ml/sampler.ts'
import type { Generation } from '../../net/protocols/generation.ts'
import type { EndReason, StageMessageOf } from '../../net/protocols/stage.ts'
import { badMessage } from './ring-error.ts'

/** A message that a draw gives rise to, for the client, and what stage 1 gets of it, if anything. */
export interface Drawn {
  readonly message: Closing
  readonly forFirst: Closing | undefined
}

type Closing = StageMessageOf<'token'> | StageMessageOf<'end'>

/** One token was drawn. */
export interface Draw {
  readonly token: number
  readonly position: number
  readonly messages: readonly Drawn[]
}

export interface Tail {
  /** Starts a turn; throws SAMPLING_OUT_OF_RANGE. */
  begin(generation: Generation): void
  /** Notes the ids of rows that went by: `tokens[0]` stands at `position`. Later ones are forgotten. */
  note(position: number, tokens: Int32Array): void
  /**
   * Draws the token that follows the last noted one, and tells who hears of it, in order: an end token is not part of
   * the answer; the last token of an answer does not go round the ring. Throws RING_BAD_MESSAGE before the first `begin`.
   */
  draw(turn: number, logits: Float32Array): Draw
}

export function createTail(options: { endTokens: readonly number[]; capacity: number }): Tail {
  const history: number[] = []
  let generation: Generation | undefined
  let produced = 0

  const endOf = (token: number, position: number, maxTokens: number): EndReason | undefined => {
    if (options.endTokens.includes(token)) return 'end-token'
    if (produced >= maxTokens) return 'max-tokens'
    return position >= options.capacity ? 'context-full' : undefined
  }

  return {
    begin(next) {
      validateSampling(next)
      generation = next
      produced = 0
    },
    note(position, tokens) {
      history.length = position
      for (const token of tokens) history.push(token)
    },
    draw(turn, logits) {
      if (!generation) throw badMessage('A step asks for a token before its turn has begun.')
      const position = history.length
      const token = sampleToken({ logits, options: generation, history, position })
      produced++
      const digest = generation.withDigests ? digestOf(logits) : undefined
      const reason = endOf(token, position, generation.maxTokens)
      const drawn: StageMessageOf<'token'> = { type: 'token', turn, position, token, digest }
      if (reason === undefined) {
        return { token, position, messages: [{ message: drawn, forFirst: { ...drawn, digest: undefined } }] }
      }
      const end: StageMessageOf<'end'> = { type: 'end', turn, reason, position }
      const last = { message: end, forFirst: end }
      const messages = reason === 'end-token' ? [last] : [{ message: drawn, forFirst: undefined }, last]
      return { token, position, messages }
    },
  }
}
