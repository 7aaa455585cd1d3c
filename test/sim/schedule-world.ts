/**
 * Replicas under random schedules, from a seed: delays, loss, duplication and reordering of messages, partitions, skewed clocks,
 * an equivocating twin, and crashes in the middle of a step with a journal that lost its end, until one moment; then a calm
 * network, in which everybody must decide. Checked all the time: agreement, commits, and that no honest key contradicts itself.
 * @module
 */
import { milliseconds } from '../../src/base/brand.ts'
import { uniformAt } from '../../src/base/prng.ts'
import { decodeEntry } from '../../src/core/consensus/journal.ts'
import { createReplica } from '../../src/core/consensus/replica.ts'
import type { Effect, Input, Message } from '../../src/core/consensus/replica-port.ts'
import { RULES, type Rules } from '../../src/core/consensus/rules/rules.ts'
import { decodeSummary, encodeSummary } from '../../src/core/consensus/summary.ts'
import { createEventQueue } from './event-queue.ts'
import { checkFinal, fail, noteSaid, type Schedule, type ScheduleOutcome, type World } from './schedule-checks.ts'
import {
  createSmallLedger,
  NETWORK_ID,
  type SmallLedger,
  START_MS,
  setOf,
  signerOf,
  verifySmall,
} from './small-ledger.ts'

const LOSS = 0.15
const DUPLICATION = 0.1
const WILD_DELAY_MS = 2_500
const CALM_DELAY_MS = 80
const GOSSIP_MS = 400
const ANSWER_MAX = 64
const OVERTIME_MS = 120_000

export function runSchedule(schedule: Schedule, rules: Rules = RULES): ScheduleOutcome {
  const world = createWorld(schedule, rules)
  for (const at of world.nodes.keys()) {
    boot(world, at)
    gossip(world, at)
  }
  disturb(world)
  const { events } = world
  let goal = Number.POSITIVE_INFINITY
  let isCalm = false
  while (world.fault === undefined) {
    if (!isCalm && events.nowMs() >= schedule.calmMs) {
      isCalm = true
      goal = calm(world)
    }
    if (world.nodes.every((node) => !node.isHonest || node.chain.length >= goal)) break
    if (events.nowMs() > schedule.calmMs + OVERTIME_MS) fail(world, 'somebody does not decide in a calm network')
    else if (!events.next()) fail(world, 'nothing happens any more')
  }
  const { fault, crashes, evidence, decided } = world
  return { fault, crashes, evidence, height: decided.length, lateMs: events.nowMs() - schedule.calmMs }
}

function createWorld(schedule: Schedule, rules: Rules): World {
  const { stakes, twinned, seed } = schedule
  let counter = 0n
  const chance = (): number => uniformAt(BigInt(seed), counter++)
  const validators = [...stakes.keys(), ...(twinned === undefined ? [] : [twinned])]
  return {
    schedule,
    rules,
    chance,
    events: createEventQueue(),
    said: new Map(),
    decided: [],
    sides: validators.map(() => 0),
    fault: undefined,
    crashes: 0,
    evidence: 0,
    nodes: validators.map((validator, at) => ({
      validator,
      isHonest: validator !== twinned,
      mark: Uint8Array.of(at),
      skewMs: Math.floor(chance() * 1_000) - 500,
      replica: undefined,
      ledger: ledgerOf(schedule, Uint8Array.of(at)),
      chain: [],
      journal: [],
      syncedEntries: 0,
      record: undefined,
      fuse: Number.POSITIVE_INFINITY,
      life: 0,
    })),
  }
}

function ledgerOf({ stakes, seed }: Schedule, mark: Uint8Array): SmallLedger {
  const proposer = (height: number, round: number): number =>
    Math.floor(uniformAt(BigInt(seed) + 1n, BigInt(height * 1_000 + round)) * stakes.length)
  return createSmallLedger({ validators: setOf(stakes), proposer, mark })
}

/** Starts a node from its disk. */
function boot(world: World, at: number): void {
  const node = world.nodes[at]!
  node.life += 1
  node.fuse = Number.POSITIVE_INFINITY
  node.ledger = ledgerOf(world.schedule, node.mark)
  for (const { block, commit } of node.chain) node.ledger.apply(block, commit)
  const isSlow = world.schedule.workMsMax !== undefined
  const ledger = isSlow ? { ...node.ledger, isReady: () => false } : node.ledger
  const ports = { ledger, verify: verifySmall, signer: signerOf(node.validator) }
  const recovered = { record: node.record, journal: [...node.journal] }
  // What opens the file cuts off what it cannot read.
  node.journal = node.journal.filter(isWhole)
  node.replica = createReplica({ networkId: NETWORK_ID, recovered }, ports, world.rules)
  feed(world, at, (nowMs) => ({ type: 'start', nowMs }))
}

function isWhole(entry: Uint8Array): boolean {
  try {
    decodeEntry(entry)
    return true
  } catch {
    return false
  }
}

function feed(world: World, at: number, make: (nowMs: Input['nowMs']) => Input): void {
  const node = world.nodes[at]!
  if (node.replica === undefined || world.fault !== undefined) return
  const nowMs = milliseconds(START_MS + world.events.nowMs() + node.skewMs)
  let effects: Effect[]
  try {
    effects = node.replica.step(make(nowMs))
  } catch (error) {
    fail(world, `a replica crashed: ${String(error)}`)
    return
  }
  for (const effect of effects) {
    if (node.fuse-- <= 0) {
      crash(world, at)
      return
    }
    carryOut(world, at, effect)
  }
}

function carryOut(world: World, at: number, effect: Effect): void {
  const node = world.nodes[at]!
  switch (effect.type) {
    case 'journal':
      node.journal.push(effect.entry)
      if (effect.sync) node.syncedEntries = node.journal.length
      return
    case 'sign-state':
      node.record = effect.record
      return
    case 'publish':
      noteSaid(world, node, effect.message)
      for (const to of world.nodes.keys()) if (to !== at) send(world, at, to, effect.message)
      return
    case 'wake':
      setTimer(world, at, effect)
      return
    case 'prepare':
      prepare(world, at, effect)
      return
    case 'finalize':
      node.chain.push({ block: effect.block, commit: effect.commit })
      node.journal = []
      node.syncedEntries = 0
      checkFinal(world, node, effect)
      return
    case 'evidence':
      world.evidence += 1
      if (world.nodes[effect.voter]?.isHonest) fail(world, `evidence against honest validator ${effect.voter}`)
      return
    default:
  }
}

function prepare(world: World, at: number, { work }: Extract<Effect, { type: 'prepare' }>): void {
  const { chance, events, nodes, schedule } = world
  const { life } = nodes[at]!
  events.at(events.nowMs() + chance() * (schedule.workMsMax ?? 0), () => {
    if (nodes[at]!.life === life) feed(world, at, (nowMs) => ({ type: 'prepared', nowMs, work }))
  })
}

function setTimer(world: World, at: number, { atMs, height, round, step }: Extract<Effect, { type: 'wake' }>): void {
  const node = world.nodes[at]!
  const { life } = node
  world.events.at(Math.max(atMs - START_MS - node.skewMs, world.events.nowMs()), () => {
    if (node.life === life) feed(world, at, (nowMs) => ({ type: 'timer', nowMs, height, round, step }))
  })
}

function send(world: World, from: number, to: number, message: Message): void {
  deliver(world, from, to, () => feed(world, to, (nowMs) => ({ ...message, nowMs })))
}

function deliver(world: World, from: number, to: number, arrive: () => void): void {
  const { chance, events, schedule, sides } = world
  const isCalm = events.nowMs() >= schedule.calmMs
  if (!isCalm && (chance() < LOSS || sides[from] !== sides[to])) return
  const copies = !isCalm && chance() < DUPLICATION ? 2 : 1
  for (let copy = 0; copy < copies; copy++) {
    events.at(events.nowMs() + chance() * (isCalm ? CALM_DELAY_MS : WILD_DELAY_MS), arrive)
  }
}

/** Asks somebody for what is missing, again and again: messages of the height, or the block that ended it. */
function gossip(world: World, at: number): void {
  const { chance, events, nodes } = world
  events.at(events.nowMs() + GOSSIP_MS * (0.5 + chance()), () => {
    const asker = nodes[at]!
    const other = (at + 1 + Math.floor(chance() * (nodes.length - 1))) % nodes.length
    if (asker.replica !== undefined) {
      const summary = encodeSummary(asker.replica.summary())
      deliver(world, at, other, () => answer(world, at, other, summary))
    }
    gossip(world, at)
  })
}

function answer(world: World, asker: number, from: number, bytes: Uint8Array): void {
  const { replica, chain } = world.nodes[from]!
  if (replica === undefined) return
  const summary = decodeSummary(bytes)
  const final = chain[summary.height - 1]
  const messages = replica.missingFor(summary, ANSWER_MAX)
  deliver(world, from, asker, () => {
    if (messages.length > 0) feed(world, asker, (nowMs) => ({ type: 'catch-up', nowMs, messages }))
    else if (final !== undefined) feed(world, asker, (nowMs) => ({ type: 'finalized', nowMs, ...final }))
  })
}

/** Until the calm: partitions come and go, and fuses are lit. */
function disturb(world: World): void {
  const { chance, events, schedule, nodes } = world
  events.at(events.nowMs() + chance() * 2_000, () => {
    if (events.nowMs() >= schedule.calmMs) return
    world.sides = nodes.map(() => (chance() < 0.5 ? 0 : Math.floor(chance() * 2)))
    const victim = nodes[Math.floor(chance() * nodes.length)]!
    if (chance() < 0.6) victim.fuse = Math.floor(chance() * 12)
    disturb(world)
  })
}

/** The process is gone: effects not carried out yet never are, and the journal may have lost what was not synced, or all. */
function crash(world: World, at: number): void {
  const { chance, events, nodes } = world
  const node = nodes[at]!
  world.crashes += 1
  node.replica = undefined
  node.life += 1
  const kind = chance()
  const lost = Math.floor(chance() * (node.journal.length - node.syncedEntries + 1))
  if (kind < 0.4 && world.schedule.forgetful.includes(node.validator)) node.journal = []
  else if (kind < 0.75) node.journal.length -= lost
  else if (node.journal.length > node.syncedEntries) node.journal.push(node.journal.pop()!.slice(0, -1))
  node.syncedEntries = Math.min(node.syncedEntries, node.journal.length)
  const { life } = node
  events.at(events.nowMs() + chance() * 5_000, () => {
    if (node.life === life) boot(world, at)
  })
}

/** Everybody runs and hears everybody. Gives the height that all must reach. */
function calm(world: World): number {
  world.sides = world.sides.map(() => 0)
  for (const [at, node] of world.nodes.entries()) {
    node.fuse = Number.POSITIVE_INFINITY
    if (node.replica === undefined) boot(world, at)
  }
  return Math.max(...world.nodes.map(({ chain }) => chain.length)) + world.schedule.heights
}
