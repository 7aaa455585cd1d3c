/**
 * Recomputes audited windows of a lot from what went into the lot: all steps from the lease's first row on, in the auditor's own engine, rewinds
 * included, because the cache follows from them. Rows are computed in other pieces than the ring did, some steps of decoding at once: the bits do
 * not depend on it. Only audited windows are digested, and only there tokens are drawn.
 * Spec: docs/spec/market.md §8, §9.3, docs/spec/numerics.md §1.
 * @module
 */
import { type Hash, milliseconds } from '../../base/brand.ts'
import { AUDIT_LIMITS } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { hashOf } from '../../core/fields.ts'
import { findingOf, type Receipt } from '../../core/market/receipt.ts'
import { floatsFromBytes } from '../../ml/digest.ts'
import type { CacheId, StepInput, StepOutput } from '../../ml/engine/engine.ts'
import type { AuditAnswer, AuditItem } from '../../net/protocols/audit.ts'
import type { StageMessageOf } from '../../net/protocols/stage.ts'
import { NO_ROWS_DIGEST, nextRowDigest, outputBytes, type RowDigest } from '../market/row-digest.ts'
import type { StagePart } from '../ring/check-open.ts'
import { createTail, type Tail } from '../ring/tail.ts'
import { asBadData, badData } from './audit-error.ts'
import { type AuditedLot, type CheckedStep, createInputCheck } from './input-check.ts'

/** What the miner of the lot sends. */
export interface LotInputs {
  readonly cover: Extract<AuditAnswer, { type: 'cover' }>
  readonly items: AsyncIterable<AuditItem>
}

export interface RecomputeOptions {
  readonly audited: Omit<AuditedLot, 'hiddenSize' | 'hasEmbedding'>
  /** The auditor's own engine, and the lot's layers of it. */
  readonly engine: StagePart
  /** Whether somebody who pays uses the engine now: half of the time is left to them. */
  readonly isBusy: () => boolean
  readonly signal: AbortSignal
}

/**
 * The findings (market.md §8) of the windows that cover the audited rows, by row.
 * @throws AuditError AUDIT_BAD_DATA; what the inputs throw; EngineError where this machine cannot; the signal's reason.
 */
export async function recompute(
  { cover, items }: LotInputs,
  options: RecomputeOptions,
  ports: { clock: Clock },
): Promise<ReadonlyMap<number, Hash>> {
  const { config, part, host } = options.engine
  const { hiddenSize } = config
  try {
    const check = createInputCheck({ ...options.audited, hiddenSize, hasEmbedding: part.hasEmbedding }, cover)
    const cache = await host.openCache(capacityFor(check.cover, config.contextLength), part)
    try {
      const run = createRun(options, { cache, clock: ports.clock })
      for await (const item of items) {
        if (item.type === 'receipt') check.receipt(item.receipt)
        else await run.take(await check.step(item.step))
      }
      if (!check.isWhole) throw badData('steps are missing')
      return run.findings
    } finally {
      await host.closeCache(cache).catch(() => undefined)
    }
  } catch (error) {
    throw asBadData(error)
  }
}

/** Nobody holds more positions than rows were computed. */
function capacityFor({ after }: Receipt, contextLength: number): number {
  const rows = after.promptRows + after.decodeRows
  return rows < BigInt(contextLength) ? Math.max(1, Number(rows)) : contextLength
}

interface Run {
  take(checked: CheckedStep): Promise<void>
  /** Of audited rows, once their windows have ended. */
  readonly findings: ReadonlyMap<number, Hash>
}

type Step = StageMessageOf<'step'>

/** Steps that are computed together: one, or several of decoding whose positions follow each other. */
interface Group {
  readonly steps: Step[]
  readonly isCovering: boolean
}

function createRun({ engine, isBusy, signal }: RecomputeOptions, at: { cache: CacheId; clock: Clock }): Run {
  const { config, part, host } = engine
  const { cache, clock } = at
  const tail = part.hasHead ? createTail({ endTokens: config.endTokens, capacity: Number.MAX_SAFE_INTEGER }) : undefined
  /** Of logits, one row for each step, or of activations. */
  const width = part.hasHead ? config.vocabularySize : config.hiddenSize
  const findings = new Map<number, Hash>()
  let outDigest: RowDigest = NO_ROWS_DIGEST
  let waiting: Group | undefined

  const runRows = async (input: StepInput): Promise<StepOutput & { readonly type: 'hidden' | 'logits' }> => {
    signal.throwIfAborted()
    const { output, computeMs } = await host.run(input)
    if (output.type === 'failed') throw output.error
    if (isBusy()) await clock.sleep(milliseconds(computeMs), signal)
    return output
  }
  const compute = async ({ steps, isCovering }: Group): Promise<void> => {
    const rows = rowsIn(steps, part.hasEmbedding)
    const outputs: Float32Array[] = []
    for (let start = 0; start < rows.count; start += AUDIT_LIMITS.rowsAtOnceMax) {
      const end = Math.min(rows.count, start + AUDIT_LIMITS.rowsAtOnceMax)
      const logits = isCovering && part.hasHead ? logitsFor(steps, end === rows.count) : 'none'
      const output = await runRows({ cache, position: rows.position + start, input: rows.input(start, end), logits })
      if (isCovering) outputs.push(output.values)
    }
    const computed = isCovering ? joined(outputs) : undefined
    let row = 0
    for (const [index, step] of steps.entries()) {
      const [from, count] = tail ? [index, 1] : [row, step.tokens.length]
      const values = computed?.subarray(from * width, (from + count) * width)
      const output = tail ? drawn(tail, step, values) : values
      const bytes = isCovering ? outputBytes(step, output) : undefined
      if (bytes !== undefined) outDigest = await nextRowDigest(outDigest, bytes)
      row += step.tokens.length
    }
  }
  const flush = async (): Promise<void> => {
    const group = waiting
    waiting = undefined
    if (group !== undefined) await compute(group)
  }

  return {
    findings,
    async take({ step, isCovering, ended }) {
      if (waiting !== undefined && !joins(waiting, step, isCovering)) await flush()
      if (waiting === undefined) waiting = { steps: [step], isCovering }
      else waiting.steps.push(step)
      if (!isCovering || ended === undefined) return
      await flush()
      for (const row of ended.rows) findings.set(row, findingOf(ended.receipt, hashOf(outDigest)))
      outDigest = NO_ROWS_DIGEST
    },
  }
}

/** Whether a step goes with those that wait. */
function joins({ steps, isCovering }: Group, step: Step, isNextCovering: boolean): boolean {
  const last = steps.at(-1)!
  return (
    isCovering === isNextCovering &&
    !last.acknowledge &&
    !step.acknowledge &&
    last.sample === step.sample &&
    step.position === last.position + 1 &&
    steps.length < AUDIT_LIMITS.rowsAtOnceMax
  )
}

/** A prompt's step asks for its last row's, steps of decoding for each one's. */
function logitsFor(steps: readonly Step[], isLastPiece: boolean): StepInput['logits'] {
  const [first] = steps
  if (!first!.sample) return 'none'
  if (!first!.acknowledge) return 'all'
  return isLastPiece ? 'last' : 'none'
}

/** What the tail gives for a step: the token that follows it, where one is asked for. */
function drawn(
  tail: Tail,
  step: Step,
  logits: Float32Array | undefined,
): { readonly position: number; readonly token: number } | undefined {
  if (step.generation !== undefined) tail.begin(step.generation)
  tail.note(step.position, step.tokens)
  return logits !== undefined && step.sample ? tail.draw(logits) : undefined
}

interface Rows {
  readonly count: number
  readonly position: number
  /** Of the rows from `start` to before `end`. */
  input(start: number, end: number): StepInput['input']
}

function rowsIn(steps: readonly Step[], hasEmbedding: boolean): Rows {
  const { position } = steps[0]!
  const count = steps.reduce((sum, { tokens }) => sum + tokens.length, 0)
  if (hasEmbedding) {
    const tokens = Int32Array.from(steps.flatMap((step) => [...step.tokens]))
    return { count, position, input: (start, end) => ({ type: 'tokens', tokens: tokens.slice(start, end) }) }
  }
  const values = joined(steps.map(({ rows }) => floatsFromBytes(rows)))
  const width = values.length / count
  const input = (start: number, end: number): StepInput['input'] => {
    return { type: 'hidden', values: values.slice(start * width, end * width) }
  }
  return { count, position, input }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return only
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
