/**
 * A process with one stage: the product's engine in its thread, its stage server, its wire. Asked by messages (ring/messages.ts).
 * @module
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createEngineHost, type EngineHost } from '../../src/app/engine-host.ts'
import { openModelStore, type StoredModel } from '../../src/app/model-store.ts'
import { draftModelOf } from '../../src/app/posts/drafter.ts'
import { createEngineTurns, type EngineSeat } from '../../src/app/posts/engine-turns.ts'
import type { PostWish } from '../../src/app/posts/post.ts'
import { createStageServer } from '../../src/app/ring/stage-server.ts'
import { createSystem } from '../../src/app/system.ts'
import { createWorkerRunner } from '../../src/app/worker-runner.ts'
import { PREFIX_LIMITS } from '../../src/base/prefix-limits.ts'
import { answerParent } from '../lab/child.ts'
import type { Serving, StageOrder, StageUsage } from './messages.ts'
import { type RunningProfile, startProfile } from './profile.ts'
import { openWire } from './wire.ts'

const CACHE_BYTES_MAX = 2 ** 30
const NS_PER_MS = 1e6
/** A timer of this interval is watched. */
const LOOP_MS = 1

const system = createSystem({ level: 'error' })
const loop = monitorEventLoopDelay({ resolution: LOOP_MS })
let cpu = process.cpuUsage()

let profiling: RunningProfile | undefined

answerParent<StageOrder>(async (order) => {
  switch (order.type) {
    case 'serve':
      return serve(order)
    case 'usage':
      return usage()
    case 'profile':
      if (!order.isOn) return (await profiling?.stop()) ?? []
      profiling = await startProfile()
      return []
  }
})

type ServeOrder = Extract<StageOrder, { type: 'serve' }>

async function serve(order: ServeOrder): Promise<Serving> {
  const { transport, address, draftModel: draftName } = order
  const turns = createEngineTurns(system)
  const part = { firstSegment: order.firstSegment, lastSegment: order.lastSegment }
  const store = openModelStore({ home: order.home })
  const model = store.find(order.model)
  const host = await hostOf(order, { model, ...part }, turns.join())
  const small = draftName === undefined ? undefined : wholeOf(store.find(draftName))
  const draftModel = small && draftModelOf({ ...small, host: await hostOf(order, small, turns.join()) })
  const wire = await openWire(transport, address, system)
  const { config, segments } = model.manifest
  const served = { model: model.hash, config, segments, ...part, host, draftModel }
  const ports = { wire, ...system }
  await createStageServer([served], ports, { prefixes: order.remembers ? PREFIX_LIMITS : undefined })
  loop.enable()
  return { peer: wire.peer, listener: wire.addresses()[0]! }
}

function wholeOf(model: StoredModel): PostWish {
  return { model, firstSegment: 0, lastSegment: model.manifest.segments.length }
}

async function hostOf({ home, engine, threads }: ServeOrder, wish: PostWish, seat: EngineSeat): Promise<EngineHost> {
  const runner = await createWorkerRunner({ home, ...wish, engine, threads, cacheBytesMax: CACHE_BYTES_MAX })
  return createEngineHost(runner, system, seat)
}

async function usage(): Promise<StageUsage> {
  const spent = process.cpuUsage(cpu)
  const late = (value: number): number => Math.max(0, value / NS_PER_MS - LOOP_MS)
  const told: StageUsage = {
    cpuMs: (spent.user + spent.system) / 1_000,
    rssBytes: process.memoryUsage.rss(),
    loopMaxMs: late(loop.max),
    loopP99Ms: late(loop.percentile(99)),
  }
  cpu = process.cpuUsage()
  loop.reset()
  return told
}
