/**
 * What one run of a scenario shows, and whether it is sustainable: the last third of it is judged.
 * @module
 */
import { median } from '../report.ts'
import type { Sample, Wash } from './network.ts'
import type { Scenario } from './scenarios.ts'

export interface Run {
  readonly samples: readonly Sample[]
  /** Of some periods of the last third; each rising. */
  readonly margins: readonly (readonly number[])[]
  readonly wash: Wash
}

export interface Criterion {
  readonly name: string
  /** Short, for the head of a column. */
  readonly column: string
  readonly target: { readonly atLeast: number } | { readonly atMost: number }
  measured(run: Run): number
  appliesTo(scenario: Scenario): boolean
}

const always = (): boolean => true

export const CRITERIA: readonly Criterion[] = [
  {
    ...{ name: 'distance of use from one half', column: 'use off ½', target: { atMost: 0.05 }, appliesTo: always },
    measured: (run) => Math.abs(mean(lastThird(run).map(({ use }) => use)) - 0.5),
  },
  {
    ...{ name: 'deviation ÷ mean of the price', column: 'price CV', target: { atMost: 0.1 } },
    appliesTo: ({ isSteady }) => isSteady,
    measured: (run) => variation(lastThird(run).map(({ price }) => price)),
  },
  {
    ...{
      name: 'part of the time with two miners to choose from',
      column: '≥ 2 miners',
      target: { atLeast: 0.99 },
      appliesTo: always,
    },
    measured: (run) => mean(lastThird(run).map(({ choice }) => (choice >= 2 ? 1 : 0))),
  },
  {
    ...{
      name: 'margin of the miner in the middle',
      column: 'middle margin',
      target: { atLeast: 0 },
      appliesTo: always,
    },
    measured: ({ margins }) => mean(margins.map((list) => (list.length === 0 ? 0 : median(list)))),
  },
  {
    ...{
      name: 'distance of the last miner’s margin from nothing',
      column: 'last margin off 0',
      target: { atMost: 0.2 },
      appliesTo: always,
    },
    measured: ({ margins }) => Math.abs(mean(margins.map((list) => list[Math.floor(list.length / 20)] ?? 0))),
  },
  {
    ...{ name: 'change of stakers’ income in the last third', column: 'yield drift', target: { atMost: 0.2 } },
    appliesTo: ({ isSteady }) => isSteady,
    measured: (run) => {
      const incomes = lastThird(run).map(({ stakers }) => stakers)
      const half = incomes.length / 2
      return Math.abs(mean(incomes.slice(half)) / mean(incomes.slice(0, half)) - 1)
    },
  },
  {
    ...{ name: 'part of charges that miners get', column: 'to miners', target: { atLeast: 0.5 }, appliesTo: always },
    measured: (run) => {
      const last = lastThird(run)
      const charged = sum(last.map((sample) => sample.charged))
      return 1 - sum(last.map(({ treasury, stakers, burnt }) => treasury + stakers + burnt)) / charged
    },
  },
]

export function lastThird({ samples }: Run): readonly Sample[] {
  return samples.slice((samples.length * 2) / 3)
}

export function mean(values: readonly number[]): number {
  return sum(values) / Math.max(1, values.length)
}

/** Of values of any order; `part` from 0 to 1. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function variation(values: readonly number[]): number {
  const middle = mean(values)
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2))) / middle
}
