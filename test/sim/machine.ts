/**
 * One simulated machine: its disk and clock outlive the processes that run on it one after the other. A process is the node
 * as in production; it ends by being killed, by being told to, or by failing.
 * @module
 */
import { createNode, type FullNode } from '../../src/app/node/node.ts'
import type { Disk } from '../../src/app/store/disk.ts'
import type { KeyValueStore } from '../../src/app/store/key-value.ts'
import type { Hash } from '../../src/base/brand.ts'
import { HouseError } from '../../src/base/error.ts'
import type { Log } from '../../src/base/ports.ts'
import type { Message } from '../../src/core/consensus/replica-port.ts'
import { comparePositions } from '../../src/core/consensus/sign-guard.ts'
import { decodeSignState } from '../../src/core/consensus/sign-record.ts'
import type { MemoryNetwork } from '../../src/net/memory-network.ts'
import type { Wire } from '../../src/net/wire.ts'
import type { CrashKind } from './faults.ts'
import type { Witness } from './invariants.ts'
import { createMachineStorage, type MachineStorage } from './machine-storage.ts'
import { hex, type MachinePlan, type Scenario, SIMULATED_SEEDS } from './scenario.ts'
import type { Signatures } from './signatures.ts'
import { watchedStore, watchedWire } from './spy.ts'
import { createMachineClock, type MachineClock, type Timeline } from './timeline.ts'
import type { Trace } from './trace.ts'

/** What all machines share. */
export interface Surroundings {
  readonly scenario: Scenario
  readonly timeline: Timeline
  readonly network: MemoryNetwork
  readonly witness: Witness
  readonly trace: Trace
  readonly signatures: Signatures
  readonly onFinal: (machine: Machine) => void
  /** The latest that machines said, for who wants to twist it. */
  readonly overheard: Message[]
  /** What a machine's storage is in truth, for worlds that something must be wrong with. */
  readonly spoil: (storage: Storage) => Storage
}

export interface Storage {
  readonly disk: Disk
  readonly store: KeyValueStore
}

interface Process {
  readonly clock: MachineClock
  readonly wire: Wire
  /** undefined while it starts. */
  node: FullNode | undefined
}

export interface Machine {
  readonly plan: MachinePlan
  readonly storage: MachineStorage
  process: Process | undefined
  /** Something was done to its storage that it may fail of. */
  isDamaged: boolean
  hasSigned: boolean
  /** Height that it has announced, in any life. */
  announced: number
  /** Height of the newest block that went to the store in this life. */
  saved: number
  /** Lives so far. */
  starts: number
}

export function createMachine(plan: MachinePlan, timeline: Timeline): Machine {
  const { storageSeed: seed, latencyMsMax } = plan
  return {
    plan,
    storage: createMachineStorage(timeline, { seed, latencyMsMax }),
    ...{ process: undefined, isDamaged: false, hasSigned: false, announced: 0, saved: 0, starts: 0 },
  }
}

const OVERHEARD_MAX = 32
/** How long a machine is down when nobody says otherwise. */
const RESTART_MS = 700

export function startMachine(machine: Machine, surroundings: Surroundings): void {
  const { plan, storage } = machine
  const { scenario, timeline, network, witness, trace } = surroundings
  if (machine.process !== undefined) return
  const bootstrap = scenario.machines.filter(({ peer }) => peer !== plan.peer).map(({ peer }) => `/memory/${peer}`)
  const clock = createMachineClock(timeline, plan.clock)
  const wire = network.createMemoryWire({ peer: plan.peer, listen: true, bootstrap })
  const process: Process = { clock, wire, node: undefined }
  const isCurrent = (): boolean => machine.process === process
  const isNewKey = storage.peek('sign-state') === undefined
  if (isNewKey && machine.hasSigned) witness.object('no honest double sign', `${plan.name} lost its sign state`)
  const handles = storage.open(() => die(machine, surroundings, 'the power failed'))
  const { disk, store } = surroundings.spoil(handles)
  machine.process = process
  machine.saved = 0
  machine.starts++
  trace.note(plan.name, `starts${isNewKey ? ' with a new key' : ''}`)
  const log: Log = {
    write: (level, event, fields) => isCurrent() && hear(machine, surroundings, { level, event, fields }),
  }
  createNode(
    { network: scenario.network, name: plan.name, keys: plan.keys, isNewKey },
    {
      wire: watchedWire(wire, (message) => {
        if (isCurrent()) say(machine, surroundings, message)
      }),
      store: watchedStore(store, (height, hash) => keep(machine, surroundings, { height, hash })),
      ...{ disk, clock, log, ...surroundings.signatures, seedScheme: SIMULATED_SEEDS },
      stepsPerTurn: plan.stepsPerTurn,
    },
  ).then(
    (node) => isCurrent() && run(machine, process, { node, surroundings }),
    (error: unknown) => isCurrent() && fail(machine, surroundings, error),
  )
}

function run(
  machine: Machine,
  process: Process,
  { node, surroundings }: { readonly node: FullNode; readonly surroundings: Surroundings },
): void {
  const { witness, trace } = surroundings
  const { height, hash } = node.chain.head()
  process.node = node
  trace.note(machine.plan.name, `runs at ${height} ${hash.slice(0, 8)}`)
  if (height < machine.announced) {
    const told = `${machine.plan.name} had announced ${machine.announced} and began again at ${height}`
    witness.object('nothing final is lost', told)
  }
  if (height > 0) witness.saved(machine.plan.name, height, hash)
  // The chain may have grown while it started.
  surroundings.onFinal(machine)
  void node.failed.then((error) => machine.process === process && fail(machine, surroundings, error))
}

/** A message leaves the machine: its own, or one that it passes on when asked. */
function say(machine: Machine, { scenario, witness, overheard }: Surroundings, message: Message): void {
  const { plan, storage } = machine
  overheard.push(message)
  if (overheard.length > OVERHEARD_MAX) overheard.shift()
  witness.said(plan.name, message)
  const publicKey = plan.keys?.consensus.publicKey
  const { networkId } = scenario.network
  if (publicKey === undefined || message.type !== 'vote') return
  const { height, round, type: step, voter } = message.vote
  const voterKey = witness.setAt(height)?.members[voter]?.consensusKey
  if (voterKey === undefined || hex(voterKey) !== hex(publicKey)) return
  machine.hasSigned = true
  // Of a twin's two files, each knows only its own half.
  if (plan.isTwin) return
  const file = storage.peek('sign-state')
  const last = file && decodeSignState(file, { networkId, publicKey }).last
  if (last !== undefined && comparePositions({ height, round, step }, last) <= 0) return
  const what = `${plan.name} gave out its ${step} at ${height}/${round} before that was on its disk`
  witness.object('no honest double sign', what)
}

/** A block goes to the store. */
function keep(
  machine: Machine,
  { witness }: Surroundings,
  block: { readonly height: number; readonly hash: Hash },
): void {
  const { name } = machine.plan
  if (block.height === machine.saved) witness.object('nothing final is lost', `${name} stores ${block.height} twice`)
  machine.saved = block.height
  witness.saved(name, block.height, block.hash)
}

interface LogLine {
  readonly level: string
  readonly event: string
  readonly fields: Readonly<Record<string, string | number | boolean | undefined>> | undefined
}

function hear(machine: Machine, surroundings: Surroundings, { level, event, fields }: LogLine): void {
  surroundings.trace.note(machine.plan.name, `${level} ${event} ${JSON.stringify(fields ?? {})}`)
  if (event !== 'chain.final') return
  machine.announced = Math.max(machine.announced, Number(fields?.['height']))
  surroundings.onFinal(machine)
}

/** The process ended by itself, or never ran: its operator looks, and starts it again. */
function fail(machine: Machine, surroundings: Surroundings, error: unknown): void {
  const { witness, trace } = surroundings
  const { name } = machine.plan
  trace.note(name, `failed: ${error instanceof HouseError ? error.code : String(error)}`)
  witness.failed(name, error, machine.isDamaged || machine.plan.isTwin)
  machine.isDamaged = false
  stopMachine(machine, surroundings, RESTART_MS)
}

/** Ends the process in good order; it starts again `downMs` after it has ended. */
export function stopMachine(machine: Machine, surroundings: Surroundings, downMs: number): void {
  const { timeline, trace } = surroundings
  const { process } = machine
  if (process === undefined) return
  const restart = (): void => {
    if (machine.process !== process) return
    machine.process = undefined
    trace.note(machine.plan.name, 'ended')
    timeline.schedule(downMs, () => startMachine(machine, surroundings))
  }
  Promise.resolve(process.node?.stop())
    .then(() => process.wire.stop())
    .then(restart, (error: unknown) => {
      if (machine.process !== process) return
      surroundings.witness.failed(machine.plan.name, error, machine.isDamaged || machine.plan.isTwin)
      die(machine, surroundings, 'could not end')
    })
}

/** The process is gone within an instruction; `power` takes what the disk has not synced. */
export function killMachine(
  machine: Machine,
  surroundings: Surroundings,
  { kind, downMs }: { readonly kind: CrashKind; readonly downMs: number },
): void {
  if (machine.process === undefined) return
  machine.storage.crash(kind)
  die(machine, surroundings, kind === 'power' ? 'the power was cut' : 'killed', downMs)
}

function die(machine: Machine, surroundings: Surroundings, why: string, downMs: number = RESTART_MS): void {
  const { timeline, network, trace } = surroundings
  if (machine.process === undefined) return
  trace.note(machine.plan.name, why)
  machine.process.clock.stop()
  machine.process = undefined
  network.kill(machine.plan.peer)
  timeline.schedule(downMs, () => startMachine(machine, surroundings))
}
