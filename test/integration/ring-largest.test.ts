/** A ring whose last stage has an engine that says the largest logit instead of giving logits: the client gets the same text, and logits where the engine must give them. */
import { afterEach, expect, test } from 'vitest'
import type { BatchRunner } from '../../src/app/engine-host.ts'
import type { StepOutput } from '../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { sampleToken } from '../../src/ml/sampler.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Generation } from '../../src/net/protocols/generation.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { collect, createRingWorld, GREEDY, type RingWorld } from './ring-world.ts'

const CONFIG = smallConfig({ contextLength: 128 })
const WEIGHTS = randomWeights({ config: CONFIG, format: 'q8', seed: 3 })
/** Says the same again, so that there are drafts. */
const PROMPT = Array.from({ length: 24 }, (_, index) => (index % 6) + 1)
const BARE: Generation = { ...GREEDY, withDigests: false, maxTokens: 20 }

let world: RingWorld
afterEach(() => world.close())

/** As an engine that finds the largest logit itself; counts its rows. */
function saying(runner: BatchRunner, said: { rows: number }): BatchRunner {
  const idsOf = (logits: Float32Array): Int32Array => {
    const width = CONFIG.vocabularySize
    return Int32Array.from({ length: logits.length / width }, (_, row) => {
      const own = logits.slice(row * width, (row + 1) * width)
      return sampleToken({ logits: own, options: BARE, history: [], position: row })
    })
  }
  const told = (output: StepOutput): StepOutput => {
    if (output.type !== 'logits') return output
    const largest = idsOf(output.values)
    said.rows += largest.length
    return { type: 'logits', values: new Float32Array(0), largest }
  }
  return {
    ...runner,
    async run(batch) {
      const { outputs, computeMs } = await runner.run(batch)
      return { computeMs, outputs: outputs.map((output, at) => (batch[at]!.largestOnly ? told(output) : output)) }
    },
  }
}

async function textOf(split: readonly number[], generation: Generation, said?: { rows: number }) {
  const network = createMemoryNetwork()
  world = await createRingWorld({
    ...{ config: CONFIG, weights: WEIGHTS, split, engine: createReferenceEngine },
    createWire: async (listen) => network.createMemoryWire({ listen }),
    around: (runner, index) => (said && index === split.length - 1 ? saying(runner, said) : runner),
  })
  const session = await world.open(CONFIG.contextLength)
  const turns = [
    await collect(session, PROMPT, { generation }),
    await collect(session, [7, 8, 9], { generation: { ...generation, maxTokens: 5 } }),
  ]
  await session.close()
  return turns
}

test.each([[[1, 2]], [[3]]])('%j: greedy text is the same, and every token of it was an id', async (split) => {
  const expected = await textOf(split, BARE)
  await world.close()
  const said = { rows: 0 }
  expect(await textOf(split, BARE, said)).toEqual(expected)
  expect(expected.map(({ tokens }) => tokens.length)).toEqual([20, 5])
  expect(said.rows).toBeGreaterThanOrEqual(25)
})

test.each([
  ['digests', { withDigests: true }],
  ['a temperature', { temperature: 0.8, seed: 9n }],
  ['a penalty', { repetitionPenalty: 1.2 }],
] as const)('with %s nobody asks for ids', async (_what, change) => {
  const generation = { ...BARE, ...change }
  const expected = await textOf([1, 2], generation)
  await world.close()
  const said = { rows: 0 }
  expect(await textOf([1, 2], generation, said)).toEqual(expected)
  expect(said.rows).toBe(0)
})
