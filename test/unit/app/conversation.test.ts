import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Answer, type Conversation, createConversation } from '../../../src/app/chat/conversation.ts'
import { createEngine } from '../../../src/app/engines.ts'
import { openModelStore } from '../../../src/app/model-store.ts'
import { CHAT_TEMPLATE_FILE, loadTokenizer, tokenizerFromFiles } from '../../../src/app/model-tokenizer.ts'
import type { RingEvent, RingSession } from '../../../src/app/ring/ring-session.ts'
import { milliseconds, sessionId } from '../../../src/base/brand.ts'
import type { Engine } from '../../../src/ml/engine/engine.ts'
import type { Tokenizer } from '../../../src/ml/tokenizer.ts'
import { createMemoryNetwork } from '../../../src/net/memory-network.ts'
import { createFakeClock } from '../../fake-clock.ts'
import { collect, createRingWorld, GREEDY, MODEL, type RingWorld } from '../../integration/ring-world.ts'

const clock = createFakeClock()
const generation = { ...GREEDY, maxTokens: 12, withDigests: false }
const store = openModelStore({ home: '/nowhere' })
const genesis = store.find('genesis')
const { config } = genesis.manifest
const TEMPLATE = `{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] `

let tokenizer: Tokenizer
let world: RingWorld
let ring: RingSession

beforeAll(async () => {
  tokenizer = await loadTokenizer(genesis)
  const engines: Engine[] = [await createEngine('wasm', { threads: 1 }), await createEngine('wasm', { threads: 1 })]
  const network = createMemoryNetwork()
  const weights = store.openWeights(genesis, 0, genesis.manifest.segments.length)
  world = await createRingWorld({
    config,
    weights,
    split: [3, 3],
    createWire: async (listen) => network.createMemoryWire({ listen }),
    engine: () => engines.pop()!,
  })
  weights.close()
})
afterAll(() => world.close())

beforeEach(async () => {
  ring = await world.open(config.contextLength)
  return () => ring.close()
})

interface Said {
  readonly parts: string[]
  readonly answer: Answer
}

async function say(conversation: Conversation, text: string, stopAfter = Number.POSITIVE_INFINITY): Promise<Said> {
  const controller = new AbortController()
  const parts: string[] = []
  for await (const part of conversation.say({ text, generation, signal: controller.signal })) {
    if (part.type === 'end') return { parts, answer: part.answer }
    parts.push(part.text)
    if (parts.length === stopAfter) controller.abort(new Error('enough'))
  }
  throw new Error('an answer ends')
}

const conversationOn = (session: RingSession, stop: string[] = [], withTokenizer = tokenizer, system?: string) =>
  createConversation({ ring: session, tokenizer: withTokenizer, system, stop }, { clock })

/** A session whose tail says what a test wants, token by token. */
function scriptedRing(answer: readonly number[]): RingSession {
  const tokens: number[] = []
  return {
    id: sessionId('00'.repeat(16)),
    route: { model: MODEL, stages: [], expectedStepMs: milliseconds(1) },
    tokens,
    async *generate(prompt): AsyncGenerator<RingEvent, void, void> {
      tokens.push(...prompt)
      for (const token of answer) {
        tokens.push(token)
        yield { type: 'token', token, position: tokens.length - 1, digest: undefined }
      }
      yield { type: 'end', reason: 'max-tokens' }
    },
    rewind: (length) => {
      tokens.length = length
    },
    statistics: async () => [],
    close: async () => undefined,
  }
}

describe('text from tokens', () => {
  test.each(['naïve café', '🦊 and 🐇', '日本語のテキスト', 'a\u0301 b'])(
    '%s comes whole, however its bytes are cut',
    async (text) => {
      const tokens = tokenizer.encodeMore(` ${text}`)
      const { parts, answer } = await say(conversationOn(scriptedRing(tokens)), 'x')
      expect(answer.text).toBe(` ${text}`)
      expect(parts.join('')).toBe(answer.text)
      expect(parts.join('|')).not.toContain('\ufffd')
      expect(tokens.length).toBeGreaterThan(1)
    },
  )

  test('a character that never becomes whole is shown as one replacement at the end', async () => {
    const tokens = tokenizer.encodeMore(' 🦊')
    const { answer } = await say(conversationOn(scriptedRing(tokens.slice(0, -1))), 'x')
    expect(answer.text).toMatch(/^ \ufffd+$/)
  })

  test('a stop text that is several tokens ends the answer and is not shown, not even in part', async () => {
    const tokens = tokenizer.encodeMore(' one two STOPPED three')
    const session = scriptedRing(tokens)
    const { parts, answer } = await say(conversationOn(session, ['STOPPED']), 'x')
    expect(answer).toMatchObject({ text: ' one two ', reason: 'stop' })
    expect(parts.join('')).toBe(' one two ')
    expect(answer.tokens).toBeLessThan(tokens.length)
  })

  test('a stop text inside a token ends the answer', async () => {
    const { answer } = await say(conversationOn(scriptedRing(tokenizer.encodeMore(' the house')), ['e']), 'x')
    expect(answer).toMatchObject({ text: ' th', reason: 'stop' })
  })
})

describe('a conversation without a template', () => {
  test('keeps its context over turns: the second answer follows from everything before it', async () => {
    const conversation = conversationOn(ring)
    const first = await say(conversation, 'Once upon a time')
    const held = [...ring.tokens]
    const second = await say(conversation, ' And then')
    expect(second.answer.promptTokens).toBeLessThan(held.length)

    const fresh = await world.open(config.contextLength)
    const whole = [...held, ...tokenizer.encodeMore(' And then')]
    const { tokens } = await collect(fresh, whole, { generation })
    expect([...whole, ...tokens]).toEqual(ring.tokens)
    expect(first.answer.tokens).toBe(generation.maxTokens)
    await fresh.close()
  })

  test('goes on in another ring with what was said in the one before', async () => {
    const first = conversationOn(ring)
    await say(first, 'Once upon a time')
    const other = await world.open(config.contextLength)
    const moved = createConversation(
      { ring: other, tokenizer, system: undefined, stop: [], said: first.messages },
      { clock },
    )
    const [here, there] = [await say(first, ' And then'), await say(moved, ' And then')]
    expect(there.answer.text).toBe(here.answer.text)
    expect(moved.messages).toEqual(first.messages)
    expect(other.tokens).toEqual(ring.tokens)
    await other.close()
  })

  test('forgets everything at a reset', async () => {
    const conversation = conversationOn(ring)
    const first = await say(conversation, 'Once upon a time')
    await say(conversation, ' There was a fox')
    conversation.reset()
    expect(ring.tokens).toEqual([])
    expect(await say(conversation, 'Once upon a time')).toEqual(first)
  })

  test.each([1, 5])('cancelled after %i parts and continued, says what an unbroken one says', async (parts) => {
    const unbroken = await say(conversationOn(ring), 'The house was')
    const session = await world.open(config.contextLength)
    const conversation = conversationOn(session)
    const begun = await say(conversation, 'The house was', parts)
    expect(begun.answer).toMatchObject({ reason: 'cancelled', tokens: parts })
    const rest = await say(conversation, '')
    const both = begun.answer.text + rest.answer.text
    expect(both.startsWith(unbroken.answer.text)).toBe(true)
    await session.close()
  })

  test('starts from the begin token when nothing is said', async () => {
    const { answer } = await say(conversationOn(ring), '')
    expect(ring.tokens[0]).toBe(tokenizer.beginToken)
    expect(answer.promptTokens).toBe(1)
  })

  test('that does not fit is refused with a code and goes on with less', async () => {
    const conversation = conversationOn(ring)
    await say(conversation, 'Once upon a time')
    await expect(say(conversation, 'word '.repeat(600))).rejects.toMatchObject({ code: 'RING_PROMPT_TOO_LONG' })
    expect((await say(conversation, ' And then')).answer.tokens).toBe(generation.maxTokens)
  })
})

describe('a conversation with a template', () => {
  let chat: Tokenizer
  beforeAll(async () => {
    const read = (name: string) => {
      if (name === CHAT_TEMPLATE_FILE) return new TextEncoder().encode(TEMPLATE)
      return readFileSync(join(genesis.directory, name))
    }
    chat = await tokenizerFromFiles(read, config)
  })

  test('sends a system message first, then only what is new', async () => {
    const conversation = conversationOn(ring, [], chat, 'Be brief.')
    await say(conversation, 'Hello')
    const first = chat.encodeMore('[system] Be brief.\n[user] Hello\n[assistant] ')
    expect(ring.tokens.slice(0, first.length)).toEqual(first)
    const second = await say(conversation, 'Go on')
    expect(second.answer.promptTokens).toBeLessThan(ring.tokens.length - generation.maxTokens)
  })

  test('gives the answer of a fresh session that was told the same', async () => {
    const conversation = conversationOn(ring, ['.'], chat)
    await say(conversation, 'Hello')
    await say(conversation, 'Go on')
    const prompt = ring.tokens.slice(0, -generation.maxTokens)
    const fresh = await world.open(config.contextLength)
    const { tokens } = await collect(fresh, prompt, { generation })
    expect([...prompt, ...tokens].slice(0, ring.tokens.length)).toEqual(ring.tokens)
    await fresh.close()
  })

  test('keeps its system message at a reset', async () => {
    const conversation = conversationOn(ring, [], chat, 'Be brief.')
    const first = await say(conversation, 'Hello')
    conversation.reset()
    expect(await say(conversation, 'Hello')).toEqual(first)
  })
})
