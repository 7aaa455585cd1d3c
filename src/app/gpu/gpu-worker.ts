/**
 * Entry of a worker whose engine is on a GPU: opens it, tests its numbers, loads one run of segments and answers requests by message, one after
 * the other. Unlike app/engine-worker.ts it never blocks: the device's answers come through its event loop.
 * Spec: docs/spec/gpu.md §5.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, unreachable } from '../../base/assert.ts'
import type { StepInput } from '../../ml/engine/engine.ts'
import { rangeOf } from '../../ml/manifest.ts'
import type { BatchRunner, EngineDevice } from '../engine-host.ts'
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
import { createDeviceRunner } from './device-runner.ts'
import { type ExactEngine, openExactEngine } from './exact-engine.ts'
import { type OpenGpu, openGpuDevice } from './open-device.ts'

assert(parentPort, 'this file runs in a worker thread')
const port = parentPort

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
  readonly runner: BatchRunner
}

async function start(init: GpuWorkerInit): Promise<Work> {
  const gpu = await openGpuDevice(init.gpu)
  try {
    const exact = await openExactEngine(gpu, [init.model.manifest.format])
    const device = { name: gpu.info.name, arithmetic: exact.arithmetic }
    const runner = await load(init, exact, device)
    const { engine, weightBytes } = runner
    reply(0, { type: 'started', weightBytes, engine, device })
    return { gpu, runner }
  } catch (error) {
    await gpu.close()
    throw error
  }
}

async function load(init: GpuWorkerInit, { engine }: ExactEngine, device: EngineDevice): Promise<BatchRunner> {
  const { model, firstSegment, lastSegment, home, cacheBytesMax } = init
  const { config } = model.manifest
  const weights = openModelStore({ home }).openWeights(model, firstSegment, lastSegment)
  try {
    const range = rangeOf(model.manifest, firstSegment, lastSegment)
    const stage = await engine.createStage({ config, range, weights, cacheBytesMax })
    return createDeviceRunner({ engine: engine.name, device, stage }, createSystem())
  } finally {
    weights.close()
  }
}

async function run(id: number, batch: readonly StepInput[], runner: BatchRunner): Promise<void> {
  const { outputs, computeMs } = await runner.run(batch)
  const whole = outputs.filter((output) => output.type !== 'failed')
  reply(id, { type: 'outputs', outputs: outputs.map(toPlainOutput), computeMs }, buffersOf(whole))
}

async function answer({ id, body }: Numbered<WorkerRequest>, { gpu, runner }: Work): Promise<void> {
  switch (body.type) {
    case 'open-cache':
      reply(id, { type: 'cache', cache: await runner.openCache(body.capacity, body.part) })
      return
    case 'close-cache':
      await runner.closeCache(body.cache)
      reply(id, { type: 'done' })
      return
    case 'share-cache':
      await runner.shareCache(body.from, body.to, body.rows)
      reply(id, { type: 'done' })
      return
    case 'run':
      return run(id, body.batch, runner)
    case 'close':
      await runner.close()
      await gpu.close()
      reply(id, { type: 'done' })
      port.close()
      return
    default:
      unreachable(body)
  }
}

/** Whoever asks later is told by the other side. */
async function end({ gpu }: Work, why: string): Promise<void> {
  reply(0, { type: 'lost', why })
  await gpu.close()
  port.close()
}

function serve(work: Work): void {
  let latest: Promise<unknown> = Promise.resolve()
  port.on('message', (request: Numbered<WorkerRequest>) => {
    latest = latest.then(() => answer(request, work)).catch((error: unknown) => tell(request.id, error))
  })
  void work.runner.lost.then(({ message }) => end(work, message))
}

const work = await start(workerData as GpuWorkerInit).catch((error: unknown) => tell(0, error))
if (work) serve(work)
