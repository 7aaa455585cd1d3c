/**
 * The tail's part of a session: keeps the token ids of the session, samples the next one from logits, says how many drafts were right, and
 * knows when a turn ends. Pure; knows no channels.
 * Spec: docs/spec/numerics.md §8, docs/spec/wire.md §4.4, §4.9.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { digestOf } from '../../ml/digest.ts'
import { sampleToken, takesLargest, validateSampling } from '../../ml/sampler.ts'
import type { Generation } from '../../net/protocols/generation.ts'
import type { EndReason, StageMessageOf } from '../../net/protocols/stage.ts'
import type { TokenStep } from './prompt-steps.ts'
import { badMessage } from './ring-error.ts'

type Closing = StageMessageOf<'token'> | StageMessageOf<'end'>

/** One token was drawn. */
export interface Drawn {
  readonly token: number
  readonly position: number
  readonly digest: Hash | undefined
  /** It ends the turn. */
  readonly reason: EndReason | undefined
}

/** What came of a step that asks for tokens. */
export interface Answer {
  /** One for each row that stays, the first one and those of drafts that were right; of a prompt's step one. */
  readonly drawn: readonly Drawn[]
  /** Rows of the step before this position stay. */
  readonly keptTo: number
  /** In their order: an end token is not part of the answer. */
  readonly toClient: readonly Closing[]
  /** The last token of an answer does not go round the ring. */
  readonly toFirst: Closing
}

export interface Tail {
  /** Starts a turn; throws SAMPLING_OUT_OF_RANGE. */
  begin(generation: Generation): void
  /** Notes the ids of rows that went by: `tokens[0]` stands at `position`. Later ones are forgotten. */
  note(position: number, tokens: Int32Array): void
  /** Whether it is enough to know which logit of a row is the largest. */
  readonly takesLargest: boolean
  /** Draws the token that follows the last noted one. Throws RING_BAD_MESSAGE before the first `begin`. */
  draw(scores: Scores): Drawn
  /**
   * Notes a step and draws what follows. `scores`: of each row of a step of decoding, of the last one of a prompt's. Of a step with drafts, each token is
   * drawn as if those before it had come one by one, and as long as they are the drafts; at most `rowsMax` rows stay.
   */
  answer(step: Pick<TokenStep, 'turn' | 'position' | 'tokens' | 'acknowledge'>, scores: Scores, rowsMax: number): Answer
}

/** Logits (rows, vocabulary); or of each row the id of the largest one, where the engine was asked for no more. */
export type Scores = Float32Array | Int32Array

export function createTail(options: { endTokens: readonly number[]; capacity: number }): Tail {
  const history: number[] = []
  let generation: Generation | undefined
  let produced = 0

  const endOf = (token: number, position: number, maxTokens: number): EndReason | undefined => {
    if (options.endTokens.includes(token)) return 'end-token'
    if (produced >= maxTokens) return 'max-tokens'
    return position >= options.capacity ? 'context-full' : undefined
  }
  const note = (position: number, tokens: Int32Array): void => {
    history.length = position
    for (const token of tokens) history.push(token)
  }
  const draw = (scores: Scores): Drawn => {
    if (!generation) throw badMessage('A step asks for a token before its turn has begun.')
    const position = history.length
    const isChosen = scores instanceof Int32Array
    const token = isChosen ? scores[0]! : sampleToken({ logits: scores, options: generation, history, position })
    produced++
    const digest = generation.withDigests && !isChosen ? digestOf(scores) : undefined
    return { token, position, digest, reason: endOf(token, position, generation.maxTokens) }
  }

  return {
    begin(next) {
      validateSampling(next)
      generation = next
      produced = 0
    },
    note,
    get takesLargest() {
      return generation !== undefined && !generation.withDigests && takesLargest(generation)
    },
    draw,
    answer({ turn, position, tokens, acknowledge }, scores, rowsMax) {
      const noted = acknowledge ? tokens.length : 1
      note(position, tokens.subarray(0, noted))
      const rows = tokens.length - noted + 1
      const width = scores.length / rows
      const drawn: Drawn[] = []
      for (let row = 0; row < Math.min(rows, rowsMax); row++) {
        if (row > 0) history.push(tokens[row]!)
        const one = draw(scores.subarray(row * width, (row + 1) * width))
        drawn.push(one)
        if (one.reason !== undefined || one.token !== tokens[noted + row]) break
      }
      return { drawn, keptTo: position + noted - 1 + drawn.length, ...messagesOf(turn, drawn) }
    },
  }
}

function messagesOf(turn: number, drawn: readonly Drawn[]): Pick<Answer, 'toClient' | 'toFirst'> {
  const { reason, position: endPosition } = drawn.at(-1)!
  const part = reason === 'end-token' ? drawn.slice(0, -1) : drawn
  const tokens: StageMessageOf<'token'> = {
    type: 'token',
    turn,
    position: drawn[0]!.position,
    tokens: Int32Array.from(part, ({ token }) => token),
    digests: part.flatMap(({ digest }) => digest ?? []),
  }
  if (reason === undefined) return { toClient: [tokens], toFirst: { ...tokens, digests: [] } }
  const end: StageMessageOf<'end'> = { type: 'end', turn, reason, position: endPosition }
  return { toClient: part.length > 0 ? [tokens, end] : [end], toFirst: end }
}
