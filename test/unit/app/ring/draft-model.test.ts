import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEngineHost, type EngineHost } from '../../../../src/app/engine-host.ts'
import { createInlineRunner } from '../../../../src/app/inline-runner.ts'
import { createModelDrafter, type SaidText } from '../../../../src/app/ring/draft-model.ts'
import { createReferenceEngine } from '../../../../src/ml/engine/reference.ts'
import { sampleToken } from '../../../../src/ml/sampler.ts'
import { randomWeights, smallConfig, wholeRange } from '../../../contract/random-model.ts'
import { createFakeClock } from '../../../fake-clock.ts'

const CONFIG = smallConfig({ contextLength: 128 })
const WEIGHTS = randomWeights({ config: CONFIG, format: 'q8', seed: 3 })
const OPTIONS = { temperature: 0.9, topK: 9, topP: 1, minP: 0, repetitionPenalty: 1.2, seed: 8n }
const clock = createFakeClock()

let host: EngineHost

beforeEach(() => {
  const stage = createReferenceEngine().createStage({
    config: CONFIG,
    range: wholeRange(CONFIG),
    weights: WEIGHTS,
    cacheBytesMax: 1 << 24,
  })
  host = createEngineHost(createInlineRunner('reference', stage, { clock }), { clock })
})
afterEach(() => host.close())

function textOf(tokens: readonly number[]): SaidText {
  return { length: tokens.length, from: (position) => Int32Array.from(tokens.slice(position)) }
}

/** What the model says, without any memory. */
async function expected(tokens: readonly number[], count: number): Promise<number[]> {
  const all = [...tokens]
  for (let more = 0; more < count; more++) {
    const cache = await host.openCache(CONFIG.contextLength)
    const input = { type: 'tokens', tokens: Int32Array.from(all) } as const
    const { output } = await host.run({ cache, position: 0, input, logits: 'last' })
    if (output.type !== 'logits') throw new Error('a whole model gives logits')
    all.push(sampleToken({ logits: output.values, options: OPTIONS, history: all, position: all.length }))
    await host.closeCache(cache)
  }
  return all.slice(tokens.length)
}

test('drafts are what the model says next, wherever the text went on and was cut', async () => {
  const drafter = createModelDrafter({ host, contextLength: CONFIG.contextLength }, 100)
  const text = [3, 9, 4, 1]
  const check = async (count: number) => {
    expect(await drafter.draft(textOf(text), count, OPTIONS)).toEqual(await expected(text, count))
  }
  await check(4)
  // As drafted, for two tokens; then otherwise.
  text.push(...(await expected(text, 2)), 7)
  await check(3)
  text.push(8)
  await check(1)
  text.length = 2
  drafter.cut(2)
  text.push(5, 5)
  await check(5)
  await drafter.close()
})

test('a long text is read while nobody waits, also one that is cut meanwhile', async () => {
  const drafter = createModelDrafter({ host, contextLength: CONFIG.contextLength }, 100)
  const text = Array.from({ length: 60 }, (_, index) => (index * 5) % CONFIG.vocabularySize)
  expect(await drafter.draft(textOf(text), 3, OPTIONS)).toBeUndefined()
  expect(await drafter.draft(textOf(text), 3, OPTIONS)).toBeUndefined()
  drafter.cut(50)
  text.splice(50, 10, 1, 2, 3)
  let found = await drafter.draft(textOf(text), 3, OPTIONS)
  while (found === undefined) found = await drafter.draft(textOf(text), 3, OPTIONS)
  expect(found).toEqual(await expected(text, 3))
  await drafter.close()
})

test('who is closed reads no further', async () => {
  let positions = 0
  const watched: EngineHost = {
    ...host,
    run: (step) => {
      positions = step.position
      return host.run(step)
    },
  }
  const drafter = createModelDrafter({ host: watched, contextLength: CONFIG.contextLength }, 128)
  expect(await drafter.draft(textOf(Array.from({ length: 120 }, () => 1)), 3, OPTIONS)).toBeUndefined()
  await drafter.close()
  expect(positions).toBe(0)
})

test.each<[string, number[], number]>([
  ['a text that fills it', Array.from({ length: 20 }, () => 1), 20],
  ['a token that it does not have', [1, CONFIG.vocabularySize], 100],
  ['positions that nobody told of', [1, -1, 2], 100],
])('nothing after %s, and nothing breaks', async (_what, tokens, capacity) => {
  const drafter = createModelDrafter({ host, contextLength: CONFIG.contextLength }, capacity)
  expect(await drafter.draft(textOf(tokens), 4, OPTIONS)).toBeUndefined()
  expect(await drafter.draft(textOf(tokens), 4, OPTIONS)).toBeUndefined()
  await drafter.close()
})
