/**
 * Drafts by a small model: stage 1 holds a whole one with the same tokens, and asks it what it would say next. It draws as the tail does, with the same chance at the
 * same position, so that both say the same where they expect about the same. Its engine takes turns with the others of the miner. It keeps a cache for each session and takes in what was said while nobody waits; who asks meanwhile gets nothing.
 * Spec: docs/spec/wire.md §4.9.
 * @module
 */
import { SESSION_LIMITS } from '../../base/limits.ts'
import type { CacheId, StepInput } from '../../ml/engine/engine.ts'
import { type SamplingOptions, sampleToken } from '../../ml/sampler.ts'
import type { EngineHost } from '../engine-host.ts'

/** A model that drafts for all sessions of a miner that begin with it. */
export interface DraftModel {
  /** Of the whole model. */
  readonly host: EngineHost
  readonly contextLength: number
}

/** The tokens of a session. */
export interface SaidText {
  readonly length: number
  from(position: number): Int32Array
}

/** For one session. */
export interface ModelDrafter {
  /** The text was cut there, and went on otherwise. */
  cut(length: number): void
  /** At most `count` tokens that the model would say after the text; undefined while it reads, or where it cannot. */
  draft(text: SaidText, count: number, options: SamplingOptions): Promise<readonly number[] | undefined>
  /** Frees its cache, after what it is doing. */
  close(): Promise<void>
}

/** What was said since the last draft is read at once up to here; more is read first, and drafted from later. */
const READ_AT_ONCE = 32
/** Of a longer text: the miner's other engines, and the steps that wait for them, have their turn in between. */
const READ_TOKENS = SESSION_LIMITS.sharedRowsMax

export function createModelDrafter(model: DraftModel, positions: number): ModelDrafter {
  const { host } = model
  const capacity = Math.min(positions, model.contextLength)
  /** What its cache holds; of it, so many positions are those of the text. */
  const held: number[] = []
  let agreed = 0
  /** Where the text was cut since it was read last. */
  let cutAt = Number.POSITIVE_INFINITY
  let cache: Promise<CacheId> | undefined
  let working: Promise<unknown> | undefined
  let isOver = false

  /** Logits after the last of these tokens, (vocabulary). */
  const run = async (tokens: Int32Array): Promise<Float32Array> => {
    cache ??= host.openCache(capacity)
    const input: StepInput['input'] = { type: 'tokens', tokens }
    const { output } = await host.run({ cache: await cache, position: held.length, input, logits: 'last' })
    if (output.type === 'failed') throw output.error
    held.push(...tokens)
    return output.values
  }
  /** Reads what is new, at least the last token; gives the logits after it. */
  const read = async (text: SaidText): Promise<Float32Array> => {
    cutAt = Number.POSITIVE_INFINITY
    const fresh = text.from(agreed)
    let same = 0
    while (same < fresh.length - 1 && held[agreed + same] === fresh[same]) same++
    held.length = Math.min(held.length, agreed + same)
    const unread = fresh.subarray(held.length - agreed)
    let logits: Float32Array = new Float32Array(0)
    for (let at = 0; at < unread.length && !isOver; at += READ_TOKENS) {
      logits = await run(unread.slice(at, at + READ_TOKENS))
    }
    agreed = Math.min(held.length, cutAt)
    return logits
  }
  const say = async (text: SaidText, count: number, options: SamplingOptions): Promise<readonly number[]> => {
    const found: number[] = []
    for (let logits = await read(text); ; logits = await run(Int32Array.of(found.at(-1)!))) {
      found.push(sampleToken({ logits, options, history: held, position: held.length }))
      if (found.length === count || isOver) return found
    }
  }
  const work = async <Result>(task: () => Promise<Result>): Promise<Result | undefined> => {
    const doing = task().catch(() => {
      // Without memory, or with a token that it does not have, it drafts nothing; the answer is the same.
      isOver = true
      return undefined
    })
    working = doing
    const result = await doing
    working = undefined
    return result
  }

  return {
    cut(length) {
      agreed = Math.min(agreed, length)
      cutAt = Math.min(cutAt, length)
    },
    async draft(text, count, options) {
      const wanted = Math.min(count, capacity - text.length)
      if (isOver || working !== undefined || wanted < 1) return undefined
      if (text.length - agreed <= READ_AT_ONCE) return work(() => say(text, wanted, options))
      void work(() => read(text))
      return undefined
    },
    async close() {
      isOver = true
      await working
      const open = await cache?.catch(() => undefined)
      if (open !== undefined) await host.closeCache(open).catch(() => undefined)
    },
  }
}
