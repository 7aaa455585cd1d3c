/**
 * The rules that are compared: ours, ours if machines announced what they fetch, and that of Petals (github.com/bigscience-workshop/petals, block_selection.py),
 * written from its description: the window whose sorted flows come first; a move only where, after everybody has moved until nobody wants to, the
 * least flow would be more than a third above that of now, and never where leaving takes away the last one.
 * @module
 */
import { bestResponse, type Machine as Chooser, isMoveStillGood } from '../../src/core/market/best-response.ts'
import { flowsOf, type Host, type SegmentRun } from '../../src/core/market/segment-balance.ts'
import type { Chance } from '../economy/random.ts'
import { type FlowingRun, type Machine, NEEDS, type Rule, SEGMENT_BYTES, SEGMENTS } from './swarm.ts'

const BALANCE = 0.75
const EPSILON = 1e-3
/** Everybody moves in turn until nobody wants to; it could take for ever. */
const ROUNDS_MAX = 20

const ours: Omit<Rule, 'name' | 'announces'> = {
  endsFirst: false,
  choose(machine, hosts) {
    const { verdict, chosen } = bestResponse(NEEDS, hosts, chooserOf(machine))
    if (verdict === 'join' || verdict === 'move' || verdict === 'make-way') return chosen
    // What was worth fetching is not any more.
    return machine.target === undefined ? undefined : (machine.run ?? machine.target.run)
  },
  isStillGood: (machine, hosts, run) => isMoveStillGood(NEEDS, hosts, { machine: servingOf(machine), run }),
}

const petals: Omit<Rule, 'name' | 'endsFirst'> = {
  announces: true,
  isStillGood: () => true,
  choose(machine, hosts, chance) {
    if (machine.target !== undefined) return undefined
    if (machine.run === undefined) return bestWindow(flowsOf(SEGMENTS, hosts), machine.capacity)
    return betterWindow({ run: machine.run }, hosts, chance)
  },
}

export const RULES: readonly Rule[] = [
  { ...ours, name: 'dllm', announces: false },
  { ...ours, name: 'dllm, announced', announces: true },
  { ...petals, name: 'Petals, fetching first', endsFirst: false },
  { ...petals, name: 'Petals', endsFirst: true },
]

/** Who fetches what it has said weighs that against all else; who serves meanwhile, what it serves. */
function chooserOf(machine: Machine): Chooser {
  if (machine.run !== undefined) return servingOf(machine)
  return { ...servingOf(machine), now: machine.target && { ...machine.target.run, isServing: false } }
}

function servingOf({ name, rate, capacity, run }: Machine): Chooser {
  return { owner: name, rate, bytes: capacity * SEGMENT_BYTES, now: run && { ...run, isServing: true } }
}

interface Placed {
  first: number
  readonly length: number
  readonly flow: number
}

function betterWindow(
  { run }: { readonly run: FlowingRun },
  hosts: readonly Host[],
  chance: Chance,
): SegmentRun | undefined {
  const own: Placed = { first: run.first, length: run.end - run.first, flow: run.flow }
  const flows = flowsOf(SEGMENTS, hosts)
  add(flows, own, own.flow)
  const least = Math.min(...flows)
  // What everybody together can pass bounds the least flow after any moves.
  const most = flows.reduce((sum, flow) => sum + flow, 0) / SEGMENTS
  if (least >= most * (BALANCE - EPSILON)) return undefined
  add(flows, own, -own.flow * (1 + EPSILON))
  if (least > 0 && Math.min(...flows) <= 0) return undefined
  const found = bestWindow(flows, own.length)
  if (found.first === own.first) return undefined
  add(flows, own, own.flow * EPSILON)
  own.first = found.first
  add(flows, own, own.flow)
  const placed = [own, ...hosts.map(({ first, end, flow }) => ({ first, length: end - first, flow }))]
  moveAll(flows, placed, chance)
  const after = Math.min(...flows)
  return after >= least && after > 0 && least / after < BALANCE - EPSILON ? found : undefined
}

function moveAll(flows: number[], placed: Placed[], chance: Chance): void {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    let hasMoved = false
    shuffle(placed, chance)
    for (const each of placed) {
      add(flows, each, -each.flow * (1 + EPSILON))
      const { first } = bestWindow(flows, each.length)
      add(flows, each, each.flow * EPSILON)
      hasMoved ||= first !== each.first
      each.first = first
      add(flows, each, each.flow)
    }
    if (!hasMoved) return
  }
}

function add(flows: number[], { first, length }: Placed, flow: number): void {
  for (let segment = first; segment < first + length; segment++) flows[segment]! += flow
}

/** The window whose flows, sorted, come first; of equal ones the lowest. */
function bestWindow(flows: readonly number[], length: number): SegmentRun {
  let best: { readonly first: number; readonly sorted: Float64Array } | undefined
  for (let first = 0; first + length <= flows.length; first++) {
    const sorted = Float64Array.from(flows.slice(first, first + length)).sort()
    if (best === undefined || isBefore(sorted, best.sorted)) best = { first, sorted }
  }
  return { first: best!.first, end: best!.first + length }
}

function isBefore(a: Float64Array, b: Float64Array): boolean {
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return a[index]! < b[index]!
  return false
}

function shuffle(items: Placed[], chance: Chance): void {
  for (let index = items.length - 1; index > 0; index--) {
    const other = chance.below(index + 1)
    ;[items[index], items[other]] = [items[other]!, items[index]!]
  }
}
