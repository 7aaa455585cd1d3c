/**
 * Placement in simulated swarms with churn: the rule of core/market against the greedy one of Petals. A table and a plot are written into
 * bench/placement/. Says nothing of this machine.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Measure } from './bench.ts'
import { plotSizes } from './placement/plot.ts'
import { RULES } from './placement/rules.ts'
import { createSwarm, OWNERS, type Rule, SEGMENTS, TICK_SECONDS } from './placement/swarm.ts'
import { rowOf } from './report.ts'

/** Hours are judged after one in which the swarm comes together; larger swarms have more to average over. */
const SWARMS: readonly { readonly size: number; readonly hours: number; readonly seeds: number }[] = [
  { size: 10, hours: 24, seeds: 10 },
  { size: 30, hours: 12, seeds: 5 },
  { size: 100, hours: 4, seeds: 3 },
  { size: 300, hours: 2, seeds: 2 },
  { size: 1_000, hours: 1, seeds: 1 },
]
const HOUR_TICKS = 3_600 / TICK_SECONDS
const FOLDER = join(import.meta.dirname, 'placement')

/** Of one run. */
interface Figures {
  /** Least flow over the segments ÷ what the machines could pass through all. */
  readonly flow: number
  /** Part of the time in which every segment is served. */
  readonly whole: number
  /** Minutes per hour, summed over segments. */
  readonly unserved: number
  /** Part of the segments, over time, with fewer owners than wanted. */
  readonly short: number
  /** Per machine and hour. */
  readonly moves: number
  /** GB per machine and hour, fetched for moves. */
  readonly fetched: number
}

interface Result {
  readonly size: number
  readonly rule: Rule
  readonly runs: readonly Figures[]
}

export const placement: Measure = {
  name: 'placement',
  run: async ({ quick, progress, signal }, report) => {
    const results: Result[] = []
    for (const { size, hours, seeds } of SWARMS) {
      for (const rule of RULES) {
        const runs: Figures[] = []
        for (let seed = 1; seed <= (quick ? 1 : seeds); seed++) {
          progress(`placement, ${size} machines, ${rule.name}, seed ${seed}`)
          // Lets a signal through: a run takes seconds.
          await new Promise((resolve) => setImmediate(resolve))
          signal.throwIfAborted()
          runs.push(play(rule, { size, seed, hours: quick ? Math.min(hours, 2) : hours }))
        }
        results.push({ size, rule, runs })
        report(rowFor({ size, rule, runs }))
      }
    }
    if (!quick) writeResults(results)
  },
}

function play(rule: Rule, { size, seed, hours }: { size: number; seed: number; hours: number }): Figures {
  const swarm = createSwarm({ size, seed, rule })
  for (let tick = 0; tick < HOUR_TICKS; tick++) swarm.step()
  const before = { ...swarm.tally }
  const ticks = hours * HOUR_TICKS
  let [flow, whole, unserved, short, machineHours] = [0, 0, 0, 0, 0]
  for (let tick = 0; tick < ticks; tick++) {
    const { flows, owners, best, machines } = swarm.step()
    const empty = owners.filter((count) => count === 0).length
    flow += Math.min(...flows) / Math.max(1, best)
    whole += empty === 0 ? 1 : 0
    unserved += empty
    short += owners.filter((count) => count < OWNERS).length / SEGMENTS
    machineHours += machines / HOUR_TICKS
  }
  return {
    ...{ flow: flow / ticks, whole: whole / ticks, unserved: (60 * unserved) / ticks, short: short / ticks },
    moves: (swarm.tally.moves - before.moves) / machineHours,
    fetched: (swarm.tally.movedBytes - before.movedBytes) / 1e9 / machineHours,
  }
}

function rowFor({ size, rule, runs }: Result): ReturnType<typeof rowOf> {
  const of = (figure: keyof Figures): number[] => runs.map((run) => run[figure])
  return rowOf({
    measure: `placement, ${size} machines, ${rule.name}: least flow ÷ best`,
    ratios: of('flow'),
    values: {
      'all served %': of('whole').map((part) => 100 * part),
      'unserved minutes per hour': of('unserved'),
      'short of owners %': of('short').map((part) => 100 * part),
      'moves per machine-hour': of('moves'),
      'fetched GB per machine-hour': of('fetched'),
    },
  })
}

interface Column {
  readonly head: string
  readonly figure: keyof Figures
  readonly text: (value: number) => string
}

const percent = (value: number): string => `${(100 * value).toFixed(2)} %`
const COLUMNS: readonly Column[] = [
  { head: 'least flow ÷ best', figure: 'flow', text: (value) => value.toFixed(3) },
  { head: 'time with all segments served', figure: 'whole', text: percent },
  { head: 'unserved segment-minutes per hour', figure: 'unserved', text: (value) => value.toFixed(2) },
  { head: 'segment-time below two owners', figure: 'short', text: percent },
  { head: 'moves per machine-hour', figure: 'moves', text: (value) => value.toFixed(3) },
  { head: 'GB per machine-hour for moves', figure: 'fetched', text: (value) => value.toFixed(3) },
]

/** Failures are rare and long, so what happens on average counts, not the run in the middle. */
function mean({ runs }: Result, figure: keyof Figures): number {
  return runs.reduce((sum, run) => sum + run[figure], 0) / runs.length
}

function writeResults(results: readonly Result[]): void {
  const lines = results.map((result) => [
    String(result.size),
    result.rule.name,
    ...COLUMNS.map(({ figure, text }) => text(mean(result, figure))),
  ])
  const head = ['machines', 'rule', ...COLUMNS.map((column) => column.head)]
  const table = [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  writeFileSync(join(FOLDER, 'results.md'), `${RESULTS_HEAD}\n\n${table}\n`)
  const sizes = SWARMS.map(({ size }) => size)
  const panelOf = (label: string, figure: keyof Figures, factor = 1) => ({
    label,
    lines: RULES.map((rule) => ({
      name: rule.name,
      values: results.filter((result) => result.rule === rule).map((result) => factor * mean(result, figure)),
    })),
  })
  const plot = plotSizes({
    title: 'Placement with churn',
    subtitle: 'Machines stay for four hours on average, and half of them go without a word',
    sizes,
    panels: [
      panelOf('least flow ÷ best', 'flow'),
      panelOf('unserved segment-minutes per hour', 'unserved'),
      panelOf('segment-time below two owners, per cent', 'short', 100),
      panelOf('moves per machine-hour', 'moves'),
      panelOf('fetched for moves, GB per machine-hour', 'fetched'),
    ],
  })
  mkdirSync(join(FOLDER, 'plots'), { recursive: true })
  writeFileSync(join(FOLDER, 'plots', 'sizes.svg'), plot)
}

const RESULTS_HEAD = `# Placement in simulated swarms

Written by \`npm run bench -- --only placement\`. Means over the seeds: ${SWARMS.map(({ size, hours, seeds }) => `${size} machines ${seeds} times ${hours} h`).join(', ')}, each after an hour in which the swarm comes together.`
