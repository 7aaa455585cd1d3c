/**
 * One stage of the native engine: its weights, caches and threads are the addon's; arrays of one pass are this side's.
 * Spec: docs/spec/numerics.md §1, §6; the other side: native/cpu/stage.h.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { codeOf } from '../../base/error.ts'
import { ENGINE_LIMITS } from '../../base/limits.ts'
import { type ModelConfig, paddedColumns } from '../config.ts'
import { extrasOf, layerAttention, ropeConfigs, scoreFactor } from '../extras.ts'
import { createRopePages } from '../rope.ts'
import type { LayerRange } from '../tensors.ts'
import { createPagePool, type PagedCache, type PageMemory } from './cache-pages.ts'
import { type CacheTable, createCacheTable } from './cache-table.ts'
import {
  type CacheId,
  EngineError,
  PAGE_POSITIONS,
  type Stage,
  type StageOptions,
  type StepInput,
  type StepOutput,
} from './engine.ts'
import type { NativeBinding, PassArrays } from './native-types.ts'
import { loadNativeWeights } from './native-weights.ts'
import {
  createBatchPasses,
  createStepRunner,
  logitRowsOf,
  PASS_ROWS_MAX,
  type Pass,
  type PassRow,
  putRow,
} from './step-runner.ts'

export interface NativeStageOptions extends StageOptions {
  readonly binding: NativeBinding
  readonly instructions: string
  readonly threads: number
  readonly bytesPerThread: number
}

/** A stage whose batches another thread can compute. */
export interface NativeStage extends Stage {
  /** As run; nothing else may be asked of the stage before it is done. */
  runLater(batch: readonly StepInput[]): Promise<{ outputs: StepOutput[]; computeMs: number }>
  /** As closeCache, which takes long where a cache is large: its memory goes back by `tidy`, piece by piece. */
  leaveCache(cache: CacheId): void
  /** Gives a piece of memory back that no cache needs any more (ENGINE_LIMITS.clearBytes); whether there are more. */
  tidy(): boolean
  /** As close, by another thread: weights of some GiB take long to free. */
  closeLater(): Promise<void>
}

/** What a stage that is loaded already still needs here. */
export type GivenStage = Pick<
  NativeStageOptions,
  'config' | 'range' | 'binding' | 'threads' | 'bytesPerThread' | 'cacheBytesMax'
>

/** Opens a stage; throws ENGINE_OUT_OF_MEMORY, and what the source of the weights throws. Neither leaves anything behind. */
export function createNativeStage(options: NativeStageOptions): NativeStage {
  return stageOf(options, loadStage(options))
}

/** Opens one for another thread: the number is for its takeNativeStage. Throws as createNativeStage. */
export function giveNativeStage(options: NativeStageOptions): number {
  return options.binding.give(loadStage(options))
}

/** The stage that a thread of this process has given under this number. */
export function takeNativeStage(options: GivenStage, given: number): NativeStage {
  return stageOf(options, options.binding.take(given))
}

function loadStage(options: NativeStageOptions): number {
  const { config, range, binding } = options
  assert(config.headSize <= ENGINE_LIMITS.headSizeMax, 'a head fits its scratch')
  const stage = withMemory(() => openStage(options))
  try {
    withMemory(() => loadNativeWeights({ config, range, weights: options.weights, binding, stage }))
  } catch (error) {
    binding.close(stage)
    throw error
  }
  return stage
}

function stageOf(options: GivenStage, stage: number): NativeStage {
  const { config, range, binding } = options
  const caches: CacheTable<PagedCache<number>> = createCacheTable(options)
  const pages = createPagePool(pageMemoryOf(binding, stage))
  const { prepare } = pages
  const passesOf = createBatchPasses({ config, caches, prepare })
  const preparePass = createPassPreparer(options, stage)
  const leaveCache = (id: CacheId): void => {
    pages.close(caches.get(id).memory)
    caches.close(id)
  }
  const tidy = (): boolean => pages.tidy(Math.ceil(ENGINE_LIMITS.clearBytes / pageBytes(config)))
  return {
    config,
    range,
    weightBytes: binding.weightBytes(stage),
    openCache: (capacity: number, part?: LayerRange): CacheId =>
      caches.open({ capacity, part }, ({ firstLayer, lastLayer }) => pages.open(capacity, lastLayer - firstLayer)),
    cacheLength: (cache) => caches.get(cache).length,
    leaveCache,
    tidy,
    closeCache(id) {
      leaveCache(id)
      while (tidy());
    },
    shareCache: (from, to, rows) =>
      caches.share({ from, to, rows }, (source, target) => pages.share(source.memory, target.memory, rows)),
    run: createStepRunner({
      ...{ config, caches, prepare },
      runPass(rows, sessions, part) {
        const { input, finish } = preparePass({ rows, sessions, part })
        binding.run(stage, ...input)
        return finish()
      },
    }),
    async runLater(batch) {
      const passes = passesOf(batch)
      let computeMs = 0
      let next = passes.next()
      while (!next.done) {
        const { input, finish } = preparePass(next.value)
        computeMs += await binding.runLater(stage, ...input)
        next = passes.next(finish())
      }
      return { outputs: next.value, computeMs }
    },
    close: () => binding.close(stage),
    closeLater: () => binding.closeLater(stage),
  }
}

/** As the addon has them: keys and values of one layer. */
function pageBytes({ keyValueHeadCount, headSize }: ModelConfig): number {
  return PAGE_POSITIONS * keyValueHeadCount * 2 * Math.ceil(headSize / 16) * 16 * 4
}

/** Pages are the addon's; a table is the number of a cache there. */
function pageMemoryOf(binding: NativeBinding, stage: number): PageMemory<number> {
  return {
    grow: (count) => withMemory(() => binding.growPages(stage, count)),
    openTable: (capacity, layers) => withMemory(() => binding.openCache(stage, capacity, layers)),
    closeTable: (table) => binding.closeCache(stage, table),
    place: (table, column, pages) => binding.placePages(stage, table, column, Uint32Array.from(pages)),
    copy(from, to, rows) {
      const pairs = from.flatMap((page, layer) => [page, to[layer]!])
      binding.copyPages(stage, Uint32Array.from(pairs), rows)
    },
    clear: (pages) => binding.clearPages(stage, Uint32Array.from(pages)),
  }
}

function openStage({ config, range, binding, instructions, threads }: NativeStageOptions): number {
  const extras = extrasOf(config)
  const numbers = Uint32Array.of(
    ...[config.hiddenSize, config.headCount, config.keyValueHeadCount, config.headSize],
    ...[config.intermediateSize, config.vocabularySize],
    ...[range.lastLayer - range.firstLayer, Number(range.hasEmbedding), Number(range.hasHead), threads],
    ...[extras.rotarySize, GATE_CODES[extras.gate], Number(extras.outputNorms), ropeConfigs(config).length - 1],
    ...layersOf(range).flatMap((layer) => {
      const { window, rope } = layerAttention(config, layer)
      return [window, ROPE_CODES[rope]]
    }),
  )
  const floats = [config.normEpsilon, scoreFactor(config), extras.embeddingFactor, extras.scoreCap, extras.logitCap]
  return binding.open(instructions, numbers, Float32Array.from(floats))
}

function layersOf({ firstLayer, lastLayer }: LayerRange): number[] {
  return Array.from({ length: lastLayer - firstLayer }, (_, index) => firstLayer + index)
}

/** ROPE_…, GATE_… of native/exact1.h. */
const ROPE_CODES = { global: 0, local: 1, none: 2 } as const
const GATE_CODES = { silu: 0, gelu: 1 } as const

interface PreparedPass {
  readonly input: readonly [pass: Uint32Array, rows: Int32Array, ...PassArrays]
  /** After it was run: copies its results, and gives the word of failure bits of each session. */
  finish(): Uint32Array
}

/** Integers of one row, and of a pass before its logit rows: native/cpu/passes.h. */
const ROW_INTEGERS = 4
const PASS_INTEGERS = 7

/** One pass at a time: they share arrays. */
function createPassPreparer(options: GivenStage, stage: number): (pass: Pass<PagedCache<number>>) => PreparedPass {
  const { config, range, binding, threads, bytesPerThread } = options
  const { hiddenSize, vocabularySize } = config
  const hiddenWidth = paddedColumns(hiddenSize)
  const logitsWidth = Math.ceil(vocabularySize / 16) * 16
  const x = new Float32Array(PASS_ROWS_MAX * hiddenWidth)
  let logits = new Float32Array(0)
  const rowIntegers = new Int32Array(PASS_ROWS_MAX * ROW_INTEGERS)
  const layerBytes = binding.weightBytes(stage) / Math.max(range.lastLayer - range.firstLayer, 1)
  const half = extrasOf(config).rotarySize / 2
  const tables = ropeConfigs(config).map(createRopePages)
  const ropes = new Float32Array(PASS_ROWS_MAX * tables.length * 2 * half)

  function writeRows(rows: readonly PassRow<PagedCache<number>>[]): void {
    for (const [index, row] of rows.entries()) {
      const at = index * ROW_INTEGERS
      rowIntegers[at] = row.cache.table
      rowIntegers[at + 1] = row.position
      rowIntegers[at + 2] = row.token
      rowIntegers[at + 3] = row.session
      for (const [which, tablesAt] of tables.entries()) {
        const { cos, sin } = tablesAt(row.position)
        ropes.set(cos, (2 * which * rows.length + index) * half)
        ropes.set(sin, ((2 * which + 1) * rows.length + index) * half)
      }
      if (row.values === undefined) continue
      x.set(row.values, index * hiddenWidth)
      // A row that failed before may have left NaN in the padding.
      x.fill(0, index * hiddenWidth + hiddenSize, (index + 1) * hiddenWidth)
    }
  }

  function copyOut(rows: readonly PassRow<PagedCache<number>>[], logitRows: readonly number[], part: LayerRange): void {
    if (part.hasHead) {
      for (const [at, index] of logitRows.entries()) {
        putRow(rows[index]!.output!, logits.subarray(at * logitsWidth, at * logitsWidth + vocabularySize))
      }
      return
    }
    for (const [index, row] of rows.entries()) {
      if (row.output) putRow(row.output, x.subarray(index * hiddenWidth, index * hiddenWidth + hiddenSize))
    }
  }

  return ({ rows, sessions, part }) => {
    writeRows(rows)
    const logitRows = logitRowsOf(rows, part)
    if (logits.length < logitRows.length * logitsWidth) logits = new Float32Array(logitRows.length * logitsWidth)
    const wanted = Math.max(1, Math.floor((layerBytes * rows.length) / bytesPerThread))
    const pass = new Uint32Array(PASS_INTEGERS + logitRows.length)
    pass[0] = part.firstLayer - range.firstLayer
    pass[1] = part.lastLayer - range.firstLayer
    pass[2] = Number(part.hasEmbedding)
    pass[3] = Number(part.hasHead)
    pass[4] = Math.min(threads, wanted)
    pass[5] = rows.length
    pass[6] = sessions
    pass.set(logitRows, PASS_INTEGERS)
    const failed = new Uint32Array(sessions)
    return {
      input: [pass, rowIntegers, x, logits, ropes, failed],
      finish() {
        copyOut(rows, logitRows, part)
        return failed
      },
    }
  }
}

/** The addon throws plain errors: those of memory are expected. */
function withMemory<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof EngineError || codeOf(error) !== 'ENGINE_OUT_OF_MEMORY') throw error
    throw new EngineError(
      'ENGINE_OUT_OF_MEMORY',
      'The model part and its sessions do not fit the memory of this machine; serve fewer segments, use a smaller number format (q8 or q4), or allow fewer sessions.',
      { cause: error },
    )
  }
}
