import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BatchRunner } from '../../../src/app/engine-host.ts'
import { createInlineRunner } from '../../../src/app/inline-runner.ts'
import { openModelStore, type StoredModel } from '../../../src/app/model-store.ts'
import { hasNativeEngine } from '../../../src/app/native-engine.ts'
import { createSystem } from '../../../src/app/system.ts'
import { createNodeWasmEngine } from '../../../src/app/wasm-engine.ts'
import { createWorkerRunner, type WorkerOptions } from '../../../src/app/worker-runner.ts'
import { ENGINE_LIMITS } from '../../../src/base/limits.ts'
import type { Engine, EngineName, StepInput } from '../../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { rangeOf } from '../../../src/ml/manifest.ts'
import type { LayerRange } from '../../../src/ml/tensors.ts'
import { until } from '../../fake-clock.ts'

const { clock } = createSystem()
/** In a worker, by message and mailbox; and the one that a worker loads for this thread. */
const ENGINES: EngineName[] = hasNativeEngine() ? ['reference', 'native'] : ['reference']
/** Threads of this process, where the system tells. */
const TASKS = '/proc/self/task'
const threads = () => readdirSync(TASKS).length
const CAPACITY = 16
const LARGE_CAPACITY = 4_096

let home: string
let model: StoredModel
let init: WorkerOptions

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'dllm-worker-'))
  model = openModelStore({ home }).find('genesis')
  const segments = { firstSegment: 1, lastSegment: 2 }
  init = { home, model, ...segments, engine: 'reference', threads: 1, cacheBytesMax: 1 << 26 }
})
afterAll(() => rm(home, { recursive: true }))

const rowsOf = (count: number, value = 0.05) => new Float32Array(count * model.manifest.config.hiddenSize).fill(value)
const hidden = (cache: number, values: Float32Array, position = 0): StepInput => {
  return { cache, position, input: { type: 'hidden', values }, logits: 'none' }
}

function inlineRunner(engine: Engine = createReferenceEngine()): BatchRunner {
  const weights = openModelStore({ home }).openWeights(model, init.firstSegment, init.lastSegment)
  const range = rangeOf(model.manifest, init.firstSegment, init.lastSegment)
  const stage = engine.createStage({
    config: model.manifest.config,
    range,
    weights,
    cacheBytesMax: 1 << 26,
  })
  weights.close()
  return createInlineRunner(engine.name, stage, { clock })
}

describe.each(ENGINES)('an engine that a worker thread has loaded: %s', (engine) => {
  let runner: BatchRunner
  beforeAll(async () => {
    runner = await createWorkerRunner({ ...init, engine })
    expect(runner.engine).toBe(engine)
  })
  afterAll(() => runner.close())

  test('computes what the same engine computes in this thread', async () => {
    const inline = inlineRunner()
    const outputs = []
    for (const each of [runner, inline]) {
      const cache = await each.openCache(CAPACITY)
      outputs.push([
        (await each.run([hidden(cache, rowsOf(3))])).outputs,
        (await each.run([hidden(cache, rowsOf(1, -0.2), 3)])).outputs,
      ])
      await each.closeCache(cache)
    }
    expect(outputs[0]).toEqual(outputs[1])
    if (engine === 'reference') expect(runner.weightBytes).toBe(inline.weightBytes)
    else expect(runner.weightBytes).toBeGreaterThan(0)
    await inline.close()
  })

  test('refuses a step with a code, and no other step of the batch', async () => {
    const caches = await Promise.all([1, 2, 3].map(() => runner.openCache(CAPACITY)))
    const steps = [
      hidden(caches[0]!, rowsOf(1, Number.NaN)),
      hidden(caches[1]!, rowsOf(1)),
      hidden(caches[2]!, rowsOf(1), 5),
    ]
    const { outputs } = await runner.run(steps)
    expect(outputs).toMatchObject([
      { type: 'failed', error: { code: 'ENGINE_NOT_FINITE', name: 'HouseError' } },
      { type: 'hidden' },
      { type: 'failed', error: { code: 'ENGINE_BAD_POSITION', details: { position: 5, length: 0 } } },
    ])
    for (const cache of caches) await runner.closeCache(cache)
  })

  test('refuses a cache over its bound with a code, and goes on', async () => {
    await expect(runner.openCache(1 << 26)).rejects.toMatchObject({ code: 'ENGINE_OUT_OF_MEMORY' })
    await runner.closeCache(await runner.openCache(CAPACITY))
  })
})

test.each(['wasm', ...ENGINES.filter((engine) => engine !== 'reference')] as const)(
  '%s computes the same for batches of every size, more than one at a time, and those too large for the mailbox',
  async (engine) => {
    const runner = await createWorkerRunner({ ...init, engine })
    const inline = inlineRunner(createNodeWasmEngine({ threads: 1 }))
    const many = Math.ceil(ENGINE_LIMITS.mailboxBytes / 4 / model.manifest.config.hiddenSize)
    expect(many).toBeLessThan(LARGE_CAPACITY)
    const outputs = []
    for (const each of [runner, inline]) {
      const caches = await Promise.all([1, 2, 3].map(() => each.openCache(LARGE_CAPACITY)))
      const batches = [
        caches.map((cache, index) => hidden(cache, rowsOf(index + 1))),
        [hidden(caches[0]!, rowsOf(many, 0.01), 1)],
        [hidden(caches[1]!, rowsOf(1, 0.3), 2)],
      ]
      const runs = await Promise.all(batches.map((batch) => each.run(batch)))
      outputs.push(runs.map((run) => run.outputs))
      for (const cache of caches) await each.closeCache(cache)
    }
    expect(outputs[0]).toEqual(outputs[1])
    await inline.close()
    await runner.close()
  },
)

test('opens caches of parts of its segments, which share a batch', async () => {
  const segments = { firstSegment: 0, lastSegment: 3 }
  const part = (first: number, last: number) => rangeOf(model.manifest, first, last)
  const runner = await createWorkerRunner({ ...init, ...segments, engine: 'wasm' })
  const weights = openModelStore({ home }).openWeights(model, 0, 3)
  const { config } = model.manifest
  const stage = createReferenceEngine().createStage({ config, range: part(0, 3), weights, cacheBytesMax: 1 << 26 })
  weights.close()
  const inline = createInlineRunner('reference', stage, { clock })
  const outputs = []
  for (const each of [runner, inline]) {
    const open = (range?: LayerRange) => each.openCache(CAPACITY, range)
    const caches = await Promise.all([part(1, 2), part(0, 2), undefined, part(2, 3)].map(open))
    const tokens = { type: 'tokens', tokens: Int32Array.of(3, 1, 4) } as const
    const batch = caches.map((cache, index): StepInput => {
      const step = hidden(cache, rowsOf(2, 0.1 * index))
      return index === 1 || index === 2 ? { ...step, input: tokens } : step
    })
    outputs.push((await each.run(batch)).outputs)
  }
  expect(outputs[0]).toEqual(outputs[1])
  expect(outputs[0]!.map(({ type }) => type)).toEqual(['hidden', 'hidden', 'hidden', 'hidden'])
  await inline.close()
  await runner.close()
})

test.each(ENGINES)(
  'a bug in the engine %s ends it with a code for everybody who waits, not this process',
  async (engine) => {
    const runner = await createWorkerRunner({ ...init, engine })
    const cache = await runner.openCache(CAPACITY)
    // A cache that nobody opened is a bug of the caller: the engine asserts.
    const results = await Promise.allSettled([
      runner.run([hidden(999, rowsOf(1))]),
      runner.openCache(CAPACITY),
      runner.run([hidden(cache, rowsOf(1))]),
    ])
    expect(results[0]).toMatchObject({ status: 'rejected', reason: { code: 'ENGINE_UNAVAILABLE' } })
    expect(await runner.lost).toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    await expect(runner.run([hidden(cache, rowsOf(1))])).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    await expect(runner.closeCache(cache)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    await runner.close()
  },
)

test('a worker that cannot load its weights says why', async () => {
  const broken = { ...init, model: { ...model, directory: join(home, 'nowhere') } }
  await expect(createWorkerRunner(broken)).rejects.toMatchObject({ code: expect.stringMatching(/^MODEL_|^SHARD_/) })
})

test.skipIf(!existsSync(TASKS)).each(['wasm', ...ENGINES] as const)(
  'closing leaves no thread behind, and may be done twice: %s',
  async (engine) => {
    const before = threads()
    const runner = await createWorkerRunner({ ...init, engine, threads: 3 })
    await runner.closeCache(await runner.openCache(CAPACITY))
    expect(threads()).toBeGreaterThan(before)
    await runner.close()
    await runner.close()
    await until(() => threads() <= before, 'the threads are gone')
  },
)
