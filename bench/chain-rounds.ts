/**
 * What distance alone takes: 4, 10 and 25 validators in virtual time, 50 ms between any two and back, where work takes no time. What
 * machines add to it is in chain-scale.ts.
 * @module
 */
import type { Measure } from './bench.ts'
import { quantile } from './chain/figures.ts'
import { virtualBlocks } from './chain/virtual-network.ts'
import { rowOf } from './report.ts'

const SIZES = [4, 10, 25]
const ONE_WAY_MS = 25
const TARGET_MS = 2_000
const SKIPPED = 5
const BLOCKS = 60
const BLOCKS_QUICK = 15

export const chainRounds: Measure = {
  name: 'chain-rounds',
  run: async (bench, report) => {
    for (const validators of SIZES) {
      bench.progress(`distance, ${validators} validators in virtual time`)
      const count = bench.quick ? BLOCKS_QUICK : BLOCKS
      const blocks = await virtualBlocks({ validators, oneWayMs: ONE_WAY_MS, skipped: SKIPPED, count })
      const intervals = blocks.map(({ intervalMs }) => intervalMs)
      const finals = blocks.flatMap(({ finalMs }) => finalMs)
      report(
        rowOf({
          measure: `block interval p50 ÷ 2 s in virtual time, ${validators} validators`,
          ratios: [quantile(intervals, 0.5) / TARGET_MS],
          values: {
            'block interval p50 ms': [quantile(intervals, 0.5)],
            'proposed to final p50 ms': [quantile(finals, 0.5)],
            'proposed to final p90 ms': [quantile(finals, 0.9)],
            blocks: [blocks.length],
          },
        }),
      )
    }
  },
}
