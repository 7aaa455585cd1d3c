/**
 * The economy of a simulated network that uses the real auction, prices and shares of core/market: demand, costs and miners change, and what
 * comes of it is judged. Plots and a table are written into bench/economy/. Says nothing of this machine.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Measure } from './bench.ts'
import { CRITERIA, type Criterion, lastThird, mean, quantile, type Run } from './economy/judge.ts'
import { createNetwork, PERIOD_SECONDS, type Sample } from './economy/network.ts'
import { type Band, plotSvg } from './economy/plot.ts'
import { EVENT_PERIOD, PERIODS, SCENARIOS, type Scenario } from './economy/scenarios.ts'
import { median, type Row, rowOf } from './report.ts'

const SEEDS = 20
const SEEDS_QUICK = 5
const MINERS_MAX = 160
const DEMAND = 16
const ELASTICITY = 1.5
const MARGINS_EVERY = 20
const FOLDER = join(import.meta.dirname, 'economy')

export const economy: Measure = {
  name: 'economy',
  run: async ({ quick, progress, signal }, report) => {
    const seeds = quick ? SEEDS_QUICK : SEEDS
    const runs = new Map<Scenario, Run[]>()
    for (const scenario of SCENARIOS) {
      const list: Run[] = []
      for (let seed = 1; seed <= seeds; seed++) {
        progress(`economy, ${scenario.name}, seed ${seed} of ${seeds}`)
        // Lets a signal through: a run takes a second.
        await new Promise((resolve) => setImmediate(resolve))
        signal.throwIfAborted()
        list.push(play(scenario, seed))
      }
      runs.set(scenario, list)
      for (const criterion of CRITERIA) if (criterion.appliesTo(scenario)) report(rowFor(scenario, criterion, list))
    }
    for (const row of extraRows(runs)) report(row)
    if (!quick) writeResults(runs)
  },
}

function play(scenario: Scenario, seed: number): Run {
  const { parameters } = scenario
  const network = createNetwork({ seed, parameters, minersMax: MINERS_MAX, demand: DEMAND, elasticity: ELASTICITY })
  const samples: Sample[] = []
  const margins: number[][] = []
  for (let period = 0; period < PERIODS; period++) {
    scenario.turn(network, period)
    samples.push(network.step())
    if (period >= (PERIODS * 2) / 3 && period % MARGINS_EVERY === 0) margins.push(network.margins())
  }
  return { samples, margins, wash: network.wash }
}

function rowFor(scenario: Scenario, { name, target, measured }: Criterion, runs: readonly Run[]): Row {
  const of = (value: (sample: Sample) => number): number[] => runs.map((run) => mean(lastThird(run).map(value)))
  return rowOf({
    measure: `economy, ${scenario.name}: ${name}`,
    ratios: runs.map(measured),
    target,
    values: {
      'price grains per CU': of(({ price }) => price),
      'paid grains per CU': of(({ paidRate }) => paidRate),
      miners: of(({ miners }) => miners),
      'served 10⁶ CU per period': of(({ served }) => served),
    },
  })
}

/** What only makes sense for one scenario. */
function extraRows(runs: ReadonlyMap<Scenario, readonly Run[]>): Row[] {
  const of = (name: string): readonly Run[] => [...runs].find(([scenario]) => scenario.name === name)![1]
  const { workSubsidy, auditFee, auditShareNew, stakerShare } = SCENARIOS[0]!.parameters
  // All that issuance can give for a charge, however many of the auditors are the owner's, and a third of what stakers get.
  const issued = Number(1_000n * workSubsidy + auditFee * auditShareNew) / 1e6
  const returned = issued + Number(stakerShare) / 3_000
  const priceOf = (run: Run): number => mean(lastThird(run).map(({ price }) => price))
  return [
    rowOf({
      measure: 'economy, wash: what trading with oneself gains ÷ what it is charged',
      ratios: of('wash').map(({ wash }) => wash.gained / wash.charged + returned - 1),
      target: { atMost: 0 },
      values: {
        'if all lots were its own and cost nothing': [
          returned - Number(SCENARIOS[0]!.parameters.treasuryShare + stakerShare) / 1_000,
        ],
      },
    }),
    rowOf({
      measure: 'economy, cartel: price ÷ price without it',
      ratios: of('cartel').map((run, seed) => priceOf(run) / priceOf(of('steady')[seed]!)),
      target: { atMost: 2 },
      values: {},
    }),
  ]
}

function writeResults(runs: ReadonlyMap<Scenario, readonly Run[]>): void {
  mkdirSync(join(FOLDER, 'plots'), { recursive: true })
  for (const [scenario, list] of runs)
    writeFileSync(join(FOLDER, 'plots', `${scenario.name}.svg`), plotOf(scenario, list))
  const head = ['scenario', 'price', 'miners', '10⁶ CU/period', ...CRITERIA.map(({ column }) => column)]
  const lines = [...runs].map(([scenario, list]) => [
    `[${scenario.title}](plots/${scenario.name}.svg)`,
    ...(['price', 'miners', 'served'] as const).map((field) =>
      median(list.map((run) => mean(lastThird(run).map((sample) => sample[field])))).toPrecision(3),
    ),
    ...CRITERIA.map((criterion) => cellOf(scenario, criterion, list)),
  ])
  const table = [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
  writeFileSync(join(FOLDER, 'results.md'), `${RESULTS_HEAD}\n\n${table}\n`)
}

const RESULTS_HEAD = `# The simulated economy

Written by \`npm run bench -- --only economy\`. Medians over ${SEEDS} seeds of the last third of five hours, in brackets the tenth and the ninetieth
percentile of the seeds; ✓ where the median keeps the criterion. A period has ${PERIOD_SECONDS} s.`

function cellOf(scenario: Scenario, { appliesTo, measured, target }: Criterion, runs: readonly Run[]): string {
  if (!appliesTo(scenario)) return '–'
  const values = runs.map(measured)
  const value = median(values)
  const isMet = 'atLeast' in target ? value >= target.atLeast : value <= target.atMost
  const [low, high] = [0.1, 0.9].map((part) => quantile(values, part).toFixed(3))
  return `${isMet ? '✓' : '✗'} ${value.toFixed(3)} (${low}–${high})`
}

function plotOf(scenario: Scenario, runs: readonly Run[]): string {
  const every = 5
  const periods = Array.from({ length: PERIODS / every }, (_, index) => index * every)
  // Each point is a mean over its periods.
  const band = (value: (sample: Sample) => number): Band => {
    const at = (period: number): number[] =>
      runs.map(({ samples }) => mean(samples.slice(period, period + every).map(value)))
    const of = (part: number): number[] => periods.map((period) => quantile(at(period), part))
    return { low: of(0.1), middle: of(0.5), high: of(0.9) }
  }
  const hours = (period: number): number => (period * PERIOD_SECONDS) / 3_600
  const hasEvent = scenario.title.includes('after') || scenario.name === 'wash'
  return plotSvg({
    title: scenario.title,
    subtitle: `${runs.length} seeds: median, and the tenth to the ninetieth percentile`,
    hours: periods.map(hours),
    ...(hasEvent ? { eventHour: hours(EVENT_PERIOD) } : {}),
    panels: [
      { label: 'price, grains per CU', band: band(({ price }) => price) },
      { label: 'slots in use, per cent (dashed: target)', band: band(({ use }) => 100 * use), target: 50 },
      { label: 'miners', band: band(({ miners }) => miners) },
      { label: 'work, 10⁶ CU per period', band: band(({ served }) => served) },
    ],
  })
}
