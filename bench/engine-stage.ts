/**
 * A whole model in an engine, in this thread, and the time of its steps.
 * @module
 */
import { createEngine } from '../src/app/engines.ts'
import { openModelStore } from '../src/app/model-store.ts'
import type { EngineName, Stage } from '../src/ml/engine/engine.ts'
import { rangeOf } from '../src/ml/manifest.ts'
import { shardLayout } from '../src/ml/shard-file.ts'
import { EMBEDDING } from '../src/ml/tensors.ts'
import type { Bench, BenchModel } from './bench.ts'
import { median } from './report.ts'

export interface TimedStage {
  /** Median milliseconds of one decode step, whose token stands at `position`; the default is the one after the prompt. */
  decodeMs(position?: number): number
  /** Median milliseconds of a prompt of `rows` tokens, in one chunk; the default is PROMPT_ROWS. */
  prefillMs(rows?: number): number
  close(): void
}

export interface TimedStageOptions {
  readonly engine: EngineName
  readonly threads: number
  /** Tokens of the longest prompt. Default: PROMPT_ROWS. */
  readonly rowsMax?: number
}

export const PROMPT_ROWS = 128
/** Time of one sample: long enough for the clock and for a scheduler's slices. */
const SAMPLE_MS = 300
const STEPS_MIN = 3
/** V8 replaces first-tier code in the meantime. */
const WARM_UP_MS = 1_000
const CACHE_BYTES_MAX = 2 ** 28

export async function openTimedStage(
  bench: Bench,
  { stored }: BenchModel,
  { engine: name, threads, rowsMax = PROMPT_ROWS }: TimedStageOptions,
): Promise<TimedStage> {
  const { manifest } = stored
  const engine = await createEngine(name, { threads })
  const count = manifest.segments.length
  const weights = openModelStore({ home: bench.home.path }).openWeights(stored, 0, count, { checkHashes: false })
  const range = rangeOf(manifest, 0, count)
  let stage: Stage
  try {
    stage = engine.createStage({ config: manifest.config, range, weights, cacheBytesMax: CACHE_BYTES_MAX })
  } finally {
    weights.close()
  }
  const cache = stage.openCache(rowsMax + 1)
  const run = (position: number, rows: number) => {
    const tokens = Int32Array.from({ length: rows }, (_, index) => 1 + index)
    return () => check(stage.run([{ cache, position, input: { type: 'tokens', tokens }, logits: 'last' }]))
  }
  sample(run(0, PROMPT_ROWS), WARM_UP_MS)
  // Positions before a step have to be there.
  run(0, rowsMax)()
  sample(run(PROMPT_ROWS, 1), WARM_UP_MS)
  return {
    decodeMs(position = PROMPT_ROWS) {
      if (stage.cacheLength(cache) < position) run(0, position)()
      return sample(run(position, 1), SAMPLE_MS)
    },
    prefillMs: (rows = PROMPT_ROWS) => sample(run(0, rows), SAMPLE_MS, rows > PROMPT_ROWS ? 1 : STEPS_MIN),
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

/** Median milliseconds of `step`, called for `durationMs` and at least `stepsMin` times. */
function sample(step: () => void, durationMs: number, stepsMin = STEPS_MIN): number {
  const times: number[] = []
  const untilMs = performance.now() + durationMs
  while (times.length < stepsMin || performance.now() < untilMs) {
    const startedMs = performance.now()
    step()
    times.push(performance.now() - startedMs)
  }
  return median(times)
}
