/**
 * What distance costs: the time that a token takes longer in a ring whose stages are a delay apart ÷ the delays that it cannot avoid, one way per stage.
 * The same processes all the time; the delays take turns.
 * @module
 */
import type { Bench, BenchModel, Measure } from './bench.ts'
import { type Row, rowOf } from './report.ts'
import { type BenchRing, startRing } from './ring/ring.ts'

const STAGES = 3
/** Round trips between any two hosts. */
const ROUND_TRIPS_MS = [5, 20, 50, 100]
const TARGET = { atMost: 1.1 }
const WARM_UPS = 3
const PROMPT_TOKENS = 16
const CAPACITY = 512
const TOKENS = 24
/** Without delays, so that a sample takes a while. */
const TOKENS_AT_ONCE = 96

export const ringDelay: Measure = {
  name: 'delay',
  run: (bench, report) =>
    bench.forEachModel(
      async (model) => {
        for (const row of await measureModel(bench, model)) report(row)
      },
      { formats: ['q4'] },
    ),
}

/** Milliseconds per token, per run, by round trip. */
type TokenTimes = ReadonlyMap<number, number[]>

async function measureModel(bench: Bench, model: BenchModel): Promise<Row[]> {
  const times: TokenTimes = new Map([0, ...ROUND_TRIPS_MS].map((roundTripMs) => [roundTripMs, []]))
  bench.progress(`delay, ${model.label}: starting`)
  const ring = await startRing(bench, model, { stages: STAGES, means: bench.means })
  try {
    for (let run = 0; run < WARM_UPS; run++) await tokenMs(ring, 0)
    for (let run = 0; run < bench.runs; run++) {
      const order = run % 2 === 0 ? [...times] : [...times].reverse()
      for (const [roundTripMs, list] of order) {
        bench.signal.throwIfAborted()
        bench.progress(`delay, ${model.label}, ${roundTripMs} ms, run ${run + 1} of ${bench.runs}`)
        list.push(await tokenMs(ring, roundTripMs))
      }
    }
  } finally {
    await ring.close()
  }
  return ROUND_TRIPS_MS.map((roundTripMs) => rowFor(model, { ring, times, roundTripMs }))
}

async function tokenMs(ring: BenchRing, roundTripMs: number): Promise<number> {
  await ring.setOneWay(roundTripMs / 2)
  const tokens = roundTripMs === 0 ? TOKENS_AT_ONCE : TOKENS
  const answers = await ring.answer({ chats: 1, capacity: CAPACITY, promptTokens: PROMPT_TOKENS, tokens })
  return answers.tokenMs
}

function rowFor(
  { label }: BenchModel,
  { ring, times, roundTripMs }: { ring: BenchRing; times: TokenTimes; roundTripMs: number },
): Row {
  const near = times.get(0)!
  const far = times.get(roundTripMs)!
  const least = (STAGES * roundTripMs) / 2
  return rowOf({
    measure: `added time per token ÷ ${STAGES} one-way delays, ${roundTripMs} ms RTT (${ring.means}), ${label}`,
    ratios: far.map((ms, run) => (ms - near[run]!) / least),
    target: TARGET,
    values: { 'token ms': far, 'without delay ms': near, 'one-way delays ms': [least] },
  })
}
