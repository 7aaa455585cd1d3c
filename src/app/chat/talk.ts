/**
 * A conversation that outlives its model: where an answer cannot begin because another version took the place of the model, it goes on with that one, with
 * everything that was said. An answer is of one version.
 * Spec: docs/spec/cli.md §11.
 * @module
 */
import type { ChatMessage } from '../../ml/chat-template.ts'
import type { Generation } from '../../net/protocols/generation.ts'
import type { StoredModel } from '../model-store.ts'
import type { AnswerPart, Conversation } from './conversation.ts'
import type { OpenChat } from './open-chat.ts'

export interface Talk {
  /** Of the version that answers now. */
  readonly chat: OpenChat
  /** As a conversation; of what a version generates, the talk knows how. */
  say(input: { readonly text: string; readonly signal: AbortSignal }): AsyncGenerator<AnswerPart, void, void>
  reset(): void
  close(): Promise<void>
}

/** A version that can be talked to, and the conversation with it. */
export interface Speaker {
  readonly chat: OpenChat
  readonly conversation: Conversation
}

export interface TalkOptions {
  readonly first: Speaker
  /** The version that took the place of the one that failed so, once it is open; undefined: there is none. */
  readonly next: (why: unknown, before: OpenChat, said: readonly ChatMessage[]) => Promise<Speaker | undefined>
  readonly generationOf: (model: StoredModel) => Generation
}

export function createTalk({ first, next, generationOf }: TalkOptions): Talk {
  let speaker = first

  async function* say(input: { readonly text: string; readonly signal: AbortSignal }): AsyncGenerator<AnswerPart> {
    for (;;) {
      const { chat, conversation } = speaker
      let isBegun = false
      try {
        for await (const part of conversation.say({ ...input, generation: generationOf(chat.model) })) {
          isBegun = true
          yield part
        }
        return
      } catch (error) {
        const later = isBegun || input.signal.aborted ? undefined : await next(error, chat, conversation.messages)
        if (later === undefined) throw error
        speaker = later
        await chat.close()
      }
    }
  }

  return {
    get chat() {
      return speaker.chat
    },
    say,
    reset: () => speaker.conversation.reset(),
    close: () => speaker.chat.close(),
  }
}
