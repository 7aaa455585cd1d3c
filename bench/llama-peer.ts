/**
 * The engine ÷ llama.cpp on the same work: a model of TinyLlama-1.1B's shape with random weights, the same number of threads, the same positions, logits of
 * the last token, nothing sampled. llama.cpp is the processor build that node-llama-cpp publishes on npm (which picks its kernels for this
 * processor when it runs), in a process of its own; it is fetched for the run. The two take turns.
 * @module
 */
import { fork } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Bench, BenchModel, Measure } from './bench.ts'
import { openTimedStage, type TimedStage } from './engine-stage.ts'
import { ask, endChild } from './lab/child.ts'
import { installPeer } from './peers/install.ts'
import type { LlamaOrder, LlamaTold } from './peers/llama.ts'
import { type LlamaFormat, writeLlamaFile } from './peers/llama-file.ts'
import type { RandomFormat } from './random-model.ts'
import { median, type Row, rowOf } from './report.ts'

const VERSION = '3.22.1'
/** As node-llama-cpp names its builds for processors alone, by platform and architecture. */
const BUILDS: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'mac-x64',
  'darwin-arm64': 'mac-arm64-metal',
  'win32-x64': 'win-x64',
  'win32-arm64': 'win-arm64',
}
const PEER = fileURLToPath(import.meta.resolve('./peers/llama.ts'))
const FORMATS: Readonly<Record<RandomFormat, LlamaFormat>> = { q8: 'Q8_0', q4: 'Q4_0' }
const DECODE_TARGETS = { q8: { atLeast: 1.1 }, q4: { atLeast: 1.05 } } as const
const PREFILL_TARGET = { atLeast: 1.2 }
const PROMPTS = [128, 512]
const PROMPTS_QUICK = [128]
/** The first token of a sample stands here, and so many follow. */
const POSITION = 128
const STEPS = 16
/** Its threads look for work for a while before they sleep; ours should not pay for that. */
const PAUSE_MS = 100

export const llamaPeer: Measure = {
  name: 'llama',
  async run(bench, report) {
    const build = BUILDS[`${process.platform}-${process.arch}`]
    if (build === undefined) return console.error('\nllama: left out, there is no build for this platform')
    const { path } = await bench.newHome({ sharesModels: false })
    let folder: string
    try {
      bench.progress('llama: fetching llama.cpp')
      folder = await installPeer({ name: `@node-llama-cpp/${build}`, version: VERSION }, path)
    } catch (error) {
      return console.error('\nllama: left out, npm did not get it:', error instanceof Error ? error.message : error)
    }
    const formats = bench.quick ? (['q4'] as const) : (['q8', 'q4'] as const)
    await bench.forEachModel(
      async (model) => {
        if (model.stored.isEmbedded) return
        for (const row of await measureModel(bench, model, { folder, path })) report(row)
      },
      { formats, isNeeded: true },
    )
  },
}

interface Times {
  readonly ours: number[]
  readonly theirs: number[]
}

interface Seen {
  readonly decode: Times
  readonly withoutLogitsMs: number[]
  /** The quickest step of theirs; far below the median where others use the machine, on which their threads spin. */
  readonly bestMs: number[]
  /** By tokens of the prompt. */
  readonly prefill: ReadonlyMap<number, Times>
}

async function measureModel(
  bench: Bench,
  model: BenchModel,
  { folder, path }: { readonly folder: string; readonly path: string },
): Promise<Row[]> {
  const format = model.stored.manifest.format as RandomFormat
  const file = join(path, `${FORMATS[format]}.gguf`)
  const threads = availableParallelism()
  bench.progress(`llama, ${model.label}: writing ${FORMATS[format]}`)
  await writeLlamaFile(file, model.stored.manifest.config, FORMATS[format])
  const engine = bench.engines[0]!
  const prompts = bench.quick ? PROMPTS_QUICK : PROMPTS
  // Beside the prompts, decoding goes on behind its position.
  const rowsMax = Math.max(...prompts, POSITION + STEPS)
  const stage = await openTimedStage(bench, model, { engine, threads, rowsMax })
  const peer = fork(PEER, { serialization: 'advanced' })
  const tell = (order: LlamaOrder): Promise<LlamaTold> => ask<LlamaTold>(peer, order)
  try {
    const { about } = await tell({ type: 'load', folder, file, threads, context: rowsMax + POSITION })
    console.log(`\nllama.cpp (@node-llama-cpp ${VERSION}): ${about}`)
    const seen = await takeTurns(bench, model, { stage, tell, prompts })
    const isFast = engine !== 'wasm'
    const where = `${model.label}, ${threads} threads`
    return [
      rowOf({
        measure: `${engine} ÷ llama.cpp ${FORMATS[format]}, decode, ${where}`,
        ratios: ratiosOf(seen.decode),
        target: isFast ? DECODE_TARGETS[format] : undefined,
        values: {
          [`${engine} ms`]: seen.decode.ours,
          'llama.cpp ms': seen.decode.theirs,
          'llama.cpp best step ms': seen.bestMs,
          'llama.cpp without logits ms': seen.withoutLogitsMs,
        },
      }),
      ...[...seen.prefill].map(([rows, times]) =>
        rowOf({
          measure: `${engine} ÷ llama.cpp ${FORMATS[format]}, prompt of ${rows}, ${where}`,
          ratios: ratiosOf(times),
          target: isFast ? PREFILL_TARGET : undefined,
          values: {
            [`${engine} tokens/s`]: times.ours.map((ms) => (rows * 1_000) / ms),
            'llama.cpp tokens/s': times.theirs.map((ms) => (rows * 1_000) / ms),
          },
        }),
      ),
    ]
  } finally {
    stage.close()
    await endChild(peer)
    await rm(file)
  }
}

/** Of speeds. */
function ratiosOf({ ours, theirs }: Times): number[] {
  return ours.map((ms, run) => theirs[run]! / ms)
}

interface Sides {
  /** Tokens of each. */
  readonly prompts: readonly number[]
  readonly stage: TimedStage
  readonly tell: (order: LlamaOrder) => Promise<LlamaTold>
}

async function takeTurns(bench: Bench, { label }: BenchModel, { prompts, stage, tell }: Sides): Promise<Seen> {
  const decode: Times = { ours: [], theirs: [] }
  const withoutLogitsMs: number[] = []
  const bestMs: number[] = []
  const prefill = new Map<number, Times>(prompts.map((rows) => [rows, { ours: [], theirs: [] }]))
  const theirs = async (order: LlamaOrder): Promise<{ middleMs: number; leastMs: number }> => {
    const { ms } = await tell(order)
    await sleep(PAUSE_MS)
    return { middleMs: median(ms), leastMs: Math.min(...ms) }
  }
  for (let run = -1; run < bench.runs; run++) {
    const isCounted = run >= 0
    bench.progress(`llama, ${label}, ${isCounted ? `run ${run + 1} of ${bench.runs}` : 'warming up'}`)
    for (const [rows, times] of prefill) {
      bench.signal.throwIfAborted()
      const { middleMs } = await theirs({ type: 'prefill', rows })
      const ourMs = stage.prefillMs(rows)
      if (!isCounted) continue
      times.theirs.push(middleMs)
      times.ours.push(ourMs)
    }
    const steps = { type: 'decode', position: POSITION, steps: STEPS } as const
    const { middleMs, leastMs } = await theirs({ ...steps, hasLogits: true })
    const ourMs = stage.decodeMs(POSITION + STEPS / 2)
    const bare = await theirs({ ...steps, hasLogits: false })
    if (!isCounted) continue
    decode.theirs.push(middleMs)
    decode.ours.push(ourMs)
    withoutLogitsMs.push(bare.middleMs)
    bestMs.push(leastMs)
  }
  return { decode, withoutLogitsMs, bestMs, prefill }
}
