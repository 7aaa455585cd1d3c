/**
 * A whole model in the wasm engine, in this thread, and the time of its steps.
 * @module
 */
import { createEngine } from '../src/app/engines.ts'
import { openModelStore } from '../src/app/model-store.ts'
import type { Stage } from '../src/ml/engine/engine.ts'
import { rangeOf } from '../src/ml/manifest.ts'
import { shardLayout } from '../src/ml/shard-file.ts'
import { EMBEDDING } from '../src/ml/tensors.ts'
import type { Bench, BenchModel } from './bench.ts'
import { median } from './report.ts'

export interface TimedStage {
  /** Median milliseconds of one decode step after the prompt. */
  decodeMs(): number
  /** Median milliseconds of the prompt of PROMPT_ROWS tokens in one chunk. */
  prefillMs(): number
  close(): void
}

export const PROMPT_ROWS = 128
/** Time of one sample: long enough for the clock and for a scheduler's slices. */
const SAMPLE_MS = 300
const STEPS_MIN = 3
/** V8 replaces first-tier code in the meantime. */
const WARM_UP_MS = 1_000
const CACHE_BYTES_MAX = 2 ** 28

export async function openTimedStage(bench: Bench, { stored }: BenchModel, threads: number): Promise<TimedStage> {
  const { manifest } = stored
  const engine = await createEngine('wasm', { threads })
  const count = manifest.segments.length
  const weights = openModelStore({ home: bench.home.path }).openWeights(stored, 0, count, { checkHashes: false })
  const range = rangeOf(manifest, 0, count)
  let stage: Stage
  try {
    stage = engine.createStage({ config: manifest.config, range, weights, cacheBytesMax: CACHE_BYTES_MAX })
  } finally {
    weights.close()
  }
  const cache = stage.openCache(PROMPT_ROWS + 1)
  const tokens = (rows: number) => Int32Array.from({ length: rows }, (_, index) => 1 + index)
  const prompt = { type: 'tokens', tokens: tokens(PROMPT_ROWS) } as const
  const next = { type: 'tokens', tokens: tokens(1) } as const
  const prefill = () => check(stage.run([{ cache, position: 0, input: prompt, logits: 'last' }]))
  const decode = () => check(stage.run([{ cache, position: PROMPT_ROWS, input: next, logits: 'last' }]))
  sample(prefill, WARM_UP_MS)
  sample(decode, WARM_UP_MS)
  return {
    decodeMs: () => sample(decode, SAMPLE_MS),
    prefillMs: () => sample(prefill, SAMPLE_MS),
    close: () => stage.close(),
  }
}

/** Bytes of weights that one decode step reads: all but the embedding, of which it reads a row. */
export function bytesPerStep({ stored }: BenchModel): number {
  const { config, segments, format } = stored.manifest
  const tensors = segments.flatMap((segment) => shardLayout(config, segment, format).tensors)
  return tensors
    .filter(({ plan }) => plan.name !== EMBEDDING)
    .flatMap(({ parts }) => parts)
    .reduce((sum, { bytes }) => sum + bytes, 0)
}

function check(outputs: ReturnType<Stage['run']>): void {
  for (const output of outputs) if (output.type === 'failed') throw output.error
}

/** Median milliseconds of `step`, called for `durationMs` and at least STEPS_MIN times. */
function sample(step: () => void, durationMs: number): number {
  const times: number[] = []
  const untilMs = performance.now() + durationMs
  while (times.length < STEPS_MIN || performance.now() < untilMs) {
    const startedMs = performance.now()
    step()
    times.push(performance.now() - startedMs)
  }
  return median(times)
}
