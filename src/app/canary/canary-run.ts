/**
 * Makes the canary of a model, one segment in memory at a time, and checks segments against one. Both run each prompt as a whole; the check also
 * runs it row by row, as decoding does.
 * Spec: docs/spec/model.md §12.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { type Canary, type CanaryPrompt, type CanaryShape, canaryInput, canaryTokens } from '../../ml/canary.ts'
import { digestOf, floatBytes } from '../../ml/digest.ts'
import type { StepInput, StepOutput } from '../../ml/engine/engine.ts'
import type { LayerRange } from '../../ml/tensors.ts'
import type { EngineHost } from '../engine-host.ts'

type Stage = Pick<EngineHost, 'openCache' | 'closeCache' | 'run'>
type Rows = Int32Array | Float32Array
type WholeOutput = Exclude<StepOutput, { type: 'failed' }>

/** Opens the engine of one segment. */
export type OpenSegment = (segment: number) => Promise<Stage & Pick<EngineHost, 'close'>>

/**
 * Runs all segments, one after the other.
 * @throws EngineError, and what `open` throws.
 */
export async function makeCanary(
  { hash: model, manifest }: { readonly hash: Hash; readonly manifest: CanaryShape },
  open: OpenSegment,
  signal: AbortSignal,
): Promise<Canary> {
  const prompts = canaryTokens(model, manifest).map((tokens) => ({ tokens, outputs: [] as WholeOutput[] }))
  for (let segment = 0; segment < manifest.segments.length; segment++) {
    const stage = await open(segment)
    try {
      for (const { tokens, outputs } of prompts) {
        signal.throwIfAborted()
        outputs.push(await runWhole(stage, outputs.at(-1)?.values ?? tokens, tokens.length))
      }
    } finally {
      await stage.close()
    }
  }
  return {
    model,
    prompts: prompts.map(({ tokens, outputs }) => {
      const borders = outputs.slice(0, -1).map(({ values }) => values)
      return { tokens, borders, logits: digestOf(outputs.at(-1)!.values) }
    }),
  }
}

/** What a check found: undefined, or where it differs first. */
export interface CanaryFault {
  /** Counted from 0. */
  readonly prompt: number
  /** Computed as a whole, or row by row. */
  readonly way: 'whole' | 'rows'
}

/** A run of segments, and an engine that has at least these. */
export interface CanaryCheck {
  readonly first: number
  /** Exclusive. */
  readonly end: number
  readonly stage: Stage
  /** The layers of the run, where the engine has more. */
  readonly part?: LayerRange | undefined
}

/** undefined: the engine computes bit for bit what the canary says. @throws EngineError. */
export async function runCanary(
  { prompts }: Pick<Canary, 'prompts'>,
  check: CanaryCheck,
  signal: AbortSignal,
): Promise<CanaryFault | undefined> {
  for (const [index, prompt] of prompts.entries()) {
    signal.throwIfAborted()
    const input = canaryInput(prompt, check.first)
    const whole = await runWhole(check.stage, input, prompt.tokens.length, check.part)
    if (!isExpected(whole.values, prompt, check.end)) return { prompt: index, way: 'whole' }
    const rows = await runRows(check, input, prompt.tokens.length)
    if (!isExpected(rows, prompt, check.end)) return { prompt: index, way: 'rows' }
  }
  return undefined
}

async function runWhole(stage: Stage, input: Rows, rows: number, part?: LayerRange): Promise<WholeOutput> {
  const cache = await stage.openCache(rows, part)
  try {
    return await step(stage, { cache, position: 0, input: stepInput(input), logits: 'all' })
  } finally {
    await stage.closeCache(cache)
  }
}

async function runRows({ stage, part }: CanaryCheck, input: Rows, rows: number): Promise<Float32Array> {
  const cache = await stage.openCache(rows, part)
  const width = input.length / rows
  const outputs: Float32Array[] = []
  try {
    for (let position = 0; position < rows; position++) {
      const row = input.slice(position * width, (position + 1) * width)
      outputs.push((await step(stage, { cache, position, input: stepInput(row), logits: 'all' })).values)
    }
  } finally {
    await stage.closeCache(cache)
  }
  const joined = new Float32Array(rows * outputs[0]!.length)
  for (const [position, values] of outputs.entries()) joined.set(values, position * values.length)
  return joined
}

async function step(stage: Stage, request: StepInput): Promise<WholeOutput> {
  const { output } = await stage.run(request)
  if (output.type === 'failed') throw output.error
  return output
}

function stepInput(rows: Rows): StepInput['input'] {
  return rows instanceof Int32Array ? { type: 'tokens', tokens: rows } : { type: 'hidden', values: rows.slice() }
}

/** Bits are compared: -0 is not 0. */
function isExpected(values: Float32Array, { borders, logits }: CanaryPrompt, end: number): boolean {
  if (end > borders.length) return digestOf(values) === logits
  const border = borders[end - 1]
  assert(border !== undefined, 'a run ends at a border or at the head')
  const [ours, theirs] = [floatBytes(values), floatBytes(border)]
  return ours.length === theirs.length && ours.every((byte, index) => byte === theirs[index])
}
