/**
 * Several runners, each with a part of one run of layers, as one: what one computes goes on in the next. For a miner with several GPUs.
 * Spec: docs/spec/gpu.md §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { milliseconds } from '../../base/brand.ts'
import type { CacheId, StepInput, StepOutput } from '../../ml/engine/engine.ts'
import type { LayerRange } from '../../ml/tensors.ts'
import type { BatchRunner } from '../engine-host.ts'

export interface RunnerPart {
  readonly runner: BatchRunner
  readonly range: LayerRange
}

/** Where a session's steps go, in their order. */
interface Way {
  readonly places: ReadonlyMap<BatchRunner, CacheId>
}

/** `parts`: neighbours, in the order of the layers; closed with this one. */
export function createSplitRunner(parts: readonly RunnerPart[]): BatchRunner {
  const [first] = parts
  assert(first !== undefined, 'there is a part at least')
  const ways = new Map<CacheId, Way>()
  let nextId: CacheId = 1
  const runners = parts.map(({ runner }) => runner)
  const { engine, config, device } = first.runner
  const names = runners.map((runner) => runner.device?.name ?? runner.engine)

  return {
    ...{ engine, config },
    device: device === undefined ? undefined : { ...device, name: names.join(' + ') },
    weightBytes: runners.reduce((sum, runner) => sum + runner.weightBytes, 0),
    async openCache(capacity, part) {
      const places = new Map<BatchRunner, CacheId>()
      try {
        for (const { runner, range } of parts) {
          const common = part === undefined ? range : commonOf(range, part)
          if (common !== undefined) places.set(runner, await runner.openCache(capacity, common))
        }
      } catch (error) {
        for (const [runner, cache] of places) await runner.closeCache(cache).catch(() => undefined)
        throw error
      }
      const id = nextId++
      ways.set(id, { places })
      return id
    },
    async closeCache(id) {
      const { places } = wayOf(ways, id)
      ways.delete(id)
      for (const [runner, cache] of places) await runner.closeCache(cache)
    },
    async shareCache(from, to, rows) {
      const source = wayOf(ways, from).places
      for (const [runner, cache] of wayOf(ways, to).places) {
        const own = source.get(runner)
        assert(own !== undefined, 'caches of one part are in the same places')
        await runner.shareCache(own, cache, rows)
      }
    },
    run: (batch) => runThrough(runners, batch, ways),
    lost: Promise.race(runners.map(({ lost }) => lost)),
    async close() {
      for (const runner of runners) await runner.close()
    },
  }
}

async function runThrough(
  runners: readonly BatchRunner[],
  batch: readonly StepInput[],
  ways: ReadonlyMap<CacheId, Way>,
): ReturnType<BatchRunner['run']> {
  const outputs: (StepOutput | undefined)[] = batch.map(() => undefined)
  let totalMs = 0
  for (const runner of runners) {
    const steps = batch.flatMap((step, index) => {
      const cache = wayOf(ways, step.cache).places.get(runner)
      const before = outputs[index]
      if (cache === undefined || before?.type === 'failed') return []
      const input: StepInput['input'] = before === undefined ? step.input : { type: 'hidden', values: before.values }
      return [{ index, step: { ...step, cache, input } }]
    })
    if (steps.length === 0) continue
    const { outputs: found, computeMs } = await runner.run(steps.map(({ step }) => step))
    for (const [at, { index }] of steps.entries()) outputs[index] = found[at]!
    totalMs += computeMs
  }
  assert(
    outputs.every((output) => output !== undefined),
    'every session has a part somewhere',
  )
  return { outputs, computeMs: milliseconds(totalMs) }
}

function wayOf(ways: ReadonlyMap<CacheId, Way>, id: CacheId): Way {
  const way = ways.get(id)
  assert(way, 'the cache is open')
  return way
}

/** What both have; undefined: nothing. */
function commonOf(a: LayerRange, b: LayerRange): LayerRange | undefined {
  const firstLayer = Math.max(a.firstLayer, b.firstLayer)
  const lastLayer = Math.max(firstLayer, Math.min(a.lastLayer, b.lastLayer))
  const hasEmbedding = a.hasEmbedding && b.hasEmbedding
  const hasHead = a.hasHead && b.hasHead
  if (firstLayer === lastLayer && !hasEmbedding && !hasHead) return undefined
  return { firstLayer, lastLayer, hasEmbedding, hasHead }
}
