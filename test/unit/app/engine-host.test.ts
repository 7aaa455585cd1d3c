import { beforeEach, describe, expect, test } from 'vitest'
import { type BatchRunner, createEngineHost, type EngineHost } from '../../../src/app/engine-host.ts'
import { milliseconds } from '../../../src/base/brand.ts'
import { SESSION_LIMITS } from '../../../src/base/limits.ts'
import type { StepInput, StepOutput } from '../../../src/ml/engine/engine.ts'
import { smallConfig } from '../../contract/random-model.ts'
import { createFakeClock, type FakeClock } from '../../fake-clock.ts'

const MAX = SESSION_LIMITS.batchRowsMax

/** A runner that does nothing until a test lets its batch go, and writes down what it was given. */
interface HeldRunner extends BatchRunner {
  readonly batches: StepInput[][]
  finish(): void
  fail(error: Error): void
}

function createHeldRunner(): HeldRunner {
  const batches: StepInput[][] = []
  let held: PromiseWithResolvers<void> | undefined
  const release = (act: (gate: PromiseWithResolvers<void>) => void) => {
    const gate = held!
    held = undefined
    act(gate)
  }
  return {
    engine: 'reference',
    weightBytes: 0,
    config: smallConfig(),
    batches,
    openCache: async () => 1,
    closeCache: async () => undefined,
    run: async (batch) => {
      expect(held, 'one batch at a time').toBeUndefined()
      batches.push([...batch])
      held = Promise.withResolvers()
      await held.promise
      const outputs = batch.map((step): StepOutput => ({ type: 'hidden', values: Float32Array.of(step.position) }))
      return { outputs, computeMs: milliseconds(3) }
    },
    lost: new Promise(() => undefined),
    close: async () => undefined,
    finish: () => release((gate) => gate.resolve()),
    fail: (error) => release((gate) => gate.reject(error)),
  }
}

let clock: FakeClock
let runner: HeldRunner
let host: EngineHost

beforeEach(() => {
  clock = createFakeClock()
  runner = createHeldRunner()
  host = createEngineHost(runner, { clock })
})

const step = (cache: number, position = 0, rows = 1): StepInput => {
  return { cache, position, input: { type: 'tokens', tokens: new Int32Array(rows) }, logits: 'none' }
}
const turn = () => new Promise((resolve) => setImmediate(resolve))
const caches = () => runner.batches.map((batch) => batch.map(({ cache, position }) => `${cache}@${position}`))

test('what arrives in one turn of the loop is one batch, in order', async () => {
  const runs = [host.run(step(1)), host.run(step(2)), host.run(step(3))]
  await turn()
  expect(caches()).toEqual([['1@0', '2@0', '3@0']])
  runner.finish()
  expect((await Promise.all(runs)).map(({ output }) => output.type)).toEqual(['hidden', 'hidden', 'hidden'])
})

test('what waits while the engine works is the next batch', async () => {
  const first = host.run(step(1))
  await turn()
  const rest = [host.run(step(2)), host.run(step(3))]
  await turn()
  expect(runner.batches).toHaveLength(1)
  runner.finish()
  await first
  await turn()
  expect(caches()).toEqual([['1@0'], ['2@0', '3@0']])
  runner.finish()
  await Promise.all(rest)
})

test('steps of one session run in order, in batches of their own, even where a later one would fit', async () => {
  const runs = [
    host.run(step(1, 0, MAX)),
    host.run(step(2, 0, 2)),
    host.run(step(2, 2)),
    host.run(step(3)),
    host.run(step(2, 3)),
  ]
  for (let batch = 0; batch < 4; batch++) {
    await turn()
    runner.finish()
  }
  await Promise.all(runs)
  expect(caches()).toEqual([['1@0'], ['2@0', '3@0'], ['2@2'], ['2@3']])
})

test('a later step of a session does not pass an earlier one that had no room', async () => {
  const runs = [host.run(step(1, 0, MAX - 1)), host.run(step(2, 0, 2)), host.run(step(2, 2)), host.run(step(3))]
  for (let batch = 0; batch < 3; batch++) {
    await turn()
    runner.finish()
  }
  await Promise.all(runs)
  expect(caches()).toEqual([['1@0', '3@0'], ['2@0'], ['2@2']])
})

describe('a batch has at most so many rows', () => {
  test.each([
    ['rows that just fit', [MAX - 1, 1], 1],
    ['rows that just do not', [MAX, 1], 2],
    ['one step that is larger by itself', [MAX + 1, 1], 2],
    ['many small steps', Array(MAX + 1).fill(1), 2],
  ])('%s', async (_case, rows: number[], batches) => {
    const runs = rows.map((count, index) => host.run(step(index + 1, 0, count)))
    for (let batch = 0; batch < batches; batch++) {
      await turn()
      runner.finish()
    }
    await Promise.all(runs)
    expect(runner.batches).toHaveLength(batches)
  })

  test('rows of activations count as rows of tokens do', async () => {
    const values = new Float32Array(MAX * runner.config.hiddenSize)
    const runs = [
      host.run({ cache: 1, position: 0, input: { type: 'hidden', values }, logits: 'none' }),
      host.run(step(2)),
    ]
    await turn()
    expect(caches()).toEqual([['1@0']])
    runner.finish()
    await turn()
    runner.finish()
    await Promise.all(runs)
  })
})

test('a failure of the engine reaches the steps of its batch and no others', async () => {
  const lost = [host.run(step(1)), host.run(step(2))]
  await turn()
  const next = host.run(step(1, 1))
  runner.fail(new Error('lost'))
  expect(await Promise.allSettled(lost)).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }])
  await turn()
  runner.finish()
  expect((await next).output).toEqual({ type: 'hidden', values: Float32Array.of(1) })
})

test('a step knows how long it waited and how long its batch took', async () => {
  const first = host.run(step(1))
  await turn()
  const second = host.run(step(2))
  clock.advance(7)
  runner.finish()
  expect(await first).toMatchObject({ queueMs: 0, computeMs: 3 })
  await turn()
  runner.finish()
  expect(await second).toMatchObject({ queueMs: 7, computeMs: 3 })
})
