/**
 * How a network grows: finality, work and bytes of a validator per block, and its memory, with 4, 10 and 25 validators, each a
 * process of this machine, 50 ms between any two and back. What 25 processes on a few cores show is what they cost; how fast they
 * would be on 25 machines they show only where the cores are not full, and so the share of them that was used is told.
 * @module
 */
import { availableParallelism } from 'node:os'
import type { Parameters } from '../src/core/parameters.ts'
import type { Measure } from './bench.ts'
import { intervals, quantile, roundMs } from './chain/figures.ts'
import { type Watched, watchLive, withLive } from './chain/live.ts'
import { delayedHostsFault } from './lab/delayed-hosts.ts'
import { median, type Row, rowOf } from './report.ts'

interface Size {
  readonly validators: number
  /** Other than the product's. */
  readonly parameters?: Partial<Parameters>
  /** How long it is watched, full and quick. */
  readonly seconds: readonly [number, number]
}

/** Where a few cores make the blocks of many validators, waiting for them must not end too soon: no round would ever finish. */
const PATIENT: Partial<Parameters> = { proposeMs: 20_000n, voteMs: 10_000n, clockSkewMs: 20_000n }

const SIZES: readonly Size[] = [
  { validators: 4, seconds: [40, 20] },
  { validators: 10, seconds: [40, 30] },
  { validators: 25, parameters: PATIENT, seconds: [180, 120] },
]
const ONE_WAY_MS = 25
/** More on a few cores take minutes to start. */
const PROCESSES_QUICK_MAX = 10
const TARGET_MS = 2_000
const USERS = 2
const SENDERS = 1_000
/** Of one user and second. */
const IDLE = 1
const BUSY = 100

/** One for each size, so that one can be run by itself: the largest takes minutes. */
export const chainScale: readonly Measure[] = SIZES.map(({ validators, parameters = {}, seconds: [full, quick] }) => ({
  name: `chain-scale-${validators}`,
  isLong: validators > PROCESSES_QUICK_MAX,
  run: async (bench, report) => {
    const fault = await delayedHostsFault()
    if (fault !== undefined) bench.progress(`growth: without delays, ${fault}`)
    const oneWayMs = fault === undefined ? ONE_WAY_MS : undefined
    bench.progress(`growth, ${validators} validators start`)
    await withLive(bench, { validators, accounts: 2 * USERS * SENDERS, oneWayMs, parameters }, async (live) => {
      const seconds = bench.quick ? quick : full
      for (const [load, perSecond, first] of LOADS) {
        bench.progress(`growth, ${validators} validators, ${load}, ${seconds} s`)
        const watched = await watchLive(live, { users: USERS, senders: SENDERS, first, perSecond, seconds })
        report(rowFor(watched, { validators, load }))
      }
    })
  },
}))

const LOADS: readonly (readonly [string, number, number])[] = [
  ['idle', IDLE, 0],
  ['busy', BUSY, USERS * SENDERS],
]

function rowFor(
  { users, blocks, cpuMsPerBlock, sentBytesPerBlock, rssMiB, loopDelay, ms }: Watched,
  { validators, load }: { validators: number; load: string },
): Row {
  const finality = users.flatMap(({ finalityMs }) => finalityMs)
  const transfers = users[0]!.blocks.reduce((sum, { transactions }) => sum + transactions, 0)
  const cpuMs = cpuMsPerBlock.reduce((sum, each) => sum + each * blocks, 0)
  return rowOf({
    measure: `finality p50 ÷ 2 s, ${validators} validators, ${load}`,
    ratios: [quantile(finality, 0.5) / TARGET_MS],
    values: {
      'p50 ms': [quantile(finality, 0.5)],
      'p90 ms': [quantile(finality, 0.9)],
      'block interval p50 ms': [quantile(users.flatMap(intervals), 0.5)],
      'proposed to final p50 ms': [quantile(users.flatMap(roundMs), 0.5)],
      'CPU ms per block and validator': [median(cpuMsPerBlock)],
      'KB sent per block and validator': [median(sentBytesPerBlock) / 1_000],
      'RSS MiB': [median(rssMiB)],
      'loop delay p99 ms': [median(loopDelay.map(({ p99 }) => p99))],
      'loop delay max ms': [Math.max(...loopDelay.map(({ max }) => max))],
      'bytes per block': [median(users[0]!.blocks.map(({ bytes }) => bytes))],
      'transfers per block': [transfers / blocks],
      'share of the cores': [cpuMs / ms / availableParallelism()],
      blocks: [blocks],
    },
  })
}
