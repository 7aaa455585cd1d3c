/**
 * What splitting costs when nothing is gained by it: tokens per second of two, three and four miner processes on this machine ÷ those
 * of one process that holds the whole model. All are the product's own processes, reached by the product's own client
 * over libp2p and TCP on loopback; every process may use all threads. They take turns. Beside each ratio stands what it could be at most with
 * processes at all: with plain sockets between them that pass a message on, and nothing that reads or writes it.
 * @module
 */
import { freemem } from 'node:os'
import type { Bench, BenchModel, Measure } from './bench.ts'
import { type Row, rowOf } from './report.ts'
import { type BareRing, startBareRing } from './ring/bare-ring.ts'
import { arrivals, type LocalRing, printLogs, startLocalRing } from './ring/local-ring.ts'

const SPLITS = [2, 3, 4]
/**
 * Answers before the counting ones: a miner lives for days, its compiled code is warm. In its first 400 tokens threads that compile take as much
 * as 1 ms of every token from the engines of three processes, and are done with most of it then.
 */
const WARM_UPS = 12
const PROMPT_TOKENS = 16
const TARGET = { atLeast: 0.92 }
const CAPACITY = 512
/** Small models make more tokens, so that an answer takes a while. */
const TOKENS = 48
const TOKENS_SMALL = 200
/** Answers of each ring in a run, one after the other: what the machine's host does in a second then counts for all alike. */
const ROUNDS = 4
/** Of a message round the bare ring, in each run. */
const TURNS = 200
const FLOAT_BYTES = 4
const SMALL_BYTES = 50e6
/** Memory of a process beside its weights. */
const PROCESS_BYTES = 200e6

export const ringSplit: Measure = {
  name: 'split',
  run: (bench, report) =>
    bench.forEachModel(async (model) => {
      for (const row of await measureModel(bench, model)) report(row)
    }),
}

/** One answer of one ring, or several. */
interface Sample {
  readonly tokensPerSecond: number
  readonly tokenMs: number
  /** Time in the engines of all stages, per step. */
  readonly engineMs: number
  readonly firstTokenMs: number
  /** One turn of the bare ring of as many processes; of one process there is none. */
  readonly bareMs: number
}

interface Contender {
  readonly ring: LocalRing
  readonly bare: BareRing | undefined
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row[]> {
  const weightBytes = model.stored.manifest.segments.reduce((sum, { shard }) => sum + shard.bytes, 0)
  const counts = [...SPLITS, 1]
  const processes = counts.reduce((sum, count) => sum + count, 0)
  const needed = counts.length * weightBytes + processes * PROCESS_BYTES
  if (needed > freemem()) {
    bench.progress(`split, ${model.label}: left out, needs ${Math.ceil(needed / 1e9)} GB of free memory`)
    return []
  }
  const tokens = weightBytes < SMALL_BYTES ? TOKENS_SMALL : TOKENS
  const messageBytes = model.stored.manifest.config.hiddenSize * FLOAT_BYTES
  const contenders = new Map<number, Contender>()
  const samples = new Map<number, Sample[]>(counts.map((count) => [count, []]))
  try {
    for (const count of counts) {
      bench.progress(`split, ${model.label}: starting ${count} of ${count}`)
      const ring = await startLocalRing(bench, model, count)
      contenders.set(count, { ring, bare: undefined })
      if (count > 1) contenders.set(count, { ring, bare: await startBareRing(count, messageBytes) })
    }
    for (let round = -WARM_UPS; round < bench.runs * ROUNDS; round++) {
      // Taking turns at going first, so that none always follows the same one.
      const start = (round + WARM_UPS) % counts.length
      const run = Math.floor(round / ROUNDS)
      for (const count of [...counts.slice(start), ...counts.slice(0, start)]) {
        bench.signal.throwIfAborted()
        bench.progress(`split, ${model.label}, ${run < 0 ? 'warming up' : `run ${run + 1} of ${bench.runs}`}`)
        const sample = await answer(bench, contenders.get(count)!, tokens)
        if (run >= 0) samples.get(count)!.push(sample)
      }
    }
    for (const [count, answers] of samples) samples.set(count, runsOf(answers))
  } catch (error) {
    for (const { ring } of contenders.values()) await printLogs(ring)
    throw error
  } finally {
    for (const { ring, bare } of contenders.values()) {
      await ring.close()
      await bare?.close()
    }
  }
  return SPLITS.map((count) => rowFor(model, { count, split: samples.get(count)!, one: samples.get(1)! }))
}

/** ROUNDS answers as one. */
function runsOf(answers: readonly Sample[]): Sample[] {
  return Array.from({ length: answers.length / ROUNDS }, (_, run) => {
    const parts = answers.slice(run * ROUNDS, (run + 1) * ROUNDS)
    const mean = (of: (sample: Sample) => number): number => parts.reduce((sum, part) => sum + of(part), 0) / ROUNDS
    const tokenMs = mean((sample) => sample.tokenMs)
    const [engineMs, firstTokenMs] = [mean((sample) => sample.engineMs), mean((sample) => sample.firstTokenMs)]
    const bareMs = mean((sample) => sample.bareMs)
    return { tokensPerSecond: 1_000 / tokenMs, tokenMs, engineMs, firstTokenMs, bareMs }
  })
}

function rowFor(
  { label }: BenchModel,
  { count, split, one }: { count: number; split: readonly Sample[]; one: readonly Sample[] },
): Row {
  const outside = ({ tokenMs, engineMs }: Sample): number => tokenMs - engineMs
  return rowOf({
    measure: `${count} processes ÷ one process, tokens/s, ${label}`,
    ratios: split.map(({ tokensPerSecond }, run) => tokensPerSecond / one[run]!.tokensPerSecond),
    target: TARGET,
    values: {
      [`${count} tokens/s`]: split.map(({ tokensPerSecond }) => tokensPerSecond),
      '1 tokens/s': one.map(({ tokensPerSecond }) => tokensPerSecond),
      [`${count} engine ms`]: split.map(({ engineMs }) => engineMs),
      '1 engine ms': one.map(({ engineMs }) => engineMs),
      [`${count} outside engines ms`]: split.map(outside),
      '1 outside engines ms': one.map(outside),
      [`${count} first token ms`]: split.map(({ firstTokenMs }) => firstTokenMs),
      [`${count} bare sockets ms`]: split.map(({ bareMs }) => bareMs),
      'with bare sockets ratio': one.map(({ tokenMs }, run) => tokenMs / (tokenMs + split[run]!.bareMs)),
      '1 first token ms': one.map(({ firstTokenMs }) => firstTokenMs),
    },
  })
}

async function answer(bench: Bench, { ring, bare }: Contender, tokens: number): Promise<Sample> {
  const session = await ring.open(CAPACITY)
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
    const [engineMs, firstTokenMs] = [spentMs / steps, firstMs! - startedMs]
    const bareMs = (await bare?.turnMs(TURNS)) ?? 0
    return { tokensPerSecond: 1_000 / tokenMs, tokenMs, engineMs, firstTokenMs, bareMs }
  } finally {
    await session.close()
  }
}
