/**
 * Decoding reads every weight once per token, so that memory bandwidth is its ceiling. Bytes of weights per second in
 * decode ÷ bytes per second that as many threads of a reading loop get, on the same machine in the same minute.
 * @module
 */
import { measureBandwidth } from '../src/app/doctor/bandwidth.ts'
import type { Bench, BenchModel, Measure } from './bench.ts'
import { bytesPerStep, openTimedStage } from './engine-stage.ts'
import { type Row, rowOf } from './report.ts'

export const decodeBandwidth: Measure = {
  name: 'decode',
  run: (bench, report) =>
    bench.forEachModel(async (model) => {
      for (const row of await measureModel(bench, model)) report(row)
    }),
}

interface Sample {
  readonly decodeMs: number
  readonly memoryBytesPerSecond: number
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row[]> {
  const all = (await measureBandwidth()).threads
  const threadCounts = all === 1 ? [1] : [1, all]
  const stages = await Promise.all(threadCounts.map((threads) => openTimedStage(bench, model, threads)))
  const samples: Sample[][] = threadCounts.map(() => [])
  try {
    for (let run = 0; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`decode, ${model.label}, run ${run + 1} of ${bench.runs}`)
      const { oneThreadBytesPerSecond, allThreadsBytesPerSecond } = await measureBandwidth()
      for (const [index, threads] of threadCounts.entries()) {
        const memoryBytesPerSecond = threads === 1 ? oneThreadBytesPerSecond : allThreadsBytesPerSecond
        samples[index]!.push({ decodeMs: stages[index]!.decodeMs(), memoryBytesPerSecond })
      }
    }
  } finally {
    for (const stage of stages) stage.close()
  }
  return threadCounts.map((threads, index) => rowFor(model, threads, samples[index]!))
}

function rowFor(model: BenchModel, threads: number, samples: readonly Sample[]): Row {
  const bytes = bytesPerStep(model)
  const decodeRates = samples.map(({ decodeMs }) => (bytes * 1_000) / decodeMs)
  return rowOf({
    measure: `wasm decode ÷ memory bandwidth, ${model.label}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    ratios: samples.map(({ memoryBytesPerSecond }, run) => decodeRates[run]! / memoryBytesPerSecond),
    values: {
      'decode GB/s': decodeRates.map((rate) => rate / 1e9),
      'memory GB/s': samples.map(({ memoryBytesPerSecond }) => memoryBytesPerSecond / 1e9),
      'token ms': samples.map(({ decodeMs }) => decodeMs),
      'weights MB': [bytes / 1e6],
    },
  })
}
