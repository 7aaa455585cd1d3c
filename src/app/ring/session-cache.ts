/**
 * The cache of one session at one stage. Rows of a prompt that it has computed before, for this session or an earlier one of the same client, are not
 * computed again: what came out then comes out once more, at its turn.
 * Spec: docs/spec/wire.md §4.10.
 * @module
 */

import { milliseconds } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import { PREFIX_LIMITS } from '../../base/prefix-limits.ts'
import { floatsFromBytes } from '../../ml/digest.ts'
import { type CacheId, EngineError, type StepInput, type StepOutput } from '../../ml/engine/engine.ts'
import { joinFloats } from '../../ml/join-floats.ts'
import type { LayerRange } from '../../ml/tensors.ts'
import type { EngineHost, StepRun } from '../engine-host.ts'
import { yieldToEvents } from '../system.ts'
import { keysOf, keyWordsOf } from './prefix-keys.ts'
import type { PrefixMemory } from './prefix-memory.ts'
import type { Parked, ShelfPlace } from './prefix-shelf.ts'
import type { TokenStep } from './prompt-steps.ts'
import type { RecallPace } from './recall-pace.ts'
import { RingError } from './ring-error.ts'
import type { RingPlace } from './ring-place.ts'
import { settled } from './settled.ts'

export interface SessionCache {
  /** `earlier`: resolves when what was run before has been passed on; what is recalled must not overtake it. */
  run(step: TokenStep, wish: LogitsWish, earlier: Promise<unknown>): Promise<CacheRun>
  /** No run begins any more. When those under way are over, it is kept for a later session, or freed. */
  end(): Promise<void>
}

/** What of a step's logits is wanted. */
export type LogitsWish = Pick<StepInput, 'logits' | 'largestOnly'>

/** Of a step: as the engine gives it, of all its rows. Times are those of the rows that were computed now. */
export interface CacheRun extends StepRun {
  /** Rows that were not computed now. */
  readonly recalledRows: number
  /** What they took when they were. */
  readonly recalledMs: number
}

export interface SessionCacheParts {
  readonly host: EngineHost
  /** Open, and empty. */
  readonly cache: CacheId
  readonly capacity: number
  readonly part: LayerRange
  readonly place: Pick<RingPlace, 'isFirst' | 'isTail'>
  readonly hiddenSize: number
  /** Where caches of this client are kept; undefined: nothing is remembered. */
  readonly shelf: ShelfPlace | undefined
  /** Of what is recalled; undefined: as fast as it goes. */
  readonly pace?: RecallPace | undefined
}

const NOTHING = { recalledRows: 0, recalledMs: 0 }

export function createSessionCache(parts: SessionCacheParts): SessionCache {
  const { host, place, hiddenSize, shelf, pace } = parts
  const memories = shelf && createMemories(parts, shelf)
  /** Positions that the session's steps have computed; the cache may have more, from an earlier session. */
  let held = 0
  /** Resolves when no run is under way. An engine may not lose a cache of which a step waits in its queue. */
  let resting: Promise<void> = Promise.resolve()
  /** Lets go who waits for the pace. */
  const over = new AbortController()

  const inputOf = ({ tokens, rows }: TokenStep, first: number): StepInput['input'] => {
    if (place.isFirst) return { type: 'tokens', tokens: first === 0 ? tokens : tokens.slice(first) }
    return { type: 'hidden', values: floatsFromBytes(rows.subarray(first * hiddenSize * 4)) }
  }
  /** Rows of a step from `first` on. */
  const compute = async (step: TokenStep, first: number, wish: LogitsWish): Promise<StepRun> => {
    const position = step.position + first
    const work = host.run({ cache: memories?.cache ?? parts.cache, position, input: inputOf(step, first), ...wish })
    if (memories === undefined) return work
    memories.begin(position)
    try {
      const run = await work
      memories.note(step, first, run)
      return run
    } catch (error) {
      memories.begin(0)
      throw error
    }
  }

  /** Where it goes on by link, and nobody pays: in its turn, or not at all. */
  const mayPass = async (rows: number, computeMs: number): Promise<boolean> =>
    pace === undefined || place.isTail || pace.take(rows * hiddenSize * 4, milliseconds(computeMs), over.signal)

  const run: SessionCache['run'] = async (step, wish, earlier) => {
    const { position, tokens } = step
    if (position > held) return refused(position, held)
    held = position + tokens.length
    if (!step.acknowledge || !memories?.mayRecall(position)) {
      return { ...(await compute(step, 0, wish)), ...NOTHING }
    }
    await earlier
    const isDrawn = place.isTail && wish.logits !== 'none'
    const most = tokens.length - (isDrawn ? 1 : 0)
    const count = Math.min(most, await memories.find(step))
    const recalledMs = memories.computeMs(position, count)
    if (count === 0 || !(await mayPass(count, recalledMs))) return { ...(await compute(step, 0, wish)), ...NOTHING }
    const values = memories.recall(step, count)
    const recalled = { recalledRows: count, recalledMs }
    if (count === tokens.length) return { ...AT_ONCE, output: outputOf(values), ...recalled }
    const rest = await compute(step, count, wish)
    return { ...rest, output: joined(values, rest.output), ...recalled }
  }

  return {
    run(...asked) {
      const work = run(...asked)
      resting = settled(resting, work)
      return work
    },
    async end() {
      over.abort(new RingError('RING_CLOSED', 'The session has ended.'))
      await resting
      if (memories) await memories.end()
      else await host.closeCache(parts.cache).catch(() => undefined)
    },
  }
}

const AT_ONCE = { computeMs: milliseconds(0), queueMs: milliseconds(0) }
const NO_VALUES = new Float32Array(0)

function outputOf(values: Float32Array | undefined): StepOutput {
  return values === undefined ? { type: 'logits', values: NO_VALUES } : { type: 'hidden', values }
}

function joined(first: Float32Array | undefined, rest: StepOutput): StepOutput {
  if (rest.type !== 'hidden' || first === undefined) return rest
  return { type: 'hidden', values: joinFloats([first, rest.values]) }
}

/** As an engine says it; this one's cache may hold more than the session knows of. */
function refused(position: number, length: number): CacheRun {
  const message = 'The step does not continue what this session has computed so far.'
  const error = new EngineError('ENGINE_BAD_POSITION', message, { details: { position, length } })
  return { output: { type: 'failed', error }, ...AT_ONCE, ...NOTHING }
}

/** Rows of a step from `first` on, as they came out. */
interface Computed {
  readonly step: TokenStep
  readonly first: number
  readonly values: Float32Array | undefined
  readonly computeMs: number
}

/** The session's memory and cache, which another one's may take the place of. */
interface Memories {
  readonly cache: CacheId
  /** Whether anything could be remembered of a step there. */
  mayRecall(position: number): boolean
  /** How many rows of the step, from its first, the cache has; no other step is under way. */
  find(step: TokenStep): Promise<number>
  /** The first rows of the step. */
  recall(step: TokenStep, rows: number): Float32Array | undefined
  computeMs: PrefixMemory['computeMs']
  /** What is there from `position` on is about to be overwritten. */
  begin(position: number): void
  /**
   * Rows of a step from `first` on were computed. They are written down when they are many, or when something is looked up: what stands for a
   * row takes a digest, and a row that has just been computed has the next stage waiting.
   */
  note(step: TokenStep, first: number, run: StepRun): void
  end(): Promise<void>
}

function createMemories(parts: SessionCacheParts, shelf: ShelfPlace): Memories {
  const { host, capacity, part, place, hiddenSize } = parts
  const keyWords = keyWordsOf(place)
  let memory = shelf.createMemory({ keyWords, width: place.isTail ? 0 : hiddenSize })
  let { cache } = parts
  /** Nothing was computed in it. */
  let isFresh = true
  /** Those of a step are asked for when something is looked up, and when it was computed. */
  let latest: { readonly step: TokenStep; readonly keys: Int32Array } | undefined

  const unwritten: Computed[] = []
  let unwrittenRows = 0

  const write = (): void => {
    for (const { step, first, values, computeMs } of unwritten) {
      const keys = keysOfStep(step).subarray(first * keyWords)
      latest = undefined
      memory.note(step.position + first, { keys, values, computeMs })
    }
    unwritten.length = 0
    unwrittenRows = 0
  }
  const keysOfStep = (step: TokenStep): Int32Array => {
    if (latest?.step !== step) latest = { step, keys: keysOf(step, place.isFirst) }
    return latest.keys
  }
  /** Takes over what is kept, if that is more than `least` positions. False: there is no room for it, or its engine is about to go. */
  const adopt = async (parked: Parked, least: number): Promise<boolean> => {
    const copy = parked.memory.share(capacity)
    if (copy.rows <= least) {
      copy.cut(0)
      return false
    }
    let target = cache
    try {
      if (!isFresh) target = await host.openCache(capacity, part)
      await host.shareCache(parked.cache, target, copy.rows)
    } catch (error) {
      copy.cut(0)
      if (target !== cache) await host.closeCache(target).catch(() => undefined)
      if (error instanceof HouseError) return false
      throw error
    }
    const before = cache
    cache = target
    isFresh = false
    memory.cut(0)
    memory = copy
    if (before !== target) await host.closeCache(before).catch(() => undefined)
    return true
  }

  return {
    get cache() {
      return cache
    },
    mayRecall(position) {
      write()
      return position < memory.rows || shelf.hasAny()
    },
    async find(step) {
      write()
      const { position, tokens } = step
      const keys = keysOfStep(step)
      const own = memory.matching(position, keys)
      if (own === tokens.length || memory.rows < position) return own
      const other = shelf.find(memory, { position, keys }, own)
      if (other === undefined || !(await other.use(() => adopt(other, position + own)))) return own
      return memory.matching(position, keys)
    },
    recall({ position, tokens }, rows) {
      // Nothing of the step will be noted: a session that rests keeps no frame.
      if (rows === tokens.length) latest = undefined
      return memory.recall(position, rows)
    },
    computeMs: (position, rows) => memory.computeMs(position, rows),
    begin(position) {
      isFresh = false
      const last = unwritten.at(-1)
      // It goes on where the one before ended: nothing is overwritten.
      if (last && position === last.step.position + last.step.tokens.length) return
      write()
      memory.cut(position)
    },
    note(step, first, { output, computeMs }) {
      if (output.type === 'failed') {
        write()
        memory.cut(0)
        return
      }
      unwritten.push({ step, first, values: output.type === 'hidden' ? output.values : undefined, computeMs })
      unwrittenRows += step.tokens.length - first
      if (unwrittenRows >= PREFIX_LIMITS.unwrittenRowsMax) void yieldToEvents().then(write)
    },
    end() {
      write()
      return shelf.park(cache, memory)
    },
  }
}
