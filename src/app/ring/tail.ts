/**
 * The tail's part of a session: keeps the token ids of the session, samples the next one from logits, and knows
 * when a turn ends. Pure; knows no channels.
 * Spec: docs/spec/numerics.md §8, docs/spec/wire.md §4.4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { digestOf } from '../../ml/digest.ts'
import { sampleToken, validateSampling } from '../../ml/sampler.ts'
import type { Generation } from '../../net/protocols/generation.ts'
import type { EndReason } from '../../net/protocols/stage.ts'
import { RingError } from './ring-error.ts'

export interface Drawn {
  readonly token: number
  /** Position that the token takes. */
  readonly position: number
  readonly digest: Hash | undefined
  /** Set when the turn ends with this token; an end token itself is not part of the answer. */
  readonly end: EndReason | undefined
}

export interface Tail {
  /** Starts a turn; throws SAMPLING_OUT_OF_RANGE. */
  begin(generation: Generation): void
  /** Notes the ids of rows that went by: `tokens[0]` stands at `position`. Later ones are forgotten. */
  note(position: number, tokens: Int32Array): void
  /** Draws the token that follows the last noted one; throws RING_BAD_MESSAGE before the first `begin`. */
  draw(logits: Float32Array): Drawn
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
    draw(logits) {
      if (!generation) throw new RingError('RING_BAD_MESSAGE', 'A step asks for a token before its turn has begun.')
      const position = history.length
      const token = sampleToken({ logits, options: generation, history, position })
      produced++
      const digest = generation.withDigests ? digestOf(logits) : undefined
      return { token, position, digest, end: endOf(token, position, generation.maxTokens) }
    },
  }
}
