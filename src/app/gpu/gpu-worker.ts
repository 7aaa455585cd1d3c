/**
 * Entry of a worker whose engine is on a GPU: opens it, tests its numbers, loads one run of segments and answers requests by message, one after
 * the other. Unlike app/engine-worker.ts it never blocks: the device's answers come through its event loop.
 * Spec: docs/spec/gpu.md §5.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, unreachable } from '../../base/assert.ts'
import { milliseconds } from '../../base/brand.ts'
import type { DeviceEngine, DeviceStage, StepInput } from '../../ml/engine/engine.ts'
import { rangeOf } from '../../ml/manifest.ts'
import { openModelStore } from '../model-store.ts'
import { createSystem } from '../system.ts'
import {
  buffersOf,
  type GpuWorkerInit,
  type Numbered,
  toPlainError,
  toPlainOutput,
  type WorkerReply,
  type WorkerRequest,
} from '../worker-messages.ts'
import { openExactEngine } from './exact-engine.ts'
import { type OpenGpu, openGpuDevice } from './open-device.ts'

assert(parentPort, 'this file runs in a worker thread')
const port = parentPort
const { clock } = createSystem()

function reply(id: number, body: WorkerReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage({ id, body } satisfies Numbered<WorkerReply>, transfer)
}

/** An expected failure becomes a reply, a bug ends the worker. */
function tell(id: number, error: unknown): void {
  const plain = toPlainError(error)
  if (plain === undefined) throw error
  reply(id, { type: 'error', error: plain })
}

interface Work {
  readonly gpu: OpenGpu
  readonly stage: DeviceStage
}

async function start(init: GpuWorkerInit): Promise<Work> {
  const gpu = await openGpuDevice(init.gpu)
  try {
    const { engine, arithmetic } = await openExactEngine(gpu, [init.model.manifest.format])
    const stage = await load(init, engine)
    const device = { name: gpu.info.name, arithmetic }
    reply(0, { type: 'started', weightBytes: stage.weightBytes, engine: engine.name, device })
    return { gpu, stage }
  } catch (error) {
    await gpu.close()
    throw error
  }
}

async function load(
  { model, firstSegment, lastSegment, home, cacheBytesMax }: GpuWorkerInit,
  engine: DeviceEngine,
): Promise<DeviceStage> {
  const weights = openModelStore({ home }).openWeights(model, firstSegment, lastSegment)
  try {
    const range = rangeOf(model.manifest, firstSegment, lastSegment)
    return await engine.createStage({ config: model.manifest.config, range, weights, cacheBytesMax })
  } finally {
    weights.close()
  }
}

async function run(id: number, batch: readonly StepInput[], stage: DeviceStage): Promise<void> {
  const startedMs = clock.now()
  const outputs = await stage.run(batch)
  const computeMs = milliseconds(clock.now() - startedMs)
  const whole = outputs.filter((output) => output.type !== 'failed')
  reply(id, { type: 'outputs', outputs: outputs.map(toPlainOutput), computeMs }, buffersOf(whole))
}

async function answer({ id, body }: Numbered<WorkerRequest>, { gpu, stage }: Work): Promise<void> {
  switch (body.type) {
    case 'open-cache':
      reply(id, { type: 'cache', cache: stage.openCache(body.capacity, body.part) })
      return
    case 'close-cache':
      stage.closeCache(body.cache)
      reply(id, { type: 'done' })
      return
    case 'run':
      return run(id, body.batch, stage)
    case 'close':
      await stage.close()
      await gpu.close()
      reply(id, { type: 'done' })
      port.close()
      return
    default:
      unreachable(body)
  }
}

function serve(work: Work): void {
  let latest: Promise<unknown> = Promise.resolve()
  port.on('message', (request: Numbered<WorkerRequest>) => {
    latest = latest.then(() => answer(request, work)).catch((error: unknown) => tell(request.id, error))
  })
  void work.stage.lost.then(({ message }) => reply(0, { type: 'lost', why: message }))
}

const work = await start(workerData as GpuWorkerInit).catch((error: unknown) => tell(0, error))
if (work) serve(work)
