/**
 * How many transfers a node applies per second on one core: blocks of 2,000 among 10,000 accounts, executed, put into the state tree and
 * checked against the header's root, with and without the check of each signature. Against 2,000 per second.
 * @module
 */
import type { Measure } from './bench.ts'
import { checkMs, commitOf, makeWorld, nextBlock } from './chain/one-core.ts'
import { rowOf } from './report.ts'

const TRANSFERS = 2_000
const TARGET_PER_SECOND = 2_000

export const chainApply: Measure = {
  name: 'chain',
  run: async (bench, report) => {
    bench.progress('chain, keys of 10,000 accounts')
    const world = makeWorld()
    const withSignatures: number[] = []
    const withoutSignatures: number[] = []
    for (let run = -1; run < bench.runs; run++) {
      bench.signal.throwIfAborted()
      bench.progress(`chain, run ${run + 1} of ${bench.runs}`)
      const block = nextBlock(world, TRANSFERS)
      const all = checkMs(world.chain, block, false)
      const applied = checkMs(world.chain, block, true)
      world.chain.apply(block, commitOf(world, block))
      // The first blocks are run by code that is not compiled yet.
      if (run < 0) continue
      withSignatures.push((TRANSFERS * 1_000) / all)
      withoutSignatures.push((TRANSFERS * 1_000) / applied)
      await new Promise((resolve) => setImmediate(resolve))
    }
    report(
      rowOf({
        measure: 'transfers applied ÷ 2,000 per second, one core',
        ratios: withSignatures.map((perSecond) => perSecond / TARGET_PER_SECOND),
        target: { atLeast: 1 },
        values: { 'with signatures per s': withSignatures, 'signatures known per s': withoutSignatures },
      }),
    )
  },
}
