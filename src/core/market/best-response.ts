/**
 * Which run of segments a machine should serve, given what all others serve: the best response of a game in which everybody raises the same
 * balance, so that moves of one at a time come to an end. A served segment is never left without anybody, and one that has no owner to spare only
 * for one that has nobody. Pure; says with what it weighed. Spec: docs/spec/market.md §14.
 * @module
 */
import { wayToGap } from './make-way.ts'
import {
  flowOf,
  flowsOf,
  fullRuns,
  type Host,
  ownersOf,
  potentialOf,
  type SegmentNeed,
  type SegmentRun,
  sumsOf,
} from './segment-balance.ts'

/** Who chooses. */
export interface Machine {
  /** All machines of one owner are lost together, as far as others know: they count once. */
  readonly owner: string
  /** CU per second × 2¹⁶. */
  readonly rate: bigint
  /** What it can hold of weights. */
  readonly bytes: number
  /** What it holds now, which is in no list of hosts. */
  readonly now?: (SegmentRun & { readonly isServing: boolean }) | undefined
}

/** A run that the machine could serve, and what it would add to what all others do. */
export interface RunChoice extends SegmentRun {
  readonly bytes: number
  readonly flow: number
  /** Segments that have nobody else. */
  readonly serves: number
  /** Segments that have too few other owners. */
  readonly restores: number
  /** Of the potential. Availability would be paid by it. */
  readonly gain: number
}

export type PlacementVerdict =
  /** No segment fits. */
  | 'nothing-fits'
  /** It serves nothing yet. */
  | 'join'
  | 'move'
  /** It moves so that another one is free to go where nobody is. */
  | 'make-way'
  /** What it serves now is the best. */
  | 'best'
  /** Something else is better, but not by enough. */
  | 'close'
  /** Something else is better by enough, but it is needed here. */
  | 'needed'

export interface PlacementDecision {
  readonly verdict: PlacementVerdict
  readonly now: RunChoice | undefined
  /** What to serve from now on; undefined only where nothing fits. */
  readonly chosen: RunChoice | undefined
  /** The best runs without regard to what leaving would open, the best first; at most `RANKED_MAX`. */
  readonly ranked: readonly RunChoice[]
  /** Segments that keep it from the first of `ranked`: without it they would be short. */
  readonly keptBy: readonly number[]
  /** Segments, of the model that it serves if it does, that need somebody and have nobody, this machine included. */
  readonly gaps: readonly number[]
  /** Per segment: owners beside this one's, and flow without this machine. */
  readonly others: { readonly owners: readonly number[]; readonly flows: readonly number[] }
}

/** A move must gain more than an eighth: shards have to be fetched for it, and who moves for less moves for ever. */
const GAIN_OVER = 9
const GAIN_UNDER = 8
const RANKED_MAX = 8

/** What all others do, seen by one owner. */
interface Census {
  readonly needs: readonly SegmentNeed[]
  readonly flows: readonly number[]
  readonly owners: readonly number[]
  /** Other owners who serve. */
  readonly serving: readonly number[]
  /** Whether another machine of this owner serves. */
  readonly isOwnServing: readonly boolean[]
  /** Sums before each segment. */
  readonly bytes: readonly number[]
  readonly macs: readonly number[]
  readonly unserved: readonly number[]
  readonly short: readonly number[]
}

/** `hosts`: all but this machine. */
export function bestResponse(
  needs: readonly SegmentNeed[],
  hosts: readonly Host[],
  machine: Machine,
): PlacementDecision {
  const census = takeCensus(needs, hosts, machine.owner)
  const now = machine.now && choiceOf(census, machine.now, machine.rate)
  const choices = fullRuns(needs, machine.bytes).map((run) => choiceOf(census, run, machine.rate))
  choices.sort((a, b) => worth(a, b) || byPlace(a, b))
  const others = { owners: census.owners, flows: census.flows }
  const ranked = choices.slice(0, RANKED_MAX)
  const gaps = gapsOf(census, machine.now)
  const decide = (
    verdict: PlacementVerdict,
    chosen: RunChoice | undefined,
    keptBy: readonly number[] = [],
  ): PlacementDecision => ({ verdict, now, chosen, ranked, keptBy, gaps, others })

  if (now === undefined) return decide(choices.length === 0 ? 'nothing-fits' : 'join', choices[0])
  const better = choices.filter((choice) => worth(choice, now) < 0)
  const isServing = machine.now?.isServing === true
  const isHeld = isServing && gaps.length > 0
  const worthwhile = better.filter((choice) => isWorthwhile(choice, now, isHeld))
  const move = worthwhile.find((choice) => !isServing || shortWithout(census, now, choice).length === 0)
  const keptBy = isServing && worthwhile.length > 0 ? shortWithout(census, now, worthwhile[0]!) : []
  if (move !== undefined) return decide('move', move, keptBy)
  const way = wayOf(needs, hosts, machine)
  if (way !== undefined) return decide('make-way', choiceOf(census, way, machine.rate))
  if (worthwhile.length > 0) return decide('needed', now, keptBy)
  return decide(better.length === 0 ? 'best' : 'close', now)
}

function gapsOf({ needs, unserved }: Census, now: Machine['now']): number[] {
  const isHere = (index: number): boolean => now?.isServing === true && now.first <= index && index < now.end
  const isOfModel = (index: number): boolean => now === undefined || needs[index]!.model === needs[now.first]!.model
  const isGap = (index: number): boolean => unserved[index + 1]! > unserved[index]! && !isHere(index)
  return [...needs.keys()].filter((index) => isOfModel(index) && isGap(index))
}

/** Where this machine goes to make way; undefined where another one has to, or nobody. */
function wayOf(needs: readonly SegmentNeed[], hosts: readonly Host[], machine: Machine): SegmentRun | undefined {
  if (machine.now?.isServing !== true) return undefined
  const { first, end } = machine.now
  const self: Host = { owner: machine.owner, first, end, isServing: true, flow: 0 }
  const way = wayToGap(needs, [...hosts, self])
  const bytes = (run: SegmentRun): number => needs.slice(run.first, run.end).reduce((sum, need) => sum + need.bytes, 0)
  return way?.host === self && bytes(way.run) <= machine.bytes ? way.run : undefined
}

/** Whether a move to `run`, decided some time ago, is still worth making and still opens nothing: asked right before it is made. */
export function isMoveStillGood(
  needs: readonly SegmentNeed[],
  hosts: readonly Host[],
  { machine, run }: { readonly machine: Machine; readonly run: SegmentRun },
): boolean {
  if (machine.now === undefined) return true
  const census = takeCensus(needs, hosts, machine.owner)
  const now = choiceOf(census, machine.now, machine.rate)
  const next = choiceOf(census, run, machine.rate)
  const opensNothing = !machine.now.isServing || shortWithout(census, now, next).length === 0
  const isHeld = machine.now.isServing && gapsOf(census, machine.now).length > 0
  if (opensNothing && isWorthwhile(next, now, isHeld)) return true
  const way = wayOf(needs, hosts, machine)
  return way?.first === run.first && way.end === run.end
}

function takeCensus(needs: readonly SegmentNeed[], hosts: readonly Host[], owner: string): Census {
  const isOwn = (host: Host): boolean => host.owner === owner
  const count = (wanted: (host: Host) => boolean): number[] => ownersOf(needs.length, hosts.filter(wanted))
  const owners = count((host) => !isOwn(host))
  const own = count(isOwn)
  const before = (value: (need: SegmentNeed, index: number) => number): number[] => [0, ...sumsOf(needs.map(value))]
  const serving = count((host) => host.isServing && !isOwn(host))
  const ownServing = count((host) => host.isServing && isOwn(host))
  return {
    ...{ needs, owners, serving, flows: flowsOf(needs.length, hosts) },
    isOwnServing: ownServing.map((machines) => machines > 0),
    bytes: before(({ bytes }) => bytes),
    macs: before(({ macs }) => macs),
    unserved: before((need, index) => Number(need.owners > 0 && serving[index]! + ownServing[index]! === 0)),
    short: before((need, index) => Number(owners[index]! < need.owners && own[index] === 0)),
  }
}

function choiceOf(
  { needs, flows, bytes, macs, unserved, short }: Census,
  { first, end }: SegmentRun,
  rate: bigint,
): RunChoice {
  const within = (sums: readonly number[]): number => sums[end]! - sums[first]!
  const flow = flowOf(rate, within(macs))
  let gain = 0
  for (let index = first; index < end; index++) {
    gain += needs[index]!.weight * (potentialOf(flows[index]! + flow) - potentialOf(flows[index]!))
  }
  return { first, end, bytes: within(bytes), flow, serves: within(unserved), restores: within(short), gain }
}

/** Below 0 where `a` is worth more. */
function worth(a: RunChoice, b: RunChoice): number {
  return b.serves - a.serves || b.restores - a.restores || b.gain - a.gain
}

/** Where there is nothing to choose, runs pack from the first segment on: what lies in the middle leaves ends that fit nobody. */
function byPlace(a: RunChoice, b: RunChoice): number {
  return a.first - b.first
}

/** `isHeld`: while segments have nobody, nobody who serves moves for less: it could be in the way. */
function isWorthwhile(choice: RunChoice, now: RunChoice, isHeld: boolean): boolean {
  if (choice.serves !== now.serves) return choice.serves > now.serves
  if (isHeld) return false
  if (choice.restores !== now.restores) return choice.restores > now.restores
  return choice.gain * GAIN_UNDER > now.gain * GAIN_OVER
}

/** Segments of `now` that would be short if the machine served `next` instead: with nobody, or with an owner to spare the less. */
function shortWithout({ needs, serving, isOwnServing }: Census, now: RunChoice, next: RunChoice): number[] {
  const found: number[] = []
  for (let index = now.first; index < now.end; index++) {
    const isKept = isOwnServing[index] || (index >= next.first && index < next.end)
    const { owners } = needs[index]!
    // What nobody serves keeps the whole model from being served: for it a spare owner is given up.
    const least = next.serves > now.serves ? Math.min(1, owners) : owners
    if (!isKept && serving[index]! < least) found.push(index)
  }
  return found
}
