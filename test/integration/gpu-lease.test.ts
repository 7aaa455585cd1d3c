/** A ring with leases whose second stage is on a GPU: its text, what is paid and what is signed are those of a ring without; also when the GPU is lost. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { BatchRunner } from '../../src/app/engine-host.ts'
import { createDeviceRunner } from '../../src/app/gpu/device-runner.ts'
import { type ExactEngine, openExactEngine } from '../../src/app/gpu/exact-engine.ts'
import { createLastingRunner } from '../../src/app/gpu/lasting-runner.ts'
import { type OpenGpu, openGpuDevice } from '../../src/app/gpu/open-device.ts'
import { createSystem } from '../../src/app/system.ts'
import type { EngineError, StepOutput } from '../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import type { LayerRange } from '../../src/ml/tensors.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { Generation } from '../../src/net/protocols/generation.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'
import { GPU_DRIVERS, noteMissingDrivers, useDrivers } from '../gpu-drivers.ts'
import { createMarket, leaseFor, type Market, minerKeys, openPaid, payerFor, TERMS } from './lease-world.ts'
import { collect, createRingWorld, GREEDY, type RingWorld } from './ring-world.ts'

const { clock } = createSystem()
const CONFIG = smallConfig({ contextLength: 128 })
const WEIGHTS = randomWeights({ config: CONFIG, format: 'q8', seed: 3 })
const PROMPT = Array.from({ length: 20 }, (_, index) => (index * 7) % CONFIG.vocabularySize)
const GENERATION = { ...GREEDY, temperature: 0.8, topK: 20, seed: 9n, maxTokens: 24 }
/** On the GPU. */
const STAGE = { firstLayer: 1, lastLayer: 2, hasEmbedding: false, hasHead: false }
const TAIL = { firstLayer: 2, lastLayer: 3, hasEmbedding: false, hasHead: true }

noteMissingDrivers()
// The other one compiles kernels for minutes where several share two cores; engine tests run on both.
const [driver] = GPU_DRIVERS.filter(({ name }) => name === 'lavapipe')

describe.skipIf(driver === undefined)('on lavapipe', () => {
  let gpu: OpenGpu
  let exact: ExactEngine
  let market: Market
  let world: RingWorld

  beforeAll(async () => {
    useDrivers(driver!)
    gpu = await openGpuDevice({ allowSoftware: true })
    exact = await openExactEngine(gpu, ['q8'])
  })
  afterAll(() => gpu.close())
  afterEach(async () => {
    await world.close()
    await market.close()
  })

  async function start(around?: (runner: BatchRunner, index: number) => BatchRunner): Promise<void> {
    const network = createMemoryNetwork()
    market = await createMarket()
    world = await createRingWorld({
      ...{ config: CONFIG, weights: WEIGHTS, split: [1, 1, 1], engine: createReferenceEngine },
      createWire: async (listen, index) =>
        network.createMemoryWire(index === undefined ? { listen } : { listen, peer: minerKeys(index).peer }),
      desk: (index) => market.desk(index),
      ...(around === undefined ? {} : { around }),
    })
  }

  /** What the client got and promised, and what each stage signed of it. */
  async function answer(generation: Generation = GENERATION) {
    const lease = leaseFor(world, { terms: { ...TERMS, receiptRows: 16n } })
    market.leases.set(lease.id, { ok: true, lease })
    const payer = await payerFor(market, lease)
    const session = await openPaid(world, market, { lease, capacity: CONFIG.contextLength, payer })
    const found = await collect(session, PROMPT, { generation })
    await session.close()
    while (world.miners.some(({ server }) => server.sessionCount > 0)) await new Promise((done) => setImmediate(done))
    const digests = market.lots.map(async (folder) => {
      const journal = await folder.open(lease.id)
      const receipts = await journal.receipts()
      await journal.close()
      return receipts.map(({ outDigest }) => outDigest)
    })
    const newest = await market.store.newest(lease.id)
    return { found, paid: newest?.counters, signed: await Promise.all(digests) }
  }

  async function onDevice(range: LayerRange = STAGE): Promise<BatchRunner> {
    const stage = await exact.engine.createStage({
      ...{ config: CONFIG, range, weights: WEIGHTS, cacheBytesMax: 1 << 24 },
    })
    const device = { name: gpu.info.name, arithmetic: exact.arithmetic }
    return createDeviceRunner({ engine: exact.engine.name, device, stage }, { clock })
  }

  test('a lease is served with the same tokens and digests as without a GPU', async () => {
    await start()
    const expected = await answer()
    await world.close()
    await market.close()
    const device = await onDevice()
    await start((runner, index) => (index === 1 ? device : runner))
    expect(await answer()).toEqual(expected)
    expect(expected).toMatchObject({ found: { tokens: { length: 24 } }, paid: { promptRows: 20n, decodeRows: 23n } })
    expect(expected.signed.map(({ length }) => length > 0)).toEqual([true, true, true])
  })

  test('a greedy answer is chosen on the device: all that comes back is ids, and what is signed is the same', async () => {
    const greedy: Generation = { ...GREEDY, maxTokens: 24, withDigests: false }
    await start()
    const expected = await answer(greedy)
    await world.close()
    await market.close()
    const device = await onDevice(TAIL)
    const came: StepOutput[] = []
    const watched: BatchRunner = {
      ...device,
      async run(batch) {
        const done = await device.run(batch)
        came.push(...done.outputs)
        return done
      },
    }
    await start((runner, index) => (index === 2 ? watched : runner))
    expect(await answer(greedy)).toEqual(expected)
    expect(expected).toMatchObject({ found: { tokens: { length: 24 }, digests: Array(24).fill(undefined) } })
    expect(came.every((output) => output.type === 'logits' && output.values.length === 0)).toBe(true)
    const ids = came.flatMap((output) => (output.type === 'logits' ? [...(output.largest ?? [])] : []))
    expect(ids.length).toBeGreaterThanOrEqual(24)
  })

  test('a lease goes on with the same when the GPU is lost in the middle', async () => {
    await start()
    const expected = await answer()
    await world.close()
    await market.close()
    const device = await onDevice()
    const told: EngineError[] = []
    let runs = 0
    await start((runner, index) => {
      if (index !== 1) return runner
      const dying: BatchRunner = {
        ...device,
        run: (batch) => {
          if (++runs === 9) gpu.device.destroy()
          return device.run(batch)
        },
      }
      return createLastingRunner(dying, { openSpare: async () => runner, onLost: (why) => told.push(why) })
    })
    expect(await answer()).toEqual(expected)
    expect(told).toMatchObject([{ code: 'ENGINE_UNAVAILABLE' }])
  })
})
