/**
 * What splitting costs when nothing is gained by it: tokens per second of three miner processes on this machine ÷ those
 * of one process that holds the whole model. Both are the product's own processes, reached by the product's own client
 * over libp2p and TCP on loopback; every process may use all threads. The two take turns.
 * @module
 */
import { availableParallelism, freemem } from 'node:os'
import { type Client, createClient } from '../src/app/client.ts'
import { ensureGroup, stopAll } from '../src/app/devnet/devnet.ts'
import type { Home } from '../src/app/home.ts'
import { LOCAL_NETWORK } from '../src/app/networks.ts'
import { openRing } from '../src/app/ring/ring-client.ts'
import type { Bench, BenchModel, Measure } from './bench.ts'
import { type Row, rowOf } from './report.ts'

const MINERS = 3
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
  run: async (bench) => {
    const rows: Row[] = []
    await bench.forEachModel(async (model) => void rows.push(...(await measureModel(bench, model))))
    return rows
  },
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
  /** Time waiting for the engines, per step. */
  readonly queueMs: number
  readonly prefillMs: number
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row[]> {
  const weightBytes = model.stored.manifest.segments.reduce((sum, { shard }) => sum + shard.bytes, 0)
  const needed = 2 * weightBytes + (MINERS + 1) * PROCESS_BYTES
  if (needed > freemem()) {
    bench.progress(`split, ${model.label}: left out, needs ${Math.ceil(needed / 1e9)} GB of free memory`)
    return []
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
    for (let run = -1; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`split, ${model.label}, ${run < 0 ? 'warming up' : `run ${run + 1} of ${bench.runs}`}`)
      // Taking turns at going first, so that neither always follows a pause.
      const order = run % 2 === 0 ? [three, one] : [one, three]
      const first = await answer(bench, { model, ring: order[0]!, tokens })
      const second = await answer(bench, { model, ring: order[1]!, tokens })
      const sample = order[0] === three ? { three: first, one: second } : { three: second, one: first }
      if (run >= 0) samples.push(sample)
    }
    return [rowFor(model, samples)]
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
      'three first token ms': samples.map(({ three }) => three.prefillMs),
      'one first token ms': samples.map(({ one }) => one.prefillMs),
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
    const generation = { ...GREEDY, maxTokens: tokens }
    const startedMs = performance.now()
    const arrivals: number[] = []
    for await (const event of session.generate(prompt, { generation, signal: bench.signal })) {
      if (event.type === 'token') arrivals.push(performance.now())
    }
    const statistics = await session.statistics()
    const steps = Math.max(...statistics.map((stage) => stage.steps))
    const total = (field: 'computeMs' | 'queueMs') => statistics.reduce((sum, stage) => sum + stage[field], 0)
    const tokenMs = (arrivals.at(-1)! - arrivals[0]!) / (arrivals.length - 1)
    return {
      tokensPerSecond: 1_000 / tokenMs,
      tokenMs,
      // The prompt is one step of many; it is short, and the same in both rings.
      engineMs: total('computeMs') / steps,
      queueMs: total('queueMs') / steps,
      prefillMs: arrivals[0]! - startedMs,
    }
  } finally {
    await session.close()
  }
}

const GREEDY = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seed: 0n,
  withDigests: false,
}
