/**
 * A long prompt through several stages: time to the first token of three stage processes, which work on different chunks of it at once, ÷ that of one
 * process with the whole model. Each process has one thread, so that more processes are more cores, as more machines are; and, where there are
 * several cores, once more with all of them for each process, where nothing can be gained on one machine. The two take turns.
 * @module
 */
import { availableParallelism } from 'node:os'
import type { Bench, BenchModel, Measure } from './bench.ts'
import { type Row, rowOf } from './report.ts'
import { type BenchRing, startRing } from './ring/ring.ts'

const STAGES = 3
const PROMPT_TOKENS = 1_000
const TARGET = { atMost: 0.6 }
const WARM_UPS = 1
/** A run of a large model takes half a minute. */
const RUNS_MAX = 5
/** An answer that only begins. */
const TOKENS = 2

export const ringPrefill: Measure = {
  name: 'first-token',
  run: (bench, report) =>
    bench.forEachModel(
      async (model) => {
        const all = availableParallelism()
        for (const threads of all === 1 ? [1] : [1, all]) report(await measureModel(bench, model, threads))
      },
      { formats: ['q4'] },
    ),
}

async function measureModel(bench: Bench, model: BenchModel, threads: number): Promise<Row> {
  // What the model's context has room for.
  const promptTokens = Math.min(PROMPT_TOKENS, model.stored.manifest.config.contextLength - TOKENS - 1)
  const rings = new Map<number, BenchRing>()
  const times = new Map<number, number[]>([
    [STAGES, []],
    [1, []],
  ])
  const runs = Math.min(bench.runs, RUNS_MAX)
  try {
    for (const stages of times.keys()) {
      rings.set(stages, await startRing(bench, model, { stages, means: 'loopback', threads }))
    }
    for (let run = -WARM_UPS; run < runs; run++) {
      for (const [stages, ring] of run % 2 === 0 ? rings : [...rings].reverse()) {
        bench.signal.throwIfAborted()
        bench.progress(`first-token, ${model.label}, ${threads} threads, run ${run + 1} of ${runs}`)
        const capacity = promptTokens + TOKENS + 1
        const { firstTokenMs } = await ring.answer({ chats: 1, capacity, promptTokens, tokens: TOKENS })
        if (run >= 0) times.get(stages)!.push(firstTokenMs)
      }
    }
  } finally {
    for (const ring of rings.values()) await ring.close()
  }
  const [several, one] = [times.get(STAGES)!, times.get(1)!]
  const each = threads === 1 ? '1 thread' : `${threads} threads`
  return rowOf({
    measure: `first token after ${promptTokens}, ${STAGES} stages ÷ one process, ${each} each, ${model.label}`,
    ratios: several.map((ms, run) => ms / one[run]!),
    // With all cores for one process the others have nothing to add.
    target: threads === 1 ? TARGET : undefined,
    values: { [`${STAGES} stages ms`]: several, 'one process ms': one },
  })
}
