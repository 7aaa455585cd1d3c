/**
 * How long a transfer takes until it is final: four validators as the processes that users run, real TCP and LevelDB, 50 ms
 * between any two of them and back, and the parameters that a new network has. A user beside each validator sends at random
 * times; the figure is the median over all transfers, against two seconds.
 * @module
 */
import type { Measure } from './bench.ts'
import { intervals, quantile, roundMs } from './chain/figures.ts'
import { watchLive, withLive } from './chain/live.ts'
import { congestionControl, delayedHostsFault } from './lab/delayed-hosts.ts'
import { rowOf } from './report.ts'

const VALIDATORS = 4
const ONE_WAY_MS = 25
const TARGET_MS = 2_000
const SECONDS = 60
const SECONDS_QUICK = 20
/** Per user and second. */
const TRANSFERS = 2
const SENDERS = 200

export const chainFinality: Measure = {
  name: 'chain-finality',
  run: async (bench, report) => {
    const fault = await delayedHostsFault()
    if (fault !== undefined) {
      bench.progress(`finality: left out, ${fault}`)
      return
    }
    bench.progress(`finality, ${VALIDATORS} validators start`)
    const network = { validators: VALIDATORS, accounts: VALIDATORS * SENDERS, oneWayMs: ONE_WAY_MS }
    await withLive(bench, network, async (live) => {
      const seconds = bench.quick ? SECONDS_QUICK : SECONDS
      bench.progress(`finality, ${seconds} s of transfers`)
      const watched = await watchLive(live, { users: VALIDATORS, senders: SENDERS, perSecond: TRANSFERS, seconds })
      const { users } = watched
      const finality = users.flatMap(({ finalityMs }) => finalityMs)
      const between = users.flatMap(intervals)
      const rounds = users.flatMap(roundMs)
      const late = users[0]!.blocks.filter(({ round }) => round > 0).length
      report(
        rowOf({
          measure: `finality p50 ÷ 2 s, ${VALIDATORS} validators, 50 ms RTT (${await congestionControl()})`,
          ratios: [quantile(finality, 0.5) / TARGET_MS],
          target: { atMost: 1 },
          values: {
            'p50 ms': [quantile(finality, 0.5)],
            'p90 ms': [quantile(finality, 0.9)],
            'p99 ms': [quantile(finality, 0.99)],
            'block interval p50 ms': [quantile(between, 0.5)],
            'block interval p90 ms': [quantile(between, 0.9)],
            'proposed to final p50 ms': [quantile(rounds, 0.5)],
            'proposed to final p90 ms': [quantile(rounds, 0.9)],
            'submit p50 ms': [
              quantile(
                users.flatMap(({ submitMs }) => submitMs),
                0.5,
              ),
            ],
            transfers: [finality.length],
            blocks: [watched.blocks],
            'blocks of later rounds': [late],
          },
        }),
      )
    })
  },
}
