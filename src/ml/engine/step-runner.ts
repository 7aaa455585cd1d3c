/**
 * Steps of many sessions as passes of at most 64 rows, for engines whose native code runs passes. Rows are independent but for
 * their session's cache, so that passes and neighbours change no bit.
 * Spec: docs/spec/numerics.md §1, §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { ModelConfig } from '../config.ts'
import { largestIndex } from '../sampler.ts'
import type { LayerRange } from '../tensors.ts'
import type { Cache, CacheTable } from './cache-table.ts'
import type { StepInput, StepOutput } from './engine.ts'
import { notFinite } from './reference-math.ts'
import { checkStep, rowsOf } from './step-check.ts'

/** ROWS_MAX of native/exact1.h. */
export const PASS_ROWS_MAX = 64
/** Bits of a session's `failed` word (native/exact1.h), the earliest place first. */
const FAILURES = ['a norm', 'the input of a matrix product', 'attention', 'the output of a layer', 'the logits']

/** One position of one session, for one pass. */
export interface PassRow<Memory> {
  /** Index among the sessions of this pass. */
  readonly session: number
  readonly cache: Memory
  readonly position: number
  readonly token: number
  /** The row that enters (hidden); undefined where a token does. */
  readonly values: Float32Array | undefined
  /** Takes the hidden row or the logits; undefined: not wanted. */
  readonly output: RowOutput | undefined
}

/** All values of the row, or into one place the id of the largest. */
export type RowOutput = { readonly values: Float32Array } | { readonly largest: Int32Array; readonly at: number }

/** `row`: what was computed, in memory of the engine. */
export function putRow(output: RowOutput, row: Float32Array): void {
  if ('values' in output) output.values.set(row)
  else output.largest[output.at] = largestIndex(row)
}

/** Rows of a pass, by index, of which logits or the largest of them are wanted. */
export function logitRowsOf(rows: readonly PassRow<unknown>[], { hasHead }: LayerRange): number[] {
  const wanted: number[] = []
  if (hasHead) for (const [index, { output }] of rows.entries()) if (output) wanted.push(index)
  return wanted
}

/** At most PASS_ROWS_MAX rows of so many sessions, through `part`. */
export interface Pass<Memory> {
  readonly rows: readonly PassRow<Memory>[]
  readonly sessions: number
  readonly part: LayerRange
}

/** One batch: whoever drives it runs the passes that it gives, and hands back a word of failure bits per session. */
export type BatchPasses<Memory> = Generator<Pass<Memory>, StepOutput[], Uint32Array>

export interface StepRunnerOptions<Memory> {
  readonly config: ModelConfig
  readonly caches: CacheTable<Memory>
  /** Before a step writes rows from `position` on. */
  readonly prepare: (cache: Memory, position: number, rows: number) => void
  /** A word of failure bits per session. */
  readonly runPass: (rows: readonly PassRow<Memory>[], sessions: number, part: LayerRange) => Uint32Array
}

/** A step on its way through the passes of one run. */
interface RunningStep<Memory> {
  readonly step: StepInput
  readonly cache: Cache<Memory>
  readonly rows: number
  readonly values: Float32Array // (rows, hidden) or (logit rows, vocabulary)
  /** Instead of logits. */
  readonly largest: Int32Array | undefined // (logit rows)
  failed: number
}

/** Stage.run of such an engine. */
export function createStepRunner<Memory>(
  options: StepRunnerOptions<Memory>,
): (batch: readonly StepInput[]) => StepOutput[] {
  const passesOfBatch = createBatchPasses(options)
  return (batch) => {
    const passes = passesOfBatch(batch)
    let next = passes.next()
    while (!next.done) next = passes.next(options.runPass(next.value.rows, next.value.sessions, next.value.part))
    return next.value
  }
}

/** The passes of each batch, for whoever runs them. Nothing else may use the caches before a batch is done. */
export function createBatchPasses<Memory>(
  options: Omit<StepRunnerOptions<Memory>, 'runPass'>,
): (batch: readonly StepInput[]) => BatchPasses<Memory> {
  const { config, caches, prepare } = options

  function begin(step: StepInput): RunningStep<Memory> | (StepOutput & { type: 'failed' }) {
    const cache = caches.get(step.cache)
    const error = checkStep(step, cache, config)
    if (error) return { type: 'failed', error }
    const rows = rowsOf(step, config)
    // What this step overwrites is lost, whether the step succeeds or not.
    cache.length = step.position
    prepare(cache.memory, step.position, rows)
    const logitRows = step.logits === 'all' ? rows : step.logits === 'last' ? 1 : 0
    // Logits of a large vocabulary are more than all else that a step takes from the engine.
    const largest = cache.part.hasHead && step.largestOnly ? new Int32Array(logitRows) : undefined
    const logits = largest ? 0 : logitRows * config.vocabularySize
    const values = new Float32Array(cache.part.hasHead ? logits : rows * config.hiddenSize)
    return { step, cache, rows, values, largest, failed: 0 }
  }

  return function* (batch) {
    assert(new Set(batch.map((step) => step.cache)).size === batch.length, 'a session occurs once in a batch')
    const steps = batch.map(begin)
    const running = steps.filter((step) => 'values' in step)
    // All rows of a pass run through the same layers.
    for (const [part, alike] of Map.groupBy(running, ({ cache }) => cache.part)) {
      for (const { rows, sessions } of passesOf(alike, config)) {
        const failed = yield { rows, sessions: sessions.length, part }
        for (const [index, session] of sessions.entries()) session.failed |= failed[index]!
      }
    }
    return steps.map((step) => ('values' in step ? end(step) : step))
  }
}

function end<Memory>(running: RunningStep<Memory>): StepOutput {
  if (running.failed !== 0) {
    const first = 31 - Math.clz32(running.failed & -running.failed)
    return { type: 'failed', error: notFinite(FAILURES[first]!) }
  }
  const { cache, step, rows, values, largest } = running
  cache.length = step.position + rows
  if (!cache.part.hasHead) return { type: 'hidden', values }
  return largest ? { type: 'logits', values, largest } : { type: 'logits', values }
}

/** Rows of one pass, and the steps that they are of. */
interface PassOf<Memory> {
  readonly rows: PassRow<Memory>[]
  readonly sessions: RunningStep<Memory>[]
}

/** Rows of all steps in order, in passes. A session that failed in one pass is left out of the next ones. */
function* passesOf<Memory>(steps: readonly RunningStep<Memory>[], config: ModelConfig): Generator<PassOf<Memory>> {
  let pass: PassOf<Memory> = { rows: [], sessions: [] }
  for (const running of steps) {
    for (let row = 0; row < running.rows && running.failed === 0; row++) {
      if (pass.sessions.at(-1) !== running) pass.sessions.push(running)
      pass.rows.push({
        session: pass.sessions.length - 1,
        cache: running.cache.memory,
        position: running.step.position + row,
        ...inputOf(running.step, row, config.hiddenSize),
        output: outputOf(running, row, config),
      })
      if (pass.rows.length < PASS_ROWS_MAX) continue
      yield pass
      pass = { rows: [], sessions: [] }
    }
  }
  if (pass.rows.length > 0) yield pass
}

function inputOf<Memory>(step: StepInput, row: number, hiddenSize: number): Pick<PassRow<Memory>, 'token' | 'values'> {
  if (step.input.type === 'tokens') return { token: step.input.tokens[row]!, values: undefined }
  return { token: 0, values: step.input.values.subarray(row * hiddenSize, (row + 1) * hiddenSize) }
}

/** Where this row's result goes; undefined: nowhere. */
function outputOf<Memory>(running: RunningStep<Memory>, row: number, config: ModelConfig): RowOutput | undefined {
  const { step, cache, rows, values, largest } = running
  const part = (at: number, size: number): RowOutput => ({ values: values.subarray(at * size, (at + 1) * size) })
  if (!cache.part.hasHead) return part(row, config.hiddenSize)
  if (step.logits === 'none' || (step.logits === 'last' && row < rows - 1)) return undefined
  const at = step.logits === 'all' ? row : 0
  return largest ? { largest, at } : part(at, config.vocabularySize)
}
