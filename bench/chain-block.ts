/**
 * How long a block holds up the event loop, by its number of transfers: the longest piece of work that nothing comes between. Making
 * and checking a block are done in steps, applying it is one piece, and so is what a node does with its bytes. Against 50 ms. One core,
 * no disk; a node does 10 ms of steps in a turn.
 * @module
 */
import type { Steps } from '../src/base/steps.ts'
import { decodeBlock, encodeBlock } from '../src/core/block/block.ts'
import { createChain } from '../src/core/chain.ts'
import type { Measure } from './bench.ts'
import { commitOf, fillPool, makeWorld, PORTS, requestOf, type World } from './chain/one-core.ts'
import { rowOf } from './report.ts'

const SIZES = [1_000, 4_000]
const TURN_MS = 50
/** Until the code is compiled. */
const WARM_UPS = 4

export const chainBlock: Measure = {
  name: 'chain-block',
  run: async (bench, report) => {
    bench.progress('blocks, keys of 10,000 accounts')
    const world = makeWorld()
    const other = createChain(world.start, PORTS)
    for (let run = 0; run < WARM_UPS; run++) measure(world, other, 1_000)
    for (const transfers of SIZES) {
      const samples: Record<string, number>[] = []
      for (let run = 0; run < bench.runs; run++) {
        bench.signal.throwIfAborted()
        bench.progress(`blocks of ${transfers} transfers, run ${run + 1} of ${bench.runs}`)
        samples.push(measure(world, other, transfers))
        await new Promise((resolve) => setImmediate(resolve))
      }
      const names = Object.keys(samples[0]!)
      report(
        rowOf({
          measure: `longest piece of a block ÷ ${TURN_MS} ms, ${transfers} transfers`,
          ratios: samples.map((sample) => longestOf(sample) / TURN_MS),
          target: { atMost: 1 },
          values: Object.fromEntries(names.map((name) => [name, samples.map((sample) => sample[name]!)])),
        }),
      )
    }
  },
}

function longestOf(sample: Record<string, number>): number {
  return Math.max(...Object.entries(sample).flatMap(([name, ms]) => (name.endsWith('in all ms') ? [] : [ms])))
}

/** Milliseconds. `other` is a node whose pool does not know the transfers: it checks every signature. */
function measure(world: World, other: World['chain'], transfers: number): Record<string, number> {
  const { chain } = world
  fillPool(world, transfers)
  const request = requestOf(chain)
  const made = walk(chain.prepare({ type: 'propose', request }))
  const proposed = chain.propose(request)
  const coded = timed(() => decodeBlock(encodeBlock(proposed)))
  const block = coded.value
  const read = walk(other.prepare({ type: 'read', block }))
  const checked = walk(other.prepare({ type: 'check', block }))
  const commit = commitOf(world, block)
  const applied = timed(() => chain.apply(block, commit))
  other.apply(block, commit)
  return {
    'step of making ms': made.longestMs,
    'step of reading ms': read.longestMs,
    'step of checking ms': checked.longestMs,
    'coding ms': coded.ms,
    'apply and pool ms': applied.ms,
    'making in all ms': made.ms,
    'reading in all ms': read.ms,
    'checking, signatures too, in all ms': checked.ms,
  }
}

function walk(steps: Steps): { readonly ms: number; readonly longestMs: number } {
  let longestMs = 0
  let ms = 0
  for (let isDone = false; !isDone; ) {
    const step = timed(() => steps.next())
    isDone = step.value.done === true
    longestMs = Math.max(longestMs, step.ms)
    ms += step.ms
  }
  return { ms, longestMs }
}

function timed<Value>(work: () => Value): { readonly value: Value; readonly ms: number } {
  const startedMs = performance.now()
  const value = work()
  return { value, ms: performance.now() - startedMs }
}
