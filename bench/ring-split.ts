/**
 * What splitting costs when nothing is gained by it: tokens per second of three miner processes on this machine ÷ those
 * of one process that holds the whole model. Both are the product's own processes, reached by the product's own client
 * over libp2p and TCP on loopback; every process may use all threads. The two take turns.
 * @module
 */

import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism, freemem } from 'node:os'
import { type Client, createClient } from '../src/app/client.ts'
import { ensureGroup, stopAll } from '../src/app/devnet/devnet.ts'
import type { Home } from '../src/app/home.ts'
import { LOCAL_NETWORK } from '../src/app/networks.ts'
import { openRing } from '../src/app/ring/ring-client.ts'
import type { RingSession } from '../src/app/ring/ring-session.ts'
import type { Bench, BenchModel, Measure } from './bench.ts'
import { GREEDY } from './greedy.ts'
import { type Row, rowOf } from './report.ts'

const MINERS = 3
/** Answers before the counting ones: a miner lives for days, its compiled code is warm. */
const WARM_UPS = 4
const PROMPT_TOKENS = 16
const TARGET = { atLeast: 0.9 }
const CAPACITY = 512
/** Small models make more tokens, so that a sample takes a while. */
const TOKENS = 64
const TOKENS_SMALL = 200
const SMALL_BYTES = 50e6
/** Memory of a process beside its weights. */
const PROCESS_BYTES = 200e6

export const ringSplit: Measure = {
  name: 'split',
  run: (bench, report) =>
    bench.forEachModel(async (model) => {
      const row = await measureModel(bench, model)
      if (row !== undefined) report(row)
    }),
}

interface Ring {
  readonly home: Home
  readonly client: Client
}

/** One answer of one ring. */
interface Sample {
  readonly tokensPerSecond: number
  readonly tokenMs: number
  /** Time in the engines of all stages, per step. */
  readonly engineMs: number
  readonly firstTokenMs: number
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row | undefined> {
  const weightBytes = model.stored.manifest.segments.reduce((sum, { shard }) => sum + shard.bytes, 0)
  const needed = 2 * weightBytes + (MINERS + 1) * PROCESS_BYTES
  if (needed > freemem()) {
    bench.progress(`split, ${model.label}: left out, needs ${Math.ceil(needed / 1e9)} GB of free memory`)
    return undefined
  }
  const tokens = weightBytes < SMALL_BYTES ? TOKENS_SMALL : TOKENS
  const rings: Ring[] = []
  try {
    for (const miners of [MINERS, 1]) {
      bench.progress(`split, ${model.label}: starting ${miners} of ${miners === 1 ? 'one' : 'three'}`)
      rings.push(await startRing(bench, model, miners))
    }
    const [three, one] = rings as [Ring, Ring]
    const samples: { three: Sample; one: Sample }[] = []
    for (let run = -WARM_UPS; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`split, ${model.label}, ${run < 0 ? 'warming up' : `run ${run + 1} of ${bench.runs}`}`)
      // Taking turns at going first, so that neither always follows a pause.
      const order = run % 2 === 0 ? [three, one] : [one, three]
      const first = await answer(bench, { model, ring: order[0]!, tokens })
      const second = await answer(bench, { model, ring: order[1]!, tokens })
      const sample = order[0] === three ? { three: first, one: second } : { three: second, one: first }
      if (run >= 0) samples.push(sample)
    }
    return rowFor(model, samples)
  } catch (error) {
    for (const ring of rings) await printLogs(ring.home)
    throw error
  } finally {
    for (const ring of rings) {
      await ring.client.close()
      await stopAll(ring.home, bench.system)
    }
  }
}

function rowFor(model: BenchModel, samples: readonly { three: Sample; one: Sample }[]): Row {
  const outside = ({ tokenMs, engineMs }: Sample): number => tokenMs - engineMs
  return rowOf({
    measure: `three processes ÷ one process, ${model.label}`,
    ratios: samples.map(({ three, one }) => three.tokensPerSecond / one.tokensPerSecond),
    target: TARGET,
    values: {
      'three tokens/s': samples.map(({ three }) => three.tokensPerSecond),
      'one tokens/s': samples.map(({ one }) => one.tokensPerSecond),
      'three engine ms': samples.map(({ three }) => three.engineMs),
      'one engine ms': samples.map(({ one }) => one.engineMs),
      'three outside engines ms': samples.map(({ three }) => outside(three)),
      'one outside engines ms': samples.map(({ one }) => outside(one)),
      'three first token ms': samples.map(({ three }) => three.firstTokenMs),
      'one first token ms': samples.map(({ one }) => one.firstTokenMs),
    },
  })
}

/** Processes of their own data folder, so that the two rings do not hear of each other. */
async function startRing(bench: Bench, { stored }: BenchModel, miners: number): Promise<Ring> {
  const home = await bench.newHome({ sharesModels: true })
  const threads = availableParallelism()
  const { group } = await ensureGroup({ home, model: stored, miners, threads }, bench.system)
  const bootstrap = group.miners.flatMap(({ addresses }) => addresses.slice(0, 1))
  return { home, client: await createClient({ ...LOCAL_NETWORK, bootstrap }, bench.system) }
}

async function answer(
  bench: Bench,
  { model, ring, tokens }: { model: BenchModel; ring: Ring; tokens: number },
): Promise<Sample> {
  const { client } = ring
  const route = await client.routes.findRoute(model.stored.hash, bench.signal)
  const session = await openRing({ route, capacity: CAPACITY }, { ...bench.system, wire: client.wire }, bench.signal)
  try {
    const prompt = Array.from({ length: PROMPT_TOKENS }, (_, index) => 10 + index)
    const startedMs = performance.now()
    const [firstMs] = await arrivals(bench, session, { prompt, maxTokens: 1 })
    const before = await session.statistics()
    // The second turn goes on from the first one's token: steps of one row only.
    const times = await arrivals(bench, session, { prompt: [], maxTokens: tokens })
    const after = await session.statistics()
    const steps = after[0]!.steps - before[0]!.steps
    const spentMs = after.reduce((sum, { computeMs }, stage) => sum + computeMs - before[stage]!.computeMs, 0)
    const tokenMs = (times.at(-1)! - times[0]!) / (times.length - 1)
    return { tokensPerSecond: 1_000 / tokenMs, tokenMs, engineMs: spentMs / steps, firstTokenMs: firstMs! - startedMs }
  } finally {
    await session.close()
  }
}

/** When each token of a turn came. */
async function arrivals(
  bench: Bench,
  session: RingSession,
  { prompt, maxTokens }: { prompt: readonly number[]; maxTokens: number },
): Promise<number[]> {
  const times: number[] = []
  const generation = { ...GREEDY, maxTokens }
  for await (const event of session.generate(prompt, { generation, signal: bench.signal })) {
    if (event.type === 'token') times.push(performance.now())
  }
  return times
}

/** The data folder goes away with the run, and with it what the miners wrote. */
async function printLogs(home: Home): Promise<void> {
  for (const file of await readdir(home.file('devnet', 'logs'))) {
    const text = await readFile(home.file('devnet', 'logs', file), 'utf8')
    console.error(`\n${file}:\n${text.split('\n').slice(-LOG_LINES).join('\n')}`)
  }
}

const LOG_LINES = 20
