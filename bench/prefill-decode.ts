/**
 * Prompt tokens share each weight that is read, decode steps do not: time per token of a chunk of 128 prompt tokens ÷
 * time of the decode step after it, all threads.
 * @module
 */
import { availableParallelism } from 'node:os'
import type { EngineName } from '../src/ml/engine/engine.ts'
import type { Bench, BenchModel, Measure } from './bench.ts'
import { openTimedStage, PROMPT_ROWS } from './engine-stage.ts'
import { type Row, rowOf } from './report.ts'

export const prefillDecode: Measure = {
  name: 'prefill',
  run: (bench, report) =>
    bench.forEachModel(async (model) => {
      for (const engine of bench.engines) report(await measureModel(bench, model, engine))
    }),
}

async function measureModel(bench: Bench, model: BenchModel, engine: EngineName): Promise<Row> {
  const threads = availableParallelism()
  const stage = await openTimedStage(bench, model, { engine, threads })
  const prefill: number[] = []
  const decode: number[] = []
  try {
    for (let run = 0; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`prefill, ${engine}, ${model.label}, run ${run + 1} of ${bench.runs}`)
      prefill.push(stage.prefillMs() / PROMPT_ROWS)
      decode.push(stage.decodeMs())
    }
  } finally {
    stage.close()
  }
  return rowOf({
    measure: `${engine} prefill ÷ decode per token, ${model.label}, ${threads} threads`,
    ratios: prefill.map((ms, run) => ms / decode[run]!),
    values: { 'prefill ms': prefill, 'decode ms': decode },
  })
}
