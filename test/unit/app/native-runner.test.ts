import { expect, test } from 'vitest'
import { createNativeRunner } from '../../../src/app/native-runner.ts'
import { milliseconds } from '../../../src/base/brand.ts'
import { ENGINE_LIMITS } from '../../../src/base/limits.ts'
import type { ModelConfig } from '../../../src/ml/config.ts'
import { EngineError, type StepInput, type StepOutput } from '../../../src/ml/engine/engine.ts'
import type { NativeStage } from '../../../src/ml/engine/native-stage.ts'
import { smallConfig, wholeRange } from '../../contract/random-model.ts'
import { createFakeClock, type FakeClock } from '../../fake-clock.ts'

const { holdMs } = ENGINE_LIMITS

/** A stage whose batches take the times that are set, and which tells where each was computed. */
function stageOf(clock: FakeClock, config: ModelConfig) {
  const told: string[] = []
  const how = { ms: 1, fails: undefined as unknown, outputs: [] as StepOutput[], opened: [] as number[], pieces: 1 }
  let running = 0
  const compute = (where: string): void => {
    told.push(where)
    expect(running).toBe(0)
    if (how.fails !== undefined) throw how.fails
  }
  const stage: NativeStage = {
    ...{ config, range: wholeRange(config), weightBytes: 7 },
    openCache: () => {
      told.push('open')
      return how.opened.shift() ?? 1
    },
    shareCache: () => undefined,
    cacheLength: () => 0,
    closeCache: () => expect.fail('a cache that is closed at once holds the event loop'),
    leaveCache: () => void told.push('close cache'),
    tidy() {
      expect(running).toBe(0)
      told.push('tidy')
      how.pieces--
      return how.pieces > 0
    },
    run() {
      compute('here')
      clock.advance(how.ms)
      return how.outputs
    },
    async runLater() {
      compute('elsewhere')
      running++
      await new Promise((resolve) => setImmediate(resolve))
      running--
      return { outputs: how.outputs, computeMs: how.ms }
    },
    close: () => expect.fail('a stage that is closed at once holds the event loop'),
    closeLater: async () => void told.push('close'),
  }
  return { stage, told, how }
}

function scene(config: ModelConfig = smallConfig()) {
  const clock = createFakeClock()
  const { stage, told, how } = stageOf(clock, config)
  const runner = createNativeRunner(stage, { clock })
  const stepOf = (rows: number, change: Partial<StepInput> = {}): StepInput => {
    return { cache: 1, position: 0, input: { type: 'tokens', tokens: new Int32Array(rows) }, logits: 'none', ...change }
  }
  return { runner, told, how, run: (rows: number, change?: Partial<StepInput>) => runner.run([stepOf(rows, change)]) }
}

test('computes a batch in this thread once as many rows, or more, were short', async () => {
  const { run, told } = scene()
  for (const rows of [1, 1, 4, 2, 64, 65, 65, 64]) await run(rows)
  expect(told).toEqual(['elsewhere', 'here', 'elsewhere', 'here', 'elsewhere', 'elsewhere', 'elsewhere', 'here'])
})

test.each([
  [holdMs, 'here'],
  [holdMs + 0.1, 'elsewhere'],
])('after a batch of %d ms the next is computed %s', async (ms, where) => {
  const { run, told, how } = scene()
  how.ms = ms
  await run(1)
  await run(1)
  expect(told).toEqual(['elsewhere', where])
})

test('a batch that took long once is remembered for a few more', async () => {
  const { run, told, how } = scene()
  how.ms = 2 * holdMs
  await run(1)
  how.ms = 1
  for (let step = 0; step < 5; step++) await run(1)
  expect(told).toEqual(['elsewhere', 'elsewhere', 'elsewhere', 'elsewhere', 'elsewhere', 'here'])
})

test('steps that were refused tell nothing of those that are computed', async () => {
  const { run, told, how } = scene()
  const refused: StepOutput = { type: 'failed', error: new EngineError('ENGINE_NOT_FINITE', 'no number') }
  how.ms = 10 * holdMs
  await run(64)
  Object.assign(how, { ms: 0.1, outputs: [refused] })
  for (let step = 0; step < 20; step++) await run(64)
  await run(8)
  Object.assign(how, { ms: 2 * holdMs, outputs: [] })
  await run(8)
  expect(told).toEqual(Array(23).fill('elsewhere'))
})

test('a step that failed after a long time is a long one', async () => {
  const { run, told, how } = scene()
  await run(1)
  how.outputs = [{ type: 'failed', error: new EngineError('ENGINE_NOT_FINITE', 'no number') }]
  how.ms = 2 * holdMs
  await run(1)
  await run(1)
  expect(told).toEqual(['elsewhere', 'here', 'elsewhere'])
})

const LARGE = smallConfig({ layerCount: 8, vocabularySize: 5_000 })

test.each<[string, Partial<StepInput>, Partial<StepInput>]>([
  ['a part of fewer layers', { cache: 1 }, { cache: 2 }],
  ['no logits', { logits: 'none' }, { logits: 'all' }],
  ['the start of a context', { position: 1 }, { position: 100_000 }],
])('a batch of %s says nothing of one that computes more', async (_what, less, more) => {
  const { runner, run, told, how } = scene(LARGE)
  how.opened = [1, 2]
  const whole = wholeRange(LARGE)
  await runner.openCache(4, { ...whole, lastLayer: 1, hasHead: false })
  await runner.openCache(4)
  const isParts = less.cache !== undefined
  const cache = isParts ? {} : { cache: 2 }
  for (let step = 0; step < 2; step++) await run(8, { ...cache, ...less })
  how.ms = 2 * holdMs
  await run(8, { ...cache, ...more })
  expect(told.filter((each) => each !== 'open')).toEqual(['elsewhere', 'here', 'elsewhere'])
  // What computes more and was short says that less is.
  how.ms = 1
  for (let step = 0; step < 9; step++) await run(8, { ...cache, ...more })
  await run(4, { ...cache, ...less })
  expect(told.at(-1)).toBe('here')
})

test('between two batches in this thread events have their turn', async () => {
  const { run } = scene()
  await run(1)
  await run(1)
  let turned = false
  setImmediate(() => {
    turned = true
  })
  await run(1)
  expect(turned).toBe(true)
})

test('does one thing at a time, in order', async () => {
  const { runner, run, told } = scene()
  await Promise.all([run(1), runner.openCache(4), run(1), runner.closeCache(1), run(1), runner.close(), runner.close()])
  expect(told).toEqual(['elsewhere', 'open', 'here', 'close cache', 'here', 'close'])
  await expect(run(1)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
})

test('the memory of closed caches goes back in pieces, between which batches and events have their turn', async () => {
  const { runner, run, told, how } = scene()
  await run(1)
  how.pieces = 3
  await runner.closeCache(1)
  await run(1)
  let turns = 0
  const turn = async () => {
    turns++
    await new Promise((resolve) => setImmediate(resolve))
  }
  while (told.filter((each) => each === 'tidy').length < 3) await turn()
  expect(turns).toBeGreaterThanOrEqual(2)
  expect(told).toEqual(['elsewhere', 'close cache', 'here', 'tidy', 'tidy', 'tidy'])
  how.pieces = 1
  await Promise.all([runner.closeCache(2), runner.closeCache(3)])
  while (told.filter((each) => each === 'tidy').length < 4) await turn()
  await runner.closeCache(4)
  await runner.close()
  await turn()
  expect(told.slice(6)).toEqual(['close cache', 'close cache', 'tidy', 'close cache', 'close'])
})

test("an expected failure is its caller's alone, a bug ends the engine for everybody", async () => {
  const { runner, run, how, told } = scene()
  how.fails = new EngineError('ENGINE_OUT_OF_MEMORY', 'no room')
  await expect(run(1)).rejects.toBe(how.fails)
  how.fails = undefined
  expect(await run(1)).toEqual({ outputs: [], computeMs: milliseconds(1) })
  how.fails = new TypeError('a bug')
  const lost = { code: 'ENGINE_UNAVAILABLE', message: expect.stringContaining('a bug') }
  await expect(run(1)).rejects.toMatchObject(lost)
  await expect(runner.openCache(1)).rejects.toMatchObject(lost)
  expect(await runner.lost).toMatchObject(lost)
  await runner.close()
  expect(told.at(-1)).toBe('close')
})
