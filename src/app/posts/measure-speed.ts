/**
 * How fast an engine runs its segments, for the offer of a post.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import type { StepInput } from '../../ml/engine/engine.ts'
import type { PostToServe, Speed } from './post.ts'

const WARM_UP_STEPS = 2
const MEASURED_STEPS = 5
const PREFILL_ROWS = 16

/** Median time of decode steps and time per prompt token, on made-up input. */
export async function measureSpeed({ host, model, firstSegment }: PostToServe): Promise<Speed> {
  const { config } = model.manifest
  const cache = await host.openCache(Math.min(config.contextLength, PREFILL_ROWS + WARM_UP_STEPS + MEASURED_STEPS))
  const input = (rows: number): StepInput['input'] =>
    firstSegment === 0
      ? { type: 'tokens', tokens: new Int32Array(rows) }
      : { type: 'hidden', values: new Float32Array(rows * config.hiddenSize).fill(0.01) }
  try {
    const prefillRows = Math.min(PREFILL_ROWS, config.contextLength - WARM_UP_STEPS - MEASURED_STEPS)
    const prefill = await host.run({ cache, position: 0, input: input(prefillRows), logits: 'last' })
    const times: number[] = []
    for (let step = 0; step < WARM_UP_STEPS + MEASURED_STEPS; step++) {
      const run = await host.run({ cache, position: prefillRows + step, input: input(1), logits: 'last' })
      if (step >= WARM_UP_STEPS) times.push(run.computeMs)
    }
    times.sort((a, b) => a - b)
    return {
      stepMs: milliseconds(times[times.length >> 1]!),
      prefillMs: milliseconds(prefill.computeMs / prefillRows),
    }
  } finally {
    await host.closeCache(cache)
  }
}
