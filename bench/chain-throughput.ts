/**
 * Transfers per second from users to final blocks: sent by a user through the control server of one validator, checked, told to
 * the others, put into blocks, made final, applied and kept. With one validator, who has nobody to tell, and with four on this
 * machine; more and more is sent, and each pace is a row. Beside it how long the event loop of the validator was held up.
 * @module
 */
import type { Measure } from './bench.ts'
import { mean, quantile } from './chain/figures.ts'
import { type Watched, watchLive, withLive } from './chain/live.ts'
import { type Row, rowOf } from './report.ts'

const SECONDS = 15
const SENDERS = 4_000
const NETWORKS = [
  { validators: 1, paces: [250, 500, 1_000, 2_000] },
  { validators: 4, paces: [100, 200, 400, 800] },
]

export const chainThroughput: Measure = {
  name: 'chain-throughput',
  run: async (bench, report) => {
    for (const { validators, paces } of NETWORKS) {
      const chosen = bench.quick ? paces.slice(1, 3) : paces
      bench.progress(`throughput, ${validators} validators start`)
      await withLive(bench, { validators, accounts: paces.length * SENDERS }, async (live) => {
        for (const [index, perSecond] of chosen.entries()) {
          bench.signal.throwIfAborted()
          bench.progress(`throughput, ${validators} validators, ${perSecond} transfers per second`)
          const plan = { users: 1, senders: SENDERS, first: index * SENDERS, perSecond, seconds: SECONDS }
          report(rowFor(await watchLive(live, plan), { validators, perSecond }))
        }
      })
    }
  },
}

function rowFor(
  { users, loopDelay, cpuMsPerBlock, blocks, ms, rssMiB }: Watched,
  { validators, perSecond }: { validators: number; perSecond: number },
): Row {
  const [user] = users as [Watched['users'][number]]
  const included = user.blocks.reduce((sum, { transactions }) => sum + transactions, 0)
  const refused = Object.values(user.refused).reduce((sum, count) => sum + count, 0)
  const perBlock = user.blocks.map(({ transactions }) => transactions)
  return rowOf({
    measure: `transfers made final ÷ ${perSecond} sent per second, ${validators} validators`,
    ratios: [included / (perSecond * SECONDS)],
    values: {
      'final per s': [(1_000 * included) / ms],
      'finality p50 ms': [quantile(user.finalityMs, 0.5)],
      'submit p50 ms': [quantile(user.submitMs, 0.5)],
      'submit p99 ms': [quantile(user.submitMs, 0.99)],
      refused: [refused],
      'transfers per block': [mean(perBlock)],
      'most in a block': [Math.max(...perBlock)],
      'loop delay p99 ms': [loopDelay[0]!.p99],
      'loop delay max ms': [Math.max(...loopDelay.map(({ max }) => max))],
      'CPU share of the asked validator': [(cpuMsPerBlock[0]! * blocks) / ms],
      'RSS MiB': [rssMiB[0]!],
    },
  })
}
