/**
 * A swarm of machines that come, choose segments, fetch them, serve, look again from time to time, and go, half of them without a word. How they
 * choose is a rule; how they fetch and change over is here. Time passes in ticks.
 * @module
 */

import { flowOf, type Host, type SegmentNeed, type SegmentRun } from '../../src/core/market/segment-balance.ts'
import { type Chance, createChance } from '../economy/random.ts'

export const TICK_SECONDS = 5
export const SEGMENTS = 32
export const SEGMENT_BYTES = 512 * 1_048_576
const SEGMENT_MACS = 250_000_000
export const OWNERS = 2
export const NEEDS: readonly SegmentNeed[] = Array.from({ length: SEGMENTS }, () => {
  return { model: 0, bytes: SEGMENT_BYTES, macs: SEGMENT_MACS, owners: OWNERS, weight: 1 }
})

/** Ten minutes on average between two looks, from half of it to one and a half; half a minute after a move. As in app/mining/rebalance.ts. */
const LOOK_TICKS = 120
const SOON_TICKS = 8
/** Until others know what a machine said. */
const TOLD_TICKS = 2
/** Until others know that a machine went without a word. */
const MISSED_TICKS = 12
/** Loading from disk, when a machine changes from one run to another. */
const CHANGE_TICKS = 6
const LIFE_HOURS = 4
const CAPACITY = { median: 8, spread: 0.6, least: 2 }
const RATE = { median: 50_000, spread: 0.7 }
/** Of a link of 100 Mbit/s. */
const FETCH_BYTES_PER_TICK = { median: 12_500_000 * TICK_SECONDS, spread: 0.7 }

/** A run, and what the machine adds to each segment of it. */
export interface FlowingRun extends SegmentRun {
  readonly flow: number
}

export interface Machine {
  readonly name: string
  /** CU per second × 2¹⁶. */
  readonly rate: bigint
  /** In segments. */
  readonly capacity: number
  readonly bytesPerTick: number
  readonly dies: number
  readonly goesSilently: boolean
  /** What it adds to the best that all can do together. */
  readonly share: number
  readonly disk: Set<number>
  run: FlowingRun | undefined
  /** Loads until then, and does not serve. */
  readyTick: number
  target: Target | undefined
  looksAt: number
}

/** What a machine said that it is fetching. */
interface Target {
  readonly run: FlowingRun
  readonly sinceTick: number
  /** Later announcements give way to earlier ones. */
  readonly order: number
  bytesLeft: number
}

export interface Rule {
  readonly name: string
  /** Others hear what it fetches. */
  readonly announces: boolean
  /** Ends what it serves before it fetches what comes next. */
  readonly endsFirst: boolean
  /** The run to serve; undefined: as now. `hosts`: all others that it knows of. */
  choose(machine: Machine, hosts: readonly Host[], chance: Chance): SegmentRun | undefined
  /** Asked when all is fetched. */
  isStillGood(machine: Machine, hosts: readonly Host[], run: SegmentRun): boolean
}

export interface Moment {
  /** Rows per second × 2¹⁶ that pass each segment. */
  readonly flows: readonly number[]
  readonly owners: readonly number[]
  /** The most that these machines could pass through all segments. */
  readonly best: number
  readonly machines: number
}

/** Since the start. */
export interface Tally {
  moves: number
  movedBytes: number
  joinedBytes: number
}

export interface Swarm {
  readonly tally: Readonly<Tally>
  /** Of the next tick. */
  step(): Moment
}

interface State {
  readonly rule: Rule
  /** Who comes and goes: the same for every rule. */
  readonly fate: Chance
  readonly chance: Chance
  readonly size: number
  readonly tally: Tally
  machines: Machine[]
  /** Gone without a word, and still believed to be there. */
  ghosts: { readonly host: Host; readonly untilTick: number }[]
  tick: number
  /** Machines so far, and announcements. */
  count: number
  announced: number
}

export function createSwarm({ size, seed, rule }: { size: number; seed: number; rule: Rule }): Swarm {
  const tally: Tally = { moves: 0, movedBytes: 0, joinedBytes: 0 }
  const [fate, chance] = [createChance(seed), createChance(seed + 1_000_000)]
  const empty = { machines: [], ghosts: [], tick: 0, count: 0, announced: 0 }
  const state: State = { rule, fate, chance, size, tally, ...empty }
  return { tally, step: () => step(state) }
}

function step(state: State): Moment {
  state.tick += 1
  comeAndGo(state)
  for (const machine of state.machines) {
    fetchSome(state, machine)
    // Who has nothing to do yet looks at once.
    const isIdle = machine.run === undefined && machine.target === undefined
    if (state.tick >= machine.looksAt || isIdle) look(state, machine)
  }
  return momentOf(state)
}

function drawnFrom(ticks: number, { tick, chance }: State): number {
  return tick + Math.ceil(ticks * (0.5 + chance.uniform()))
}

function comeAndGo(state: State): void {
  const { tick, fate, size } = state
  const lifeTicks = (LIFE_HOURS * 3_600) / TICK_SECONDS
  state.ghosts = state.ghosts.filter(({ untilTick }) => untilTick > tick)
  for (const machine of state.machines) {
    if (machine.dies > tick || !machine.goesSilently) continue
    for (const host of hostsOf(state, machine)) state.ghosts.push({ host, untilTick: tick + MISSED_TICKS })
  }
  state.machines = state.machines.filter(({ dies }) => dies > tick)
  // At first all come within ten minutes; then as many as go on average.
  const coming = tick <= 120 ? Math.round((size * tick) / 120) - state.count : fate.poisson(size / lifeTicks)
  for (let index = 0; index < coming; index++) state.machines.push(createMachine(state, lifeTicks))
}

function createMachine(state: State, lifeTicks: number): Machine {
  const { fate, tick } = state
  const around = ({ median, spread }: { median: number; spread: number }): number =>
    median * Math.exp(spread * fate.normal())
  state.count += 1
  const rate = BigInt(Math.round(around(RATE))) << 16n
  const name = `machine-${state.count}`
  return {
    ...{ name, looksAt: drawnFrom(LOOK_TICKS, state), rate, share: flowThrough(rate, { first: 0, end: SEGMENTS }) },
    capacity: Math.min(SEGMENTS, Math.max(CAPACITY.least, Math.round(around(CAPACITY)))),
    bytesPerTick: around(FETCH_BYTES_PER_TICK),
    dies: tick + Math.ceil(-Math.log(1 - fate.uniform()) * lifeTicks),
    goesSilently: fate.uniform() < 0.5,
    disk: new Set(),
    ...{ run: undefined, readyTick: 0, target: undefined },
  }
}

function look(state: State, machine: Machine): void {
  const { rule, chance, tick, tally } = state
  machine.looksAt = drawnFrom(LOOK_TICKS, state)
  const chosen = rule.choose(machine, hostsSeenBy(state, machine), chance)
  if (chosen === undefined || isSame(chosen, machine.target?.run)) return
  if (isSame(chosen, machine.run)) {
    machine.target = undefined
    return
  }
  const missing = segmentsOf(chosen).filter((segment) => !machine.disk.has(segment))
  const bytesLeft = missing.length * SEGMENT_BYTES
  if (machine.run === undefined) tally.joinedBytes += bytesLeft
  else {
    tally.moves += 1
    tally.movedBytes += bytesLeft
    if (rule.endsFirst) machine.run = undefined
  }
  state.announced += 1
  machine.target = {
    run: { ...chosen, flow: flowThrough(machine.rate, chosen) },
    sinceTick: tick,
    order: state.announced,
    bytesLeft,
  }
}

function fetchSome(state: State, machine: Machine): void {
  const { target } = machine
  if (target === undefined) return
  target.bytesLeft -= machine.bytesPerTick
  if (target.bytesLeft > 0) return
  for (const segment of segmentsOf(target.run)) machine.disk.add(segment)
  const isGood = state.rule.isStillGood(machine, hostsSeenBy(state, machine), target.run)
  machine.target = undefined
  if (!isGood) return
  machine.run = target.run
  machine.readyTick = state.tick + CHANGE_TICKS
  machine.looksAt = Math.min(machine.looksAt, drawnFrom(SOON_TICKS, state))
}

/** Who moves counts where it goes, and not where it still is. To whom said so earlier, later ones have not moved. */
function hostsSeenBy(state: State, observer: Machine): Host[] {
  const order = observer.target?.order ?? Number.POSITIVE_INFINITY
  const others = state.machines.flatMap((machine) => (machine === observer ? [] : hostsOf(state, machine, order)))
  return [...others, ...state.ghosts.map(({ host }) => host)]
}

function hostsOf({ rule, tick }: State, { name, run, target, readyTick }: Machine, order = 0): Host[] {
  const isTold =
    target !== undefined &&
    rule.announces &&
    tick - target.sinceTick >= TOLD_TICKS &&
    (order === 0 || target.order < order)
  const at = isTold ? target.run : run
  if (at === undefined) return []
  return [{ owner: name, first: at.first, end: at.end, flow: at.flow, isServing: !isTold && readyTick <= tick }]
}

function momentOf({ machines, tick }: State): Moment {
  const flows = Array.from({ length: SEGMENTS }, () => 0)
  const owners = Array.from({ length: SEGMENTS }, () => 0)
  let best = 0
  for (const { share, run, readyTick } of machines) {
    best += share
    if (run === undefined || readyTick > tick) continue
    for (let segment = run.first; segment < run.end; segment++) {
      flows[segment]! += run.flow
      owners[segment]! += 1
    }
  }
  return { flows, owners, best, machines: machines.length }
}

export function flowThrough(rate: bigint, { first, end }: SegmentRun): number {
  return flowOf(rate, (end - first) * SEGMENT_MACS)
}

function segmentsOf({ first, end }: SegmentRun): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index)
}

function isSame(a: SegmentRun, b: SegmentRun | undefined): boolean {
  return a.first === b?.first && a.end === b.end
}
