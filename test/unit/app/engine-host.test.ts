import { beforeEach, describe, expect, test } from 'vitest'
import { type BatchRunner, createEngineHost, type EngineHost } from '../../../src/app/engine-host.ts'
import { milliseconds } from '../../../src/base/brand.ts'
import { SESSION_LIMITS } from '../../../src/base/limits.ts'
import { EngineError, type StepInput, type StepOutput } from '../../../src/ml/engine/engine.ts'
import { smallConfig } from '../../contract/random-model.ts'
import { createFakeClock, type FakeClock } from '../../fake-clock.ts'

const { batchRowsMax: MAX, sharedRowsMax: SHARED, pieceRowsMin: LEAST, shortRowsMax: SHORT } = SESSION_LIMITS

/** A runner that does nothing until a test lets its batch go, and writes down what it was given. */
interface HeldRunner extends BatchRunner {
  readonly batches: StepInput[][]
  /** With this output for all steps of the batch, or with their positions. */
  finish(output?: StepOutput): void
  fail(error: Error): void
}

function createHeldRunner(): HeldRunner {
  const batches: StepInput[][] = []
  let held: PromiseWithResolvers<StepOutput | undefined> | undefined
  const release = (act: (gate: PromiseWithResolvers<StepOutput | undefined>) => void) => {
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
    shareCache: async () => undefined,
    run: async (batch) => {
      expect(held, 'one batch at a time').toBeUndefined()
      batches.push([...batch])
      held = Promise.withResolvers()
      const output = await held.promise
      const outputs = batch.map((step) => output ?? hiddenOf(step.position))
      return { outputs, computeMs: milliseconds(3) }
    },
    lost: new Promise(() => undefined),
    close: async () => undefined,
    finish: (output) => release((gate) => gate.resolve(output)),
    fail: (error) => release((gate) => gate.reject(error)),
  }
}

const hiddenOf = (position: number): StepOutput => ({ type: 'hidden', values: Float32Array.of(position) })

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

/** Lets batches go until all steps have their output. */
async function runAll(runs: readonly Promise<unknown>[]): Promise<void> {
  let isDone = false
  const all = Promise.all(runs).finally(() => {
    isDone = true
  })
  for (;;) {
    await turn()
    if (isDone) break
    runner.finish()
  }
  await all
}

test('steps of one session run in order, in batches of their own, even where a later one would fit', async () => {
  await runAll([host.run(step(2, 0, 2)), host.run(step(2, 2)), host.run(step(3)), host.run(step(2, 3))])
  expect(caches()).toEqual([['2@0', '3@0'], ['2@2'], ['2@3']])
})

test('a later step of a session does not pass an earlier one, short as it is', async () => {
  await runAll([host.run(step(1, 0, SHARED + 1)), host.run(step(1, SHARED + 1)), host.run(step(3))])
  expect(caches()).toEqual([['3@0', '1@0'], ['1@63'], ['1@65']])
})

describe('a batch has at most so many rows', () => {
  test.each([
    ['one long step, whoever it is from', [MAX], [[MAX]]],
    ['one that is longer', [MAX + 1], [[MAX], [1]]],
    ['many short ones', Array(MAX + 1).fill(1), [Array(MAX).fill(1), [1]]],
    ['short ones that just do not fit', Array(1 + MAX / SHORT).fill(SHORT), [Array(MAX / SHORT).fill(SHORT), [SHORT]]],
    ['a long one beside a short one', [SHARED, 1], [[1, SHARED - 1], [1]]],
    [
      'two long ones: the first goes on, alone when the other is done',
      [SHARED + 9, SHARED],
      [[SHARED], [9, SHARED - 9], [9]],
    ],
    [
      'a long one beside as many short ones as there is room for',
      [SHORT + 1, ...Array(MAX).fill(1)],
      [
        [...Array(MAX - LEAST).fill(1), LEAST],
        [1, ...Array(LEAST).fill(1)],
      ],
    ],
    [
      'a long one beside more short ones than a pass has rows',
      [LEAST + 1, ...Array(SHARED).fill(1)],
      [[...Array(SHARED).fill(1), LEAST], [1]],
    ],
  ])('%s', async (_case, rows: number[], batches) => {
    await runAll(rows.map((count, index) => host.run(step(index + 1, 0, count))))
    expect(
      runner.batches.map((batch) => batch.map(({ input }) => (input.type === 'tokens' ? input.tokens.length : 0))),
    ).toEqual(batches)
  })

  test('rows of activations count as rows of tokens do', async () => {
    const { hiddenSize } = runner.config
    const values = Float32Array.from({ length: (SHARED + 1) * hiddenSize }, (_unused, index) => index)
    await runAll([
      host.run({ cache: 1, position: 4, input: { type: 'hidden', values }, logits: 'none' }),
      host.run(step(2)),
    ])
    expect(caches()).toEqual([['2@0', '1@4'], [`1@${SHARED + 3}`]])
    const [first, second] = runner.batches.flat().filter(({ cache }) => cache === 1)
    expect([first?.input, second?.input]).toEqual([
      { type: 'hidden', values: values.slice(0, (SHARED - 1) * hiddenSize) },
      { type: 'hidden', values: values.slice((SHARED - 1) * hiddenSize) },
    ])
  })
})

describe('a step in pieces', () => {
  const long = (logits: StepInput['logits']): StepInput => ({ ...step(1, 3, 2 * SHARED), logits })

  test('is one step for who asked: all values, all time in the engine, the time until it began', async () => {
    const decode = host.run(step(2))
    await turn()
    const whole = host.run(long('none'))
    clock.advance(5)
    await runAll([decode, whole])
    expect(caches()).toEqual([['2@0'], ['1@3'], [`1@${3 + SHARED}`]])
    // What the runner answers: the position of the piece.
    expect(await whole).toEqual({
      output: { type: 'hidden', values: Float32Array.of(3, 3 + SHARED) },
      computeMs: 6,
      queueMs: 5,
    })
  })

  test('lets a session that decodes come along with every piece', async () => {
    const decode = async () => {
      for (let position = 0; position < 3; position++) await host.run(step(2, position))
    }
    const decoding = decode()
    await turn()
    await runAll([decoding, host.run(step(1, 0, 3 * SHARED))])
    expect(caches().filter((batch) => batch.includes('2@1') || batch.includes('2@2'))).toHaveLength(2)
    expect(
      runner.batches.every(
        (batch) =>
          batch.reduce((sum, { input }) => sum + (input.type === 'tokens' ? input.tokens.length : 0), 0) <= SHARED,
      ),
    ).toBe(true)
  })

  test('asks for the logits of its last row with its last piece, and for all with each', async () => {
    for (const logits of ['last', 'all'] as const) {
      const others = host.run(step(2))
      await turn()
      await runAll([others, host.run({ ...long(logits), largestOnly: true })])
    }
    const asked = runner.batches.flat().filter(({ cache }) => cache === 1)
    expect(asked.map(({ logits }) => logits)).toEqual(['none', 'last', 'all', 'all'])
    // Ids of one piece and logits of another could not be joined.
    expect(asked.map(({ largestOnly }) => largestOnly)).toEqual([true, true, false, false])
  })

  test('that fails ends there', async () => {
    const others = host.run(step(2))
    await turn()
    const failing = host.run(long('none'))
    runner.finish()
    await others
    await turn()
    runner.finish({ type: 'failed', error: new EngineError('ENGINE_NOT_FINITE', 'a norm') })
    expect((await failing).output).toMatchObject({ type: 'failed' })
    await runAll([host.run(step(1))])
    expect(caches()).toEqual([['2@0'], ['1@3'], ['1@0']])
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
