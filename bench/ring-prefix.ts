/**
 * A long prompt for the second time: time to the first token in a later session of the same client, whose stages have computed the prompt before ÷ that
 * of the first time. Three stage processes; each run has a prompt of its own.
 * @module
 */
import type { Bench, BenchModel, Measure } from './bench.ts'
import { type Row, rowOf } from './report.ts'
import { type BenchRing, startRing } from './ring/ring.ts'

const STAGES = 3
const PROMPT_TOKENS = 1_000
const RUNS_MAX = 5
/** An answer that only begins. */
const TOKENS = 2
/** Of the smallest vocabulary here. */
const TOKENS_USED = 1_500

export const ringPrefix: Measure = {
  name: 'prefix',
  run: (bench, report) =>
    bench.forEachModel(async (model) => report(await measureModel(bench, model)), { formats: ['q4'] }),
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row> {
  const promptTokens = Math.min(PROMPT_TOKENS, model.stored.manifest.config.contextLength - TOKENS - 1)
  const first: number[] = []
  const again: number[] = []
  const runs = Math.min(bench.runs, RUNS_MAX)
  const ring = await startRing(bench, model, { stages: STAGES, means: 'loopback', remembers: true })
  try {
    for (let run = 0; run < runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`prefix, ${model.label}, run ${run + 1} of ${runs}`)
      const prompt = Array.from({ length: promptTokens }, (_, index) => 10 + ((index * 7 + run) % TOKENS_USED))
      first.push(await firstTokenMs(ring, prompt))
      again.push(await firstTokenMs(ring, prompt))
    }
  } finally {
    await ring.close()
  }
  return rowOf({
    measure: `first token after ${promptTokens}, the second time ÷ the first, ${STAGES} stages, ${model.label}`,
    ratios: again.map((ms, run) => ms / first[run]!),
    values: { 'first ms': first, 'again ms': again },
  })
}

async function firstTokenMs(ring: BenchRing, prompt: readonly number[]): Promise<number> {
  const [promptTokens, capacity] = [prompt.length, prompt.length + TOKENS + 1]
  return (await ring.answer({ chats: 1, capacity, promptTokens, tokens: TOKENS, prompt })).firstTokenMs
}
