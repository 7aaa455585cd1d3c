/**
 * What a step of a stage takes while its miner uploads shards at the default cap ÷ while it does not. The downloader is a process of its own on the same
 * machine, and so takes some of it too.
 * @module
 */

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism, freemem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { Route } from '../../src/app/ring/route.ts'
import { milliseconds } from '../../src/base/brand.ts'
import { CHUNK_BYTES } from '../../src/ml/chunk-tree.ts'
import { createLibp2pWire } from '../../src/net/libp2p-wire.ts'
import type { Bench, BenchModel } from '../bench.ts'
import { GREEDY } from '../greedy.ts'
import { median, type Row, rowOf } from '../report.ts'
import { type DownloaderOrder, type DownloaderTold, NETWORK_ID, type StageOrder, type StageTold } from './messages.ts'

const STAGE = fileURLToPath(import.meta.resolve('./stage.ts'))
const DOWNLOADER = fileURLToPath(import.meta.resolve('./downloader.ts'))
const WARM_UPS = 2
const CAPACITY = 512
const PROMPT_TOKENS = 16
const TOKENS = 48
/** In a sample; of small models more, so that it takes a while. */
const ANSWERS = 1
const ANSWERS_SMALL = 60
const SMALL_BYTES = 50e6
const PROCESS_BYTES = 300e6
const TARGET = { atMost: 1.2 }

interface Sample {
  readonly stepMs: number
  /** Of chunks, while the steps were made. */
  readonly mibPerSecond: number
}

interface Scene {
  readonly model: BenchModel
  readonly route: Route
  readonly wire: Awaited<ReturnType<typeof createLibp2pWire>>
  readonly downloader: ChildProcess
  readonly begin: Extract<DownloaderOrder, { type: 'begin' }>
}

/** One row for uploads over bulk links, one for uploads over channels. */
export async function measureStepLatency(bench: Bench, model: BenchModel): Promise<Row[]> {
  const { manifest, hash } = model.stored
  const weightBytes = manifest.segments.reduce((sum, { shard }) => sum + shard.bytes, 0)
  if (weightBytes + 2 * PROCESS_BYTES > freemem()) {
    bench.progress(`shards, ${model.label}: left out, needs more free memory`)
    return []
  }
  const home = await bench.newHome({ sharesModels: true })
  const stage = fork(STAGE)
  const wire = await createLibp2pWire({ networkId: NETWORK_ID, listen: [], mdns: false, dht: false }, bench.system)
  try {
    stage.send({ home: home.path, model: manifest.name, threads: availableParallelism() } satisfies StageOrder)
    const [from] = (await once(stage, 'message')) as [StageTold]
    const whole = { firstSegment: 0, lastSegment: manifest.segments.length }
    const route: Route = { model: hash, stages: [{ ...from, ...whole }], expectedStepMs: milliseconds(1) }
    const files = manifest.segments.map(({ shard }) => ({ root: shard.root, bytes: shard.bytes }))
    const answers = weightBytes < SMALL_BYTES ? ANSWERS_SMALL : ANSWERS
    const rows: Row[] = []
    for (const hasLinks of [true, false]) {
      const begin: Scene['begin'] = { type: 'begin', from, files, folder: home.path, hasLinks }
      rows.push(await measureUploads(bench, { model, route, wire, begin }, answers))
    }
    return rows
  } finally {
    await wire.stop()
    stage.disconnect()
  }
}

async function measureUploads(bench: Bench, scene: Omit<Scene, 'downloader'>, answers: number): Promise<Row> {
  const downloader = fork(DOWNLOADER)
  try {
    return rowFor(scene, await samplesOf(bench, { ...scene, downloader }, answers))
  } finally {
    downloader.disconnect()
  }
}

interface Pair {
  readonly loaded: Sample
  readonly idle: Sample
}

async function samplesOf(bench: Bench, scene: Scene, answers: number): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let run = -WARM_UPS; run < bench.runs; run++) {
    bench.progress(`shards, ${scene.model.label}, ${run < 0 ? 'warming up' : `run ${run + 1} of ${bench.runs}`}`)
    // Taking turns at going first, so that neither always follows a pause.
    const isFirst = run % 2 === 0
    const first = await sample(bench, scene, { answers, isLoaded: isFirst })
    const second = await sample(bench, scene, { answers, isLoaded: !isFirst })
    if (run >= 0) pairs.push(isFirst ? { loaded: first, idle: second } : { loaded: second, idle: first })
  }
  return pairs
}

async function sample(
  bench: Bench,
  scene: Scene,
  { answers, isLoaded }: { readonly answers: number; readonly isLoaded: boolean },
): Promise<Sample> {
  if (isLoaded) await order(scene.downloader, scene.begin)
  const startedMs = performance.now()
  const steps: number[] = []
  for (let count = 0; count < answers; count++) {
    bench.signal.throwIfAborted()
    steps.push(...(await stepsOf(bench, scene)))
  }
  const seconds = (performance.now() - startedMs) / 1_000
  const told = isLoaded ? await order(scene.downloader, { type: 'end' }) : undefined
  const bytes = told?.type === 'ended' ? told.bytes : 0
  return { stepMs: median(steps), mibPerSecond: bytes / CHUNK_BYTES / seconds }
}

async function order(downloader: ChildProcess, what: DownloaderOrder): Promise<DownloaderTold> {
  downloader.send(what)
  const [told] = (await once(downloader, 'message')) as [DownloaderTold]
  return told
}

/** Times between one token of an answer and the next. */
async function stepsOf({ signal, system }: Bench, { route, wire }: Scene): Promise<number[]> {
  const ring = await openRing({ route, capacity: CAPACITY }, { ...system, wire }, signal)
  try {
    const times: number[] = []
    const prompt = Array.from({ length: PROMPT_TOKENS }, (_, index) => 10 + index)
    for await (const event of ring.generate(prompt, {
      generation: { ...GREEDY, maxTokens: TOKENS },
      draftsMax: 0,
      signal,
    })) {
      if (event.type === 'token') times.push(performance.now())
    }
    return times.slice(1).map((time, index) => time - times[index]!)
  } finally {
    await ring.close()
  }
}

function rowFor({ model, begin }: Pick<Scene, 'model' | 'begin'>, pairs: readonly Pair[]): Row {
  return rowOf({
    measure: `step p50 while shards are uploaded (${begin.hasLinks ? 'bulk link' : 'channel'}) ÷ without, ${model.label}`,
    ratios: pairs.map(({ loaded, idle }) => loaded.stepMs / idle.stepMs),
    target: TARGET,
    values: {
      'with ms': pairs.map(({ loaded }) => loaded.stepMs),
      'without ms': pairs.map(({ idle }) => idle.stepMs),
      'uploaded MiB/s': pairs.map(({ loaded }) => loaded.mibPerSecond),
    },
  })
}
