/**
 * A miner process under load, as the local network starts it: eight chats at once with long prompts. Its memory ÷ what its weights and its sessions'
 * keys and values explain (1.3 of them, and 150 MB for the program), and the longest time for which its event loop was held up ÷ 50 ms.
 * @module
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { RingSession } from '../src/app/ring/ring-session.ts'
import { cacheBytes } from '../src/ml/engine/engine.ts'
import { rangeOf } from '../src/ml/manifest.ts'
import type { Bench, BenchModel, Measure } from './bench.ts'
import type { LoopDelay } from './chain/probe.ts'
import { type Row, rowOf } from './report.ts'
import { arrivals, type LocalRing, printLogs, startLocalRing } from './ring/local-ring.ts'

const MINERS = 3
const CHATS = 8
const PROMPT_TOKENS = 256
const TOKENS = 16
const CAPACITY = 512
const WARM_UPS = 1
/** A run of a large model takes half a minute. */
const RUNS_MAX = 3
const MEMORY_FACTOR = 1.3
const PROGRAM_BYTES = 150e6
const LOOP_MS_MAX = 50
const LOOK_MS = 5
const PROBE = fileURLToPath(import.meta.resolve('./chain/probe.ts'))

export const stageLoad: Measure = {
  name: 'stage',
  run: (bench, report) =>
    bench.forEachModel(async (model) => {
      for (const row of await measureModel(bench, model)) report(row)
    }),
}

/** Of one miner and run. */
interface Seen extends LoopDelay {
  /** Its weights, and the keys and values of all sessions. */
  readonly explainedBytes: number
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row[]> {
  bench.progress(`stage, ${model.label}: starting`)
  const { path: folder } = await bench.newHome({ sharesModels: false })
  const ring = await probed(folder, () => startLocalRing(bench, model, MINERS))
  const runs: Seen[][] = []
  const count = Math.min(bench.runs, RUNS_MAX)
  try {
    for (let run = -WARM_UPS; run < count; run++) {
      bench.progress(`stage, ${model.label}, ${run < 0 ? 'warming up' : `run ${run + 1} of ${count}`}`)
      const seen = await loadOnce(bench, { ring, model, folder })
      if (run >= 0) runs.push(seen)
    }
  } catch (error) {
    await printLogs(ring)
    throw error
  } finally {
    await ring.close()
  }
  return rowsFor(model, runs)
}

/** Processes that `start` starts have the probe in them, which writes into `folder`. */
async function probed<Value>(folder: string, start: () => Promise<Value>): Promise<Value> {
  const before = process.env['NODE_OPTIONS']
  process.env['NODE_OPTIONS'] = `${before ?? ''} --import=${PROBE}`
  process.env['DLLM_BENCH_PROBE'] = probeFile(folder, '%p')
  try {
    return await start()
  } finally {
    delete process.env['DLLM_BENCH_PROBE']
    if (before === undefined) delete process.env['NODE_OPTIONS']
    else process.env['NODE_OPTIONS'] = before
  }
}

function probeFile(folder: string, pid: number | string): string {
  return join(folder, `probe-${pid}.json`)
}

interface Scene {
  readonly ring: LocalRing
  readonly model: BenchModel
  readonly folder: string
}

/** Asks the probes before and after, the second time while the sessions are still open. */
async function loadOnce(bench: Bench, scene: Scene): Promise<Seen[]> {
  const { ring, model, folder } = scene
  const sessions: RingSession[] = []
  try {
    for (let chat = 0; chat < CHATS; chat++) sessions.push(await ring.open(CAPACITY))
    await Promise.all(ring.miners.map(({ pid }) => askProbe(folder, pid)))
    await Promise.all(
      sessions.map((session, chat) => {
        const prompt = Array.from({ length: PROMPT_TOKENS }, (_, index) => 10 + ((chat * 31 + index) % 1_000))
        return arrivals(bench, session, { prompt, maxTokens: TOKENS })
      }),
    )
    return await Promise.all(
      ring.miners.map(async ({ pid, firstSegment, lastSegment }) => {
        const { manifest } = model.stored
        const weights = manifest.segments.slice(firstSegment, lastSegment)
        const weightBytes = weights.reduce((sum, { shard }) => sum + shard.bytes, 0)
        const perChat = cacheBytes(manifest.config, rangeOf(manifest, firstSegment, lastSegment), CAPACITY)
        return { ...(await askProbe(folder, pid)), explainedBytes: weightBytes + CHATS * perChat }
      }),
    )
  } finally {
    await Promise.all(sessions.map((session) => session.close()))
  }
}

async function askProbe(folder: string, pid: number): Promise<LoopDelay> {
  const file = probeFile(folder, pid)
  rmSync(file, { force: true })
  process.kill(pid, 'SIGUSR2')
  while (!existsSync(file)) await sleep(LOOK_MS)
  return JSON.parse(readFileSync(file, 'utf8')) as LoopDelay
}

/** Of each run, the miner that is worst. */
function rowsFor({ label }: BenchModel, runs: readonly (readonly Seen[])[]): Row[] {
  const share = ({ rssBytes, explainedBytes }: Seen): number =>
    rssBytes / (MEMORY_FACTOR * explainedBytes + PROGRAM_BYTES)
  const largest = runs.map((seen) => seen.reduce((worst, each) => (share(each) > share(worst) ? each : worst)))
  const slowest = runs.map((seen) => seen.reduce((worst, each) => (each.max > worst.max ? each : worst)))
  const load = `${CHATS} chats of ${PROMPT_TOKENS} tokens`
  return [
    rowOf({
      measure: `RSS of a stage ÷ (1.3 × (weights + KV) + 150 MB), ${load}, ${label}`,
      ratios: largest.map(share),
      target: { atMost: 1 },
      values: {
        'RSS MB': largest.map(({ rssBytes }) => rssBytes / 1e6),
        'weights and KV MB': largest.map(({ explainedBytes }) => explainedBytes / 1e6),
      },
    }),
    rowOf({
      measure: `longest hold of a stage's event loop ÷ ${LOOP_MS_MAX} ms, ${load}, ${label}`,
      ratios: slowest.map(({ max }) => max / LOOP_MS_MAX),
      target: { atMost: 1 },
      values: {
        'longest ms': slowest.map(({ max }) => max),
        'p99 ms': slowest.map(({ p99 }) => p99),
        'p50 ms': slowest.map(({ p50 }) => p50),
      },
    }),
  ]
}
