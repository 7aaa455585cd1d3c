/**
 * Passes of the wasm engine: writes the structures of one pass, runs it, copies results out.
 * Structures: native/exact1.h, in the same order.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { type ModelConfig, paddedColumns } from '../config.ts'
import { extrasOf, ropeConfigs, scoreFactor } from '../extras.ts'
import { createRopePages } from '../rope.ts'
import type { LayerRange } from '../tensors.ts'
import type { PagedCache } from './cache-pages.ts'
import { logitRowsOf, PASS_ROWS_MAX, type PassRow, putRow } from './step-runner.ts'
import type { WasmHeap } from './wasm-heap.ts'
import {
  bitsOf,
  GATE_CODES,
  LAYER_WORDS,
  operandWords,
  ROW_WORDS,
  STAGE_LAYER_COUNT,
  STAGE_LAYERS,
  TASK_HEADS,
  UNIT_ROWS,
  writeWords,
} from './wasm-layout.ts'
import type { WasmTable } from './wasm-pages.ts'
import type { LoadedWeights } from './wasm-weights.ts'

export interface PassRunner {
  /** Makes sure that scratch is long enough for sessions of this capacity. */
  allowPositions(capacity: number): void
  /** Runs at most PASS_ROWS_MAX rows through `part`; a word of failure bits per session. */
  run(rows: readonly PassRow<PagedCache<WasmTable>>[], sessions: number, part: LayerRange): Uint32Array
}

export interface PassRunnerOptions {
  readonly config: ModelConfig
  readonly range: LayerRange
  readonly heap: WasmHeap
  readonly weights: LoadedWeights
  readonly threads: number
  /** Weight bytes × rows of a layer per thread that takes part. */
  readonly bytesPerThread: number
  /** Runs the job at this address on `team` threads. */
  readonly runJob: (job: number, team: number) => void
}

/** Addresses of what this side writes and reads; the rest is known to native code alone. */
interface Scratch {
  readonly x: number
  readonly logits: number
  readonly logitsWidth: number
  /** Tables of this pass's rows, each with those of the layers that rotate otherwise, where there are any. */
  readonly ropes: readonly { readonly cos: number; readonly sin: number }[]
  /** Address of stage.scores, which the field scores_width follows. */
  readonly scoresField: number
}

export function createPassRunner(options: PassRunnerOptions): PassRunner {
  const { config, range, heap, weights, threads, bytesPerThread, runJob } = options
  const { stage, scratch } = writeStage(options)
  const rowsAddress = heap.reserve(PASS_ROWS_MAX * ROW_WORDS * 4)
  const failedAddress = heap.reserve(PASS_ROWS_MAX * 4)
  const logitRowsAddress = heap.reserve(PASS_ROWS_MAX * 4)
  const job = writeWords(heap, [stage, 0, rowsAddress, failedAddress, 0, logitRowsAddress])
  const layerBytes = weights.bytes / Math.max(range.lastLayer - range.firstLayer, 1)
  const rotarySize = extrasOf(config).rotarySize
  const ropes = ropeConfigs(config).map(createRopePages)
  let positionsMax = 0

  function allowPositions(capacity: number): void {
    if (capacity <= positionsMax) return
    // Doubling bounds what outgrown scratch wastes.
    const positions = Math.max(capacity, positionsMax * 2, 1_024)
    const width = Math.ceil((positions + 16) / 16) * 16
    const scores = heap.reserve(threads * TASK_HEADS * width * 4)
    heap.words().set([scores, width], scratch.scoresField / 4)
    positionsMax = positions
  }

  function writeRows(rows: readonly PassRow<PagedCache<WasmTable>>[]): void {
    const { hiddenSize } = config
    const width = paddedColumns(hiddenSize)
    const floats = heap.floats()
    for (const [index, row] of rows.entries()) {
      const { table } = row.cache
      heap
        .words()
        .set([table.address, table.columns, row.position, row.token, row.session], rowsAddress / 4 + index * ROW_WORDS)
      for (const [which, tables] of ropes.entries()) {
        const { cos, sin } = tables(row.position)
        floats.set(cos, scratch.ropes[which]!.cos / 4 + (index * rotarySize) / 2)
        floats.set(sin, scratch.ropes[which]!.sin / 4 + (index * rotarySize) / 2)
      }
      if (row.values === undefined) continue
      const start = scratch.x / 4 + index * width
      floats.set(row.values, start)
      // A row that failed before may have left NaN in the padding.
      floats.fill(0, start + hiddenSize, start + width)
    }
  }

  /** Helpers read the structure of the stage while a job runs, so it may change between two (native/exact1.c, run_job). */
  function choosePart(part: LayerRange): void {
    const words = heap.words()
    words[stage / 4 + STAGE_LAYER_COUNT] = part.lastLayer - part.firstLayer
    words[stage / 4 + STAGE_LAYERS] = weights.layers + (part.firstLayer - range.firstLayer) * LAYER_WORDS * 4
    words[stage / 4 + STAGE_LAYERS + 1] = part.hasEmbedding ? weights.embedding : 0
  }

  function copyOut(
    rows: readonly PassRow<PagedCache<WasmTable>>[],
    logitRows: readonly number[],
    part: LayerRange,
  ): void {
    const floats = heap.floats()
    if (part.hasHead) {
      for (const [at, index] of logitRows.entries()) {
        const start = scratch.logits / 4 + at * scratch.logitsWidth
        putRow(rows[index]!.output!, floats.subarray(start, start + config.vocabularySize))
      }
      return
    }
    for (const [index, row] of rows.entries()) {
      const start = scratch.x / 4 + index * paddedColumns(config.hiddenSize)
      if (row.output) putRow(row.output, floats.subarray(start, start + config.hiddenSize))
    }
  }

  function run(rows: readonly PassRow<PagedCache<WasmTable>>[], sessions: number, part: LayerRange): Uint32Array {
    assert(rows.length <= PASS_ROWS_MAX, 'a pass is bounded')
    choosePart(part)
    writeRows(rows)
    const logitRows = logitRowsOf(rows, part)
    const words = heap.words()
    words.set(logitRows, logitRowsAddress / 4)
    words.fill(0, failedAddress / 4, failedAddress / 4 + sessions)
    words[job / 4 + 1] = rows.length
    words[job / 4 + 4] = logitRows.length
    runJob(job, Math.min(threads, Math.max(1, Math.floor((layerBytes * rows.length) / bytesPerThread))))
    copyOut(rows, logitRows, part)
    return words.slice(failedAddress / 4, failedAddress / 4 + sessions)
  }

  return {
    allowPositions,
    run,
  }
}

/** struct stage */
function writeStage(options: PassRunnerOptions): { stage: number; scratch: Scratch } {
  const { config, range, heap, weights } = options
  const { headCount, keyValueHeadCount, headSize } = config
  const hidden = paddedColumns(config.hiddenSize)
  const headWidth = Math.ceil(headSize / 16) * 16
  const queryWidth = paddedColumns(headCount * headSize)
  const keyWidth = paddedColumns(keyValueHeadCount * headSize)
  const inner = paddedColumns(config.intermediateSize)
  const rows = (width: number) => heap.reserve(PASS_ROWS_MAX * width * 4)
  const logitsWidth = range.hasHead ? Math.ceil(config.vocabularySize / UNIT_ROWS) * UNIT_ROWS : 0
  const extras = extrasOf(config)
  const [x, logits] = [rows(hidden), rows(logitsWidth)]
  const half = extras.rotarySize / 2
  const ropes = ropeConfigs(config).map(() => ({ cos: rows(half), sin: rows(half) }))
  const [global, local = { cos: 0, sin: 0 }] = ropes
  const words = [
    ...[config.hiddenSize, hidden, headCount, keyValueHeadCount, headSize, headWidth],
    ...[0, bitsOf(config.normEpsilon), bitsOf(scoreFactor(config))], // layer count, layers, embedding: choosePart
    ...[0, 0, weights.outputNorm, weights.head, x],
    ...operandWords(heap, hidden),
    ...operandWords(heap, queryWidth),
    ...operandWords(heap, inner),
    ...[rows(queryWidth), rows(keyWidth), rows(keyWidth), queryWidth, keyWidth],
    ...[rows(headCount * headWidth), rows(inner), logits, logitsWidth],
  ]
  const scoresAt = words.length
  const stage = writeWords(heap, [
    ...[...words, 0, 0, global!.cos, global!.sin, local.cos, local.sin],
    ...[extras.outputNorms ? rows(hidden) : 0, extras.rotarySize, GATE_CODES[extras.gate]],
    ...[extras.embeddingFactor, extras.scoreCap, extras.logitCap].map(bitsOf),
  ])
  return { stage, scratch: { x, logits, logitsWidth, ropes, scoresField: stage + scoresAt * 4 } }
}
