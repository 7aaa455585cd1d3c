/**
 * An engine for tests of what stages remember: what comes out of a row tells of all rows before it, so that a cache that has others shows. Counts what it
 * computes, and insists on how it is used.
 * @module
 */
import type { EngineHost, StepRun } from '../src/app/engine-host.ts'
import { assert } from '../src/base/assert.ts'
import { milliseconds } from '../src/base/brand.ts'
import { type CacheId, EngineError, type StepInput, type StepOutput } from '../src/ml/engine/engine.ts'
import type { LayerRange } from '../src/ml/tensors.ts'

/** Of each row: what came in, and what tells of all before it. */
export const WIDTH = 2
export const PART: LayerRange = { firstLayer: 1, lastLayer: 2, hasEmbedding: false, hasHead: false }

export interface PrefixHost extends EngineHost {
  /** Rows that were computed. */
  computed: number
  /** Positions that it has memory for, of all caches together. */
  positionsMax: number
  /** Steps fail. */
  fails: boolean
  readonly open: ReadonlyMap<CacheId, { readonly capacity: number; readonly rows: readonly number[] }>
}

/** What the row behind these comes out as. */
export function rowOut(text: readonly number[]): readonly [number, number] {
  // Below 2²⁴, so that f32 has it.
  return [text.at(-1)!, text.reduce((sum, one) => (sum * 31 + one + 1) % 15_485_863, 7)]
}

export function createPrefixHost({ hasHead = false } = {}): PrefixHost {
  const open = new Map<CacheId, { capacity: number; rows: number[] }>()
  let nextId = 1
  let giveBack = async (): Promise<boolean> => false
  const get = (id: CacheId) => {
    const cache = open.get(id)
    assert(cache, 'the cache is open')
    return cache
  }
  const inputsOf = ({ input }: StepInput): number[] => {
    if (input.type === 'tokens') return [...input.tokens]
    return [...input.values].filter((_value, index) => index % WIDTH === 0)
  }
  const outputOf = (step: StepInput): StepOutput => {
    const { position, logits } = step
    const { rows, capacity } = get(step.cache)
    const inputs = inputsOf(step)
    assert(position <= rows.length && position + inputs.length <= capacity, 'a step goes on within the cache')
    host.computed += inputs.length
    if (host.fails) return { type: 'failed', error: new EngineError('ENGINE_NOT_FINITE', 'no number') }
    rows.length = position
    const values: number[] = []
    for (const one of inputs) {
      rows.push(one)
      values.push(...rowOut(rows))
    }
    if (!hasHead) return { type: 'hidden', values: Float32Array.from(values) }
    const from = { none: values.length, last: values.length - WIDTH, all: 0 }[logits]
    return { type: 'logits', values: Float32Array.from(values.slice(from)) }
  }
  const host: PrefixHost = {
    ...{ engine: 'reference', weightBytes: 0, computed: 0, positionsMax: 1_000, fails: false, open },
    async openCache(capacity) {
      const used = () => [...open.values()].reduce((sum, cache) => sum + cache.capacity, 0)
      while (used() + capacity > host.positionsMax) {
        if (!(await giveBack())) throw new EngineError('ENGINE_OUT_OF_MEMORY', 'full')
      }
      open.set(nextId, { capacity, rows: [] })
      return nextId++
    },
    async closeCache(cache) {
      get(cache)
      open.delete(cache)
    },
    async shareCache(from, to, rows) {
      const [source, target] = [get(from), get(to)]
      assert(target.rows.length === 0 && rows <= source.rows.length && rows <= target.capacity, 'rows are shared once')
      target.rows.push(...source.rows.slice(0, rows))
    },
    whenFull(next) {
      giveBack = next
    },
    async run(step): Promise<StepRun> {
      return { output: outputOf(step), computeMs: milliseconds(inputsOf(step).length), queueMs: milliseconds(0) }
    },
    close: async () => undefined,
  }
  return host
}
