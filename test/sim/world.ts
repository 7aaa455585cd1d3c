/**
 * A world in which whole nodes live: one seed, one network, some machines, a schedule of misfortunes and people who send transactions.
 * After the misfortunes everything is mended, and the chain must go on. Real time and real chance play no part.
 * @module
 */
import type { Log } from '../../src/base/ports.ts'
import { createMemoryNetwork } from '../../src/net/memory-network.ts'
import type { WorkloadCounts } from './crowd.ts'
import { createWitness, type SimulationFailure } from './invariants.ts'
import { createMachine, type Machine, type Storage, type Surroundings, startMachine } from './machine.ts'
import { createMarketLedger, type MarketLedger } from './market-ledger.ts'
import { startMarket } from './market-workload.ts'
import { type Scenario, scenarioOf } from './scenario.ts'
import { CALM, mend, schedule } from './schedule.ts'
import { createSignatures } from './signatures.ts'
import { createMachineClock, createTimeline, settle } from './timeline.ts'
import { createTrace } from './trace.ts'
import { startWorkload } from './workload.ts'

export interface WorldOptions {
  /** Virtual time of misfortunes, before everything is mended. */
  readonly chaosMs?: number
  /** Gets every line of the trace. */
  readonly print?: (line: string) => void
  /** For tests of the invariants themselves: another scenario, storage that lies, misfortunes of one's own. */
  readonly scenario?: (scenario: Scenario) => Scenario
  readonly spoil?: (storage: Storage) => Storage
  readonly begin?: (world: World) => void
}

export interface WorldOutcome {
  readonly seed: number
  /** undefined: every invariant held. */
  readonly failure: SimulationFailure | undefined
  readonly digest: string
  readonly height: number
  readonly virtualMs: number
  readonly events: number
  /** Processes started, on all machines. */
  readonly starts: number
  readonly doubleSigns: number
  readonly workload: WorkloadCounts
  /** What people did in it, and what became of that, by name. */
  readonly market: WorkloadCounts & { readonly happened: ReadonlyMap<string, number> }
}

export interface World extends Surroundings {
  readonly scenario: Scenario
  readonly machines: readonly Machine[]
  readonly ledger: MarketLedger
}

const CHAOS_MS = 15_000
/** Blocks that must come once everything is mended, everywhere, and how long they may take. */
const LIVE_BLOCKS = 3
const LIVE_MS = 40_000
/** Every state is looked at once; after so many blocks of a machine and at the end, its own whatever others have. */
const INSPECT_EVERY = 6
/** Far beyond what a run takes: something goes round in a circle without time passing. */
const EVENTS_MAX = 3_000_000

export async function runWorld(seed: number, options: WorldOptions = {}): Promise<WorldOutcome> {
  const { chaosMs = CHAOS_MS, begin } = options
  const { world, unseen } = createWorld(seed, options)
  const { timeline, machines, witness, trace } = world
  for (const machine of machines) timeline.schedule(machine.plan.startsAtMs, () => startMachine(machine, world))
  schedule(world, chaosMs)
  begin?.(world)
  const workload = startWorkload(world)
  const market = startMarket(world)
  await advance(world, unseen, { untilMs: chaosMs })
  if (witness.failure() === undefined) {
    mend(world)
    const target = witness.height() + LIVE_BLOCKS
    const isThere = (): boolean => machines.every((machine) => (isHonest(machine) ? heightOf(machine) >= target : true))
    await advance(world, unseen, { untilMs: timeline.nowMs() + LIVE_MS, isDone: isThere })
    if (!isThere()) witness.object('liveness', `not everybody has reached block ${target}: ${heights(machines)}`)
  }
  for (const machine of machines) inspect(world, machine)
  trace.note('world', `ends at ${witness.height()}: ${heights(machines)}`)
  for (const { process } of machines) process?.clock.stop()
  return {
    ...{ seed, failure: witness.failure(), digest: trace.digest(), height: witness.height() },
    ...{ virtualMs: timeline.nowMs(), events: timeline.count(), doubleSigns: witness.doubleSigns() },
    ...{ workload, market: { ...market, happened: world.ledger.counts } },
    starts: machines.reduce((sum, { starts }) => sum + starts, 0),
  }
}

function createWorld(
  seed: number,
  { print, scenario: change = (scenario) => scenario, spoil = (storage) => storage }: WorldOptions,
): { world: World; unseen: Set<Machine> } {
  const scenario = change(scenarioOf(seed))
  const timeline = createTimeline()
  const trace = createTrace(timeline.nowMs, print)
  const witness = createWitness(scenario.twinKeys)
  const log: Log = {
    write(level, event, fields) {
      trace.note('net', `${level} ${event} ${JSON.stringify(fields ?? {})}`)
      const isFailure = event === 'wire.news_failed' || event === 'wire.handler_failed'
      if (isFailure && fields?.['code'] === undefined) {
        witness.object('coded failures', `a handler threw: ${JSON.stringify(fields)}`)
      }
      const banned = event === 'wire.peer_banned' && scenario.machines.find(({ peer }) => peer === fields?.['peer'])
      if (banned) witness.object('nobody honest is banned', `${banned.name} runs this program and is banned`)
    },
  }
  const clock = createMachineClock(timeline, { offsetMs: 0, driftPpm: 0 })
  const network = createMemoryNetwork({ clock, log }, { ...CALM, seed: BigInt(seed) })
  const signatures = createSignatures(scenario.machines.flatMap(({ keys }) => keys?.consensus ?? []))
  /** Machines with new blocks that nobody has looked at. */
  const unseen = new Set<Machine>()
  const world: World = {
    ...{ scenario, timeline, network, witness, trace, signatures },
    machines: scenario.machines.map((plan) => createMachine(plan, timeline)),
    onFinal: (machine) => void unseen.add(machine),
    ...{ spoil, overheard: [], ledger: createMarketLedger() },
  }
  return { world, unseen }
}

interface Stretch {
  readonly untilMs: number
  readonly isDone?: () => boolean
}

/** Lets things happen one after the other, and the processor come to rest after each. */
async function advance(world: World, unseen: Set<Machine>, { untilMs, isDone }: Stretch): Promise<void> {
  const { timeline, witness } = world
  while (witness.failure() === undefined && !isDone?.() && stepped(world, untilMs)) {
    await settle()
    for (const machine of unseen) look(world, machine)
    unseen.clear()
    if (timeline.count() > EVENTS_MAX) witness.object('liveness', 'too much happens')
  }
}

/** A task that throws is a bug: whoever schedules one catches what can go wrong. */
function stepped({ timeline, witness }: World, untilMs: number): boolean {
  try {
    return timeline.step(untilMs)
  } catch (error) {
    witness.object('coded failures', `a task threw ${error instanceof Error ? error.stack : String(error)}`)
    return false
  }
}

/** At a machine with a new head. */
function look(world: World, machine: Machine): void {
  const chain = machine.process?.node?.chain
  if (chain === undefined) return
  const { witness, trace } = world
  const { height, hash, validators } = chain.head()
  witness.votes(height + 1, validators)
  trace.note(machine.plan.name, `has ${height} ${hash.slice(0, 8)}`)
  witness.inspect(machine.plan.name, chain, height % INSPECT_EVERY === 0)
  world.ledger.read(chain)
}

function inspect({ witness }: World, machine: Machine): void {
  const chain = machine.process?.node?.chain
  if (chain !== undefined) witness.inspect(machine.plan.name, chain, true)
}

function isHonest({ plan }: Machine): boolean {
  return !plan.isTwin
}

function heightOf(machine: Machine): number {
  return machine.process?.node?.chain.head().height ?? -1
}

function heights(machines: readonly Machine[]): string {
  return machines.map((machine) => `${machine.plan.name} ${heightOf(machine)}`).join(', ')
}
