/**
 * Decoding reads every weight once per token, so that memory bandwidth is its ceiling. Bytes of weights per second in
 * decode ÷ bytes per second that as many threads of a reading loop get, on the same machine in the same minute; and the wasm
 * engine ÷ the native one, where there is one. All take turns.
 * @module
 */
import { measureBandwidth } from '../src/app/doctor/bandwidth.ts'
import type { EngineName } from '../src/ml/engine/engine.ts'
import { type Bench, type BenchModel, type Measure, RANDOM_LABEL } from './bench.ts'
import { bytesPerStep, openTimedStage, type TimedStage } from './engine-stage.ts'
import { type Row, rowOf, type Target } from './report.ts'

const BANDWIDTH_TARGET = { atLeast: 0.9 }
const WASM_TARGET = { atLeast: 0.5 }

export const decodeBandwidth: Measure = {
  name: 'decode',
  run: (bench, report) =>
    bench.forEachModel(async (model) => {
      for (const row of await measureModel(bench, model)) report(row)
    }),
}

interface Runner {
  readonly engine: EngineName
  readonly threads: number
  /** Do all cores take part? */
  readonly isAll: boolean
  readonly stage: TimedStage
  readonly decodeMs: number[]
}

interface MemoryRate {
  readonly one: number
  readonly all: number
}

async function measureModel(bench: Bench, model: BenchModel): Promise<Row[]> {
  const { threads: all } = await measureBandwidth()
  const memory: MemoryRate[] = []
  const runners: Runner[] = []
  try {
    for (const engine of bench.engines) {
      for (const threads of all === 1 ? [1] : [1, all]) {
        const stage = await openTimedStage(bench, model, { engine, threads })
        runners.push({ engine, threads, isAll: threads === all, stage, decodeMs: [] })
      }
    }
    for (let run = 0; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`decode, ${model.label}, run ${run + 1} of ${bench.runs}`)
      const { oneThreadBytesPerSecond, allThreadsBytesPerSecond } = await measureBandwidth()
      memory.push({ one: oneThreadBytesPerSecond, all: allThreadsBytesPerSecond })
      for (const { stage, decodeMs } of runners) decodeMs.push(stage.decodeMs())
    }
  } finally {
    for (const { stage } of runners) stage.close()
  }
  return [...runners.map((runner) => bandwidthRow(model, runner, memory)), ...wasmRows(model, runners)]
}

function bandwidthRow(model: BenchModel, runner: Runner, memory: readonly MemoryRate[]): Row {
  const { engine, isAll, decodeMs } = runner
  const bytes = bytesPerStep(model)
  const decodeRates = decodeMs.map((ms) => (bytes * 1_000) / ms)
  const memoryRates = memory.map(({ one, all }) => (isAll ? all : one))
  // What fits the caches is not bounded by memory.
  const target = engine === 'wasm' || !isAll || !model.label.startsWith(RANDOM_LABEL) ? undefined : BANDWIDTH_TARGET
  return rowOf({
    measure: `${engine} decode ÷ memory bandwidth, ${conditions(model, runner)}`,
    ratios: memoryRates.map((rate, run) => decodeRates[run]! / rate),
    target,
    values: {
      'decode GB/s': decodeRates.map((rate) => rate / 1e9),
      'memory GB/s': memoryRates.map((rate) => rate / 1e9),
      'token ms': decodeMs,
      'weights MB': [bytes / 1e6],
    },
  })
}

function wasmRows(model: BenchModel, runners: readonly Runner[]): Row[] {
  return runners
    .filter(({ engine }) => engine !== 'wasm')
    .flatMap((fast) => {
      const wasm = runners.find(({ engine, threads }) => engine === 'wasm' && threads === fast.threads)
      if (wasm === undefined) return []
      const target: Target | undefined = model.label.startsWith(RANDOM_LABEL) ? WASM_TARGET : undefined
      return rowOf({
        measure: `wasm ÷ ${fast.engine}, decode, ${conditions(model, fast)}`,
        ratios: fast.decodeMs.map((ms, run) => ms / wasm.decodeMs[run]!),
        target,
        values: { 'wasm ms': wasm.decodeMs, [`${fast.engine} ms`]: fast.decodeMs },
      })
    })
}

function conditions({ label }: BenchModel, { threads }: Runner): string {
  return `${label}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
}
