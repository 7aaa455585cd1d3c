/** A conversation whose model is superseded between two answers. */
import { expect, test } from 'vitest'
import type { AnswerPart, Conversation } from '../../../../src/app/chat/conversation.ts'
import type { OpenChat } from '../../../../src/app/chat/open-chat.ts'
import { createTalk, type Speaker } from '../../../../src/app/chat/talk.ts'
import { HouseError } from '../../../../src/base/error.ts'
import type { ChatMessage } from '../../../../src/ml/chat-template.ts'
import type { Generation } from '../../../../src/net/protocols/generation.ts'

const SUPERSEDED = new HouseError('MODEL_SUPERSEDED', 'Another version took its place.')
const { signal } = new AbortController()

/** Answers with its name, until `failsAt`, in which it fails before or after the first part. */
function speaker(name: string, failsAt = Number.POSITIVE_INFINITY, isLate = false) {
  const messages: ChatMessage[] = []
  const seen: string[] = []
  const conversation: Conversation = {
    messages,
    reset: () => void messages.splice(0),
    async *say({ text, generation }): AsyncGenerator<AnswerPart> {
      const part: AnswerPart = { type: 'text', text: name, token: 1, position: 0, digest: undefined }
      const isFailing = messages.length / 2 >= failsAt
      if (isFailing && isLate) yield part
      if (isFailing) throw SUPERSEDED
      seen.push(`${text} ${generation.maxTokens}`)
      yield part
      messages.push({ role: 'user', content: text }, { role: 'assistant', content: name })
    },
  }
  const chat = { model: { manifest: { name } }, close: async () => void seen.push('closed') }
  return { seen, speaker: { chat: chat as unknown as OpenChat, conversation } satisfies Speaker }
}

const generationOf = ({ manifest }: { manifest: { name: string } }) =>
  ({ maxTokens: manifest.name.length }) as Generation

async function said(talk: ReturnType<typeof createTalk>, text: string): Promise<string> {
  const parts: string[] = []
  for await (const part of talk.say({ text, signal })) if (part.type === 'text') parts.push(part.text)
  return parts.join('')
}

test('it goes on with the version that took the place, which hears all that was said, and the one before is closed', async () => {
  const [one, two] = [speaker('one', 1), speaker('second')]
  const heard: unknown[] = []
  const talk = createTalk({
    first: one.speaker,
    next: async (why, before, messages) => {
      heard.push(why, before, [...messages])
      return two.speaker
    },
    generationOf,
  })
  expect(await said(talk, 'a')).toBe('one')
  expect(await said(talk, 'b')).toBe('second')
  expect(heard).toEqual([
    SUPERSEDED,
    one.speaker.chat,
    [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'one' },
    ],
  ])
  expect([one.seen, two.seen]).toEqual([['a 3', 'closed'], ['b 6']])
  expect(talk.chat).toBe(two.speaker.chat)
  await talk.close()
  expect(two.seen).toEqual(['b 6', 'closed'])
})

test('an answer that has begun is not gone on with by another version', async () => {
  const talk = createTalk({
    first: speaker('one', 0, true).speaker,
    next: () => Promise.reject(new Error('asked')),
    generationOf,
  })
  await expect(said(talk, 'a')).rejects.toBe(SUPERSEDED)
})

test('where no version took the place, the failure is told, and the conversation stays', async () => {
  const one = speaker('one', 1)
  const talk = createTalk({ first: one.speaker, next: async () => undefined, generationOf })
  await said(talk, 'a')
  await expect(said(talk, 'b')).rejects.toBe(SUPERSEDED)
  expect(talk.chat).toBe(one.speaker.chat)
  expect(one.seen).toEqual(['a 3'])
})
