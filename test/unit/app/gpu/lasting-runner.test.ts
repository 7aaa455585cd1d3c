import { describe, expect, test } from 'vitest'
import type { BatchRunner } from '../../../../src/app/engine-host.ts'
import { createLastingRunner } from '../../../../src/app/gpu/lasting-runner.ts'
import { createInlineRunner } from '../../../../src/app/inline-runner.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { createNodeWasmEngine } from '../../../../src/app/wasm-engine.ts'
import { type Engine, EngineError, type StepInput } from '../../../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../../../src/ml/engine/reference.ts'
import type { LayerRange } from '../../../../src/ml/tensors.ts'
import { bits } from '../../../contract/engine-case.ts'
import { randomWeights, smallConfig, wholeRange } from '../../../contract/random-model.ts'

const { clock } = createSystem()
const config = smallConfig()
const whole = wholeRange(config)
const middle: LayerRange = { ...whole, hasEmbedding: false, hasHead: false }
const gone = new EngineError('ENGINE_UNAVAILABLE', 'The device is gone.')
const noMemory = new EngineError('ENGINE_OUT_OF_MEMORY', 'No memory.')

function inline(engine: Engine, range: LayerRange): BatchRunner {
  const weights = randomWeights({ config, format: 'q8', seed: 1 })
  return createInlineRunner(engine.name, engine.createStage({ config, range, weights, cacheBytesMax: 1 << 24 }), {
    clock,
  })
}

interface Device extends BatchRunner {
  /** What its next runs do instead of computing; then it computes again. */
  readonly fails: (EngineError | 'first step')[]
  lose(): void
  /** What its next run waits for when it has computed. */
  meanwhile?: () => Promise<unknown>
}

/** A device that goes when it is told to. */
function deviceOf(range: LayerRange): Device {
  const runner = inline(createReferenceEngine(), range)
  const lost = Promise.withResolvers<EngineError>()
  const fails: Device['fails'] = []
  const device: Device = {
    ...runner,
    fails,
    lost: lost.promise,
    lose: () => lost.resolve(gone),
    async run(batch) {
      const fail = fails.shift()
      if (fail instanceof EngineError) throw fail
      const run = await runner.run(batch)
      const { meanwhile } = device
      delete device.meanwhile
      await meanwhile?.()
      if (fail === undefined) return run
      return { ...run, outputs: [{ type: 'failed', error: noMemory }, ...run.outputs.slice(1)] }
    },
  }
  return device
}

const CAPACITY = 40
/** Sessions of two lengths; the second goes back. */
const STEPS: readonly (readonly (readonly [position: number, rows: number])[])[] = [
  [
    [0, 5],
    [5, 1],
    [6, 1],
    [7, 20],
    [27, 1],
    [28, 1],
  ],
  [
    [0, 9],
    [9, 1],
    [4, 3],
    [7, 1],
    [2, 1],
    [3, 6],
  ],
]

function inputOf(range: LayerRange, seed: number, rows: number): StepInput['input'] {
  const value = (index: number): number => (index * 7 + seed * 13) % config.vocabularySize
  if (range.hasEmbedding)
    return { type: 'tokens', tokens: Int32Array.from({ length: rows }, (_, index) => value(index)) }
  return {
    type: 'hidden',
    values: Float32Array.from({ length: rows * config.hiddenSize }, (_, index) => value(index) / 9 - 2),
  }
}

/** `before`: called before each round. */
async function conversation(
  runner: BatchRunner,
  range: LayerRange,
  before: (round: number) => void = () => undefined,
): Promise<Uint32Array[]> {
  const caches = await Promise.all(STEPS.map(() => runner.openCache(CAPACITY)))
  const found: Uint32Array[] = []
  for (let round = 0; round < STEPS[0]!.length; round++) {
    before(round)
    const batch = STEPS.map((steps, session): StepInput => {
      const [position, rows] = steps[round]!
      const input = inputOf(range, session * 100 + round, rows)
      return { cache: caches[session]!, position, input, logits: 'last' }
    })
    for (const output of (await runner.run(batch)).outputs) {
      if (output.type === 'failed') throw output.error
      found.push(Uint32Array.from(bits(output.values)))
    }
  }
  for (const cache of caches) await runner.closeCache(cache)
  return found
}

async function expectedOf(range: LayerRange): Promise<Uint32Array[]> {
  return conversation(inline(createReferenceEngine(), range), range)
}

describe.each([
  ['tokens', whole],
  ['activations', middle],
])('sessions of %s', (_what, range) => {
  test.each([0, 1, 2, 3, 4, 5])('go on with the same bits when the device is lost in step %d', async (loss) => {
    const device = deviceOf(range)
    const told: EngineError[] = []
    const runner = createLastingRunner(device, {
      openSpare: async () => inline(createNodeWasmEngine({ threads: 1 }), range),
      onLost: (why) => told.push(why),
    })
    const found = await conversation(runner, range, (round) => {
      if (round === loss) device.fails.push(gone)
    })
    expect(found).toEqual(await expectedOf(range))
    expect(told).toEqual([gone])
    expect(await runner.moved).toBe('wasm')
    await runner.close()
  })
})

test('a device that goes while nobody computes is left at once', async () => {
  const device = deviceOf(whole)
  const spare = Promise.withResolvers<void>()
  const runner = createLastingRunner(device, {
    openSpare: async () => {
      spare.resolve()
      return inline(createReferenceEngine(), whole)
    },
    onLost: () => undefined,
  })
  const cache = await runner.openCache(CAPACITY)
  device.lose()
  await spare.promise
  device.fails.push(gone, gone, gone)
  const input = inputOf(whole, 0, 3)
  expect((await runner.run([{ cache, position: 0, input, logits: 'last' }])).outputs).toMatchObject([
    { type: 'logits' },
  ])
  await runner.closeCache(await runner.openCache(CAPACITY))
  await runner.close()
})

test('what a device computed while its sessions moved away is computed again', async () => {
  const device = deviceOf(middle)
  const runner = createLastingRunner(device, {
    openSpare: async () => inline(createNodeWasmEngine({ threads: 1 }), middle),
    onLost: () => undefined,
  })
  const found = await conversation(runner, middle, (round) => {
    if (round !== 2) return
    device.meanwhile = () => {
      device.lose()
      return runner.moved!
    }
  })
  expect(found).toEqual(await expectedOf(middle))
  await runner.close()
})

test('a session for which the device has no memory goes on elsewhere, and the others stay', async () => {
  const device = deviceOf(middle)
  const told: EngineError[] = []
  const runner = createLastingRunner(device, {
    openSpare: async () => inline(createNodeWasmEngine({ threads: 1 }), middle),
    onLost: (why) => told.push(why),
  })
  const found = await conversation(runner, middle, (round) => {
    if (round === 3) device.fails.push('first step')
  })
  expect(found).toEqual(await expectedOf(middle))
  expect(told).toEqual([])
  await runner.close()
})

test('when the spare does not start either, everybody is told', async () => {
  const device = deviceOf(whole)
  const runner = createLastingRunner(device, {
    openSpare: async () => Promise.reject(new EngineError('ENGINE_OUT_OF_MEMORY', 'Too large.')),
    onLost: () => undefined,
  })
  const cache = await runner.openCache(CAPACITY)
  device.fails.push(gone)
  const run = runner.run([{ cache, position: 0, input: inputOf(whole, 0, 3), logits: 'last' }])
  await expect(run).rejects.toMatchObject({
    code: 'ENGINE_UNAVAILABLE',
    message: expect.stringContaining('Too large.'),
  })
  expect(await runner.lost).toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
  await expect(runner.openCache(CAPACITY)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
  await runner.close()
})

test('a failure of one step is that of its session alone', async () => {
  const runner = createLastingRunner(deviceOf(middle), {
    openSpare: () => Promise.reject(new Error('not needed')),
    onLost: () => undefined,
  })
  const caches = [await runner.openCache(CAPACITY), await runner.openCache(CAPACITY)]
  const input = inputOf(middle, 0, 2)
  const batch = caches.map((cache, index): StepInput => ({ cache, position: index * 3, input, logits: 'none' }))
  expect((await runner.run(batch)).outputs).toMatchObject([
    { type: 'hidden' },
    { type: 'failed', error: { code: 'ENGINE_BAD_POSITION' } },
  ])
  await expect(runner.openCache(1 << 26)).rejects.toMatchObject({ code: 'ENGINE_OUT_OF_MEMORY' })
  await runner.close()
})

describe('a cache that has taken positions over', () => {
  const step = (cache: number, position: number, rows: number): StepInput => {
    return { cache, position, input: inputOf(middle, position, rows), logits: 'none' }
  }
  const valuesOf = async (runner: BatchRunner, asked: StepInput): Promise<Uint32Array> => {
    const [output] = (await runner.run([asked])).outputs
    if (output?.type !== 'hidden') throw new Error('a step failed')
    return Uint32Array.from(bits(output.values))
  }
  /** What the engine that took over has run. */
  const spareSteps: StepInput[] = []
  const lasting = (device: Device): BatchRunner => {
    const openSpare = async (): Promise<BatchRunner> => {
      const spare = inline(createReferenceEngine(), middle)
      const run: BatchRunner['run'] = (batch) => {
        spareSteps.push(...batch)
        return spare.run(batch)
      }
      return { ...spare, run }
    }
    return createLastingRunner(device, { openSpare, onLost: () => undefined })
  }

  test.each(['before', 'after', 'never'])('goes on with the same bits when the device goes %s it did', async (when) => {
    const plain = inline(createReferenceEngine(), middle)
    const device = deviceOf(middle)
    const found: Uint32Array[][] = []
    for (const runner of [plain, lasting(device)]) {
      const lose = (): void => (runner === plain ? undefined : device.lose())
      const from = await runner.openCache(CAPACITY)
      await valuesOf(runner, step(from, 0, 9))
      if (when === 'before') lose()
      const to = await runner.openCache(20)
      await runner.shareCache(from, to, 7)
      if (when === 'after') lose()
      await new Promise((resolve) => setImmediate(resolve))
      found.push([await valuesOf(runner, step(to, 7, 3)), await valuesOf(runner, step(from, 9, 2))])
      await runner.closeCache(from)
      await runner.closeCache(to)
      await runner.close()
    }
    expect(found[1]).toEqual(found[0])
  })

  test('is not computed again by the engine that takes over when nobody needs it any more', async () => {
    spareSteps.length = 0
    const device = deviceOf(middle)
    const runner = lasting(device)
    const [parked, used] = [await runner.openCache(CAPACITY), await runner.openCache(CAPACITY)]
    await valuesOf(runner, step(parked, 0, 9))
    await valuesOf(runner, step(used, 0, 5))
    const closing = runner.leaving?.then(() => runner.closeCache(parked))
    device.lose()
    await closing
    await valuesOf(runner, step(used, 5, 1))
    expect(spareSteps.map(({ position }) => position)).toEqual([0, 5])
    await runner.close()
  })
})
