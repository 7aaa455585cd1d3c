/**
 * A conversation with a model: what people say becomes token ids, what the ring sends becomes text. Models with a chat
 * template get messages; others continue the text. Only tokens that the ring does not hold yet are sent.
 * @module
 */
import { type Milliseconds, milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import type { ChatMessage } from '../../ml/chat-template.ts'
import type { Tokenizer } from '../../ml/tokenizer.ts'
import type { Generation } from '../../net/protocols/generation.ts'
import type { EndReason } from '../../net/protocols/stage.ts'
import type { RingSession } from '../ring/ring-session.ts'
import { createStopFilter } from './stop-filter.ts'

export interface ConversationOptions {
  readonly ring: RingSession
  readonly tokenizer: Tokenizer
  readonly system: string | undefined
  /** Texts that end an answer; they are not shown. */
  readonly stop: readonly string[]
  /** Drafts that a step may take along (wire.md §4.9); default: as many as pay. */
  readonly draftsMax?: number | undefined
  /** What was said before, to another version of the model; default: nothing. */
  readonly said?: readonly ChatMessage[] | undefined
}

export type AnswerPart =
  | {
      readonly type: 'text'
      readonly text: string
      readonly token: number
      readonly position: number
      readonly digest: string | undefined
    }
  | { readonly type: 'end'; readonly answer: Answer }

export interface Answer {
  readonly text: string
  readonly reason: EndReason | 'lease-spent' | 'stop' | 'cancelled'
  readonly promptTokens: number
  readonly tokens: number
  /** From sending the prompt to the first token, and to the last. */
  readonly firstMs: Milliseconds
  readonly totalMs: Milliseconds
}

export interface TurnInput {
  readonly text: string
  readonly generation: Generation
  readonly signal: AbortSignal
}

export interface Conversation {
  /** One answer, part by part. An abort ends it with reason `cancelled`. */
  say(input: TurnInput): AsyncGenerator<AnswerPart, void, void>
  /** Without the system message. */
  readonly messages: readonly ChatMessage[]
  /** Forgets everything but the system message. */
  reset(): void
}

export function createConversation(options: ConversationOptions, ports: { clock: Clock }): Conversation {
  const { ring, tokenizer, system } = options
  const own: readonly ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }]
  const messages: ChatMessage[] = [...own, ...(options.said ?? [])]
  const saidText = (): string => messages.map(({ content }) => content).join('')

  /** Token ids of the whole conversation after `text` was said, and what of them is already shown as text. */
  const promptFor = (text: string): { wanted: readonly number[]; context: readonly number[] } => {
    const rendered = tokenizer.renderChat([...messages, { role: 'user', content: text }])
    if (rendered !== undefined) return { wanted: tokenizer.encodeMore(rendered), context: [] }
    const isNew = ring.tokens.length === 0
    const wanted = isNew ? tokenizer.encode(saidText() + text) : [...ring.tokens, ...tokenizer.encodeMore(text)]
    return { wanted, context: wanted }
  }

  return {
    get messages() {
      return messages.slice(own.length)
    },
    reset() {
      messages.length = own.length
      ring.rewind(0)
    },
    async *say({ text, generation, signal }) {
      const { wanted, context } = promptFor(text)
      const kept = commonPrefix(ring.tokens, wanted)
      // A ring needs at least one token to continue from.
      ring.rewind(Math.min(kept, wanted.length - 1))
      const prompt = wanted.slice(ring.tokens.length)
      const stream = tokenizer.createTextStream(context)
      const filter = createStopFilter(options.stop)
      const startedMs = ports.clock.now()
      let firstMs = startedMs
      let shown = ''
      let tokens = 0
      let reason: Answer['reason'] = 'cancelled'
      try {
        for await (const event of ring.generate(prompt, { generation, draftsMax: options.draftsMax, signal })) {
          if (event.type === 'end') {
            reason = event.reason
            break
          }
          if (tokens++ === 0) firstMs = ports.clock.now()
          const part = filter.push(stream.push(event.token))
          shown += part
          const { token, position, digest } = event
          yield { type: 'text', text: part, token, position, digest }
          if (filter.stopped) {
            reason = 'stop'
            break
          }
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
      const rest = filter.finish(stream.flush())
      if (rest !== '') {
        shown += rest
        yield { type: 'text', text: rest, token: -1, position: -1, digest: undefined }
      }
      messages.push({ role: 'user', content: text }, { role: 'assistant', content: shown })
      const endedMs = ports.clock.now()
      const answer = { text: shown, reason, promptTokens: prompt.length, tokens }
      yield {
        type: 'end',
        answer: { ...answer, firstMs: milliseconds(firstMs - startedMs), totalMs: milliseconds(endedMs - startedMs) },
      }
    },
  }
}

function commonPrefix(held: readonly number[], wanted: readonly number[]): number {
  let length = 0
  while (length < held.length && held[length] === wanted[length]) length++
  return length
}
