/**
 * Misfortunes by seed: what is done to a world and when, and how everything is mended at the end.
 * @module
 */
import type { MemoryNetworkConditions } from '../../src/net/memory-transit.ts'
import { type Chance, createChance, FAULT_KINDS } from './faults.ts'
import { killMachine, type Machine, startMachine, stopMachine } from './machine.ts'
import { inviteStranger } from './stranger.ts'
import type { World } from './world.ts'

/** A local network on a good day. */
export const CALM: Omit<MemoryNetworkConditions, 'seed'> = {
  delayMs: { least: 1, most: 20 },
  newsLoss: 0,
  newsDuplication: 0,
  channelCut: 0,
}

/** Does one misfortune now; what ends by itself is scheduled. */
type Misfortune = (world: World, chance: Chance) => void

const MISFORTUNES: Readonly<Record<string, Misfortune>> = {
  kill(world, chance) {
    const machine = oneOf(chance, world.machines)
    killMachine(machine, world, { kind: chance.pick(2) === 0 ? 'power' : 'process', downMs: chance.pick(4_000) })
  },
  /** A whole house without electricity. */
  blackout(world, chance) {
    const machines = world.machines.filter(() => chance.pick(3) > 0)
    for (const machine of machines) killMachine(machine, world, { kind: 'power', downMs: 100 + chance.pick(3_000) })
  },
  stop: (world, chance) => stopMachine(oneOf(chance, world.machines), world, chance.pick(4_000)),
  storage(world, chance) {
    const machine = oneOf(chance, world.machines)
    machine.isDamaged = true
    const device = chance.pick(3) === 0 ? 'store' : 'disk'
    const operation = 1 + chance.pick(device === 'store' ? 4 : 30)
    const kind = oneOf(chance, FAULT_KINDS)
    note(world, `${machine.plan.name}: operation ${operation} of its ${device} will ${kind}`)
    machine.storage.plan(device, operation, kind)
  },
  partition(world, chance) {
    const parts = chance.pick(3) === 0 ? 3 : 2
    const placed = world.machines.map((machine) => ({ machine, part: chance.pick(parts) }))
    separateTwins(placed)
    const groups = Array.from({ length: parts }, (_, part) => placed.filter((each) => each.part === part))
    note(world, `parted: ${groups.map((group) => group.map(({ machine }) => machine.plan.name).join('+')).join(' | ')}`)
    world.network.partition(groups.map((group) => group.map(({ machine }) => machine.plan.peer)))
    later(world, 500 + chance.pick(6_000), 'healed', () => world.network.heal())
  },
  cut(world, chance) {
    const [first, second] = pairOf(chance, world)
    note(world, `cut: ${first.plan.name} and ${second.plan.name}`)
    world.network.cut(first.plan.peer, second.plan.peer)
    later(world, chance.pick(5_000), 'spliced', () => world.network.heal(first.plan.peer, second.plan.peer))
  },
  /** Nothing arrives, and nobody is told. */
  hold(world, chance) {
    const [first, second] = pairOf(chance, world)
    note(world, `held up: ${first.plan.name} and ${second.plan.name}`)
    world.network.hold(first.plan.peer, second.plan.peer)
    later(world, chance.pick(5_000), 'released', () => world.network.release(first.plan.peer, second.plan.peer))
  },
  stranger: (world, chance) => inviteStranger(world, chance, 500 + chance.pick(6_000)),
  weather(world, chance) {
    const conditions = {
      delayMs: { least: 1, most: oneOf(chance, [20, 60, 200, 700]) },
      newsLoss: chance.pick(4) / 10,
      newsDuplication: chance.pick(4) / 10,
      channelCut: chance.pick(3) / 50,
    }
    note(world, `weather: ${JSON.stringify(conditions)}`)
    world.network.setConditions({ ...conditions, seed: BigInt(world.scenario.seed) })
    later(world, 1_000 + chance.pick(5_000), 'calm', () => calm(world))
  },
}

/** Misfortunes per second, by seed: in some nearly all goes well, in others nearly nothing. */
const PER_SECOND = [0, 0.2, 0.3, 0.4, 0.6, 1.5]

export function schedule(world: World, chaosMs: number): void {
  const { scenario, timeline } = world
  const chance = createChance(scenario.seed * 16 + 1)
  const names = Object.keys(MISFORTUNES)
  const perSecond = PER_SECOND[chance.pick(PER_SECOND.length)]!
  for (let count = Math.floor((chaosMs / 1_000) * perSecond); count > 0; count--) {
    const misfortune = MISFORTUNES[oneOf(chance, names)]!
    const own = createChance(scenario.seed * 65_536 + count)
    timeline.schedule(chance.pick(chaosMs), () => {
      if (timeline.nowMs() < chaosMs) misfortune(world, own)
    })
  }
}

/** Everything is right again: the network is one and calm, all machines run, and their storage works. */
export function mend(world: World): void {
  const { network, machines } = world
  note(world, 'mended')
  network.heal()
  for (const first of machines) {
    for (const second of machines) {
      if (first.plan.peer < second.plan.peer) network.release(first.plan.peer, second.plan.peer)
    }
  }
  calm(world)
  for (const machine of machines) {
    for (const device of ['disk', 'store'] as const) machine.storage.plan(device, Number.POSITIVE_INFINITY, 'fail')
    startMachine(machine, world)
  }
}

function calm({ network, scenario }: World): void {
  network.setConditions({ ...CALM, seed: BigInt(scenario.seed) })
}

/** Two that sign with one key do the most harm where they do not hear each other. */
function separateTwins(placed: readonly { readonly machine: Machine; part: number }[]): void {
  const [first, second] = placed.filter(({ machine }) => machine.plan.isTwin)
  if (first !== undefined && second !== undefined) second.part = first.part === 0 ? 1 : 0
}

function pairOf(chance: Chance, { machines }: World): [Machine, Machine] {
  const first = chance.pick(machines.length)
  const second = (first + 1 + chance.pick(machines.length - 1)) % machines.length
  return [machines[first]!, machines[second]!]
}

function later(world: World, delayMs: number, what: string, task: () => void): void {
  world.timeline.schedule(delayMs, () => {
    note(world, what)
    task()
  })
}

function note({ trace }: World, what: string): void {
  trace.note('world', what)
}

function oneOf<Item>(chance: Chance, items: readonly Item[]): Item {
  return items[chance.pick(items.length)]!
}
