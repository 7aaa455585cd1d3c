/**
 * Runs Twins scenarios: replicas over the small ledger, without delays and without crypto. What a partition keeps apart is
 * delivered when nothing else can happen, and when the rounds of the scenario are over, so that a scenario is a choice of orders and never loses a message for ever.
 * Checked: honest instances agree, none signs twice, and all of them decide.
 * @module
 */
import { type Hash, type Milliseconds, milliseconds } from '../../src/base/brand.ts'
import { createReplica, type Replica } from '../../src/core/consensus/replica.ts'
import type { Effect, Input, Message } from '../../src/core/consensus/replica-port.ts'
import { RULES, type Rules } from '../../src/core/consensus/rules/rules.ts'
import { SIGN_STEPS } from '../../src/core/consensus/sign-guard.ts'
import {
  createSmallLedger,
  NETWORK_ID,
  type SmallLedger,
  START_MS,
  setOf,
  signerOf,
  verifySmall,
} from './small-ledger.ts'
import { type Family, scenarioAt, type TwinsScenario, walk } from './twins-scenario.ts'

export type Fault = 'disagreement' | 'double-sign' | 'stall' | 'crash'

export interface TwinsOutcome {
  /** undefined: all is well. */
  readonly fault: Fault | undefined
  /** Largest round in which an honest instance decided. */
  readonly round: number
  readonly evidence: number
}

export interface TwinsCounts {
  readonly scenarios: number
  readonly faults: readonly { readonly id: string; readonly fault: Fault }[]
  /** Scenarios in which a contradiction was told. */
  readonly withEvidence: number
  /** Scenarios by the round of the last decision. */
  readonly byRound: readonly number[]
}

interface Instance {
  readonly validator: number
  readonly isHonest: boolean
  readonly replica: Replica
  readonly ledger: SmallLedger
}

interface World {
  readonly scenario: TwinsScenario
  readonly instances: readonly Instance[]
  /** Deliverable now, in order. */
  readonly queue: { readonly to: number; readonly message: Message }[]
  /** Kept apart by a partition. */
  readonly withheld: { readonly to: number; readonly message: Message }[]
  readonly timers: Timer[]
  /** What honest validators signed, by place. */
  readonly said: Map<string, Hash | undefined>
  nowMs: Milliseconds
  hasDoubleSign: boolean
  evidence: number
}

interface Timer {
  readonly at: number
  readonly effect: Extract<Effect, { type: 'wake' }>
}

/** Far more than any scenario needs: three rounds of choice and four of peace take some hundred. */
const STEPS_MAX = 6_000
const CATCH_UP_MAX = 200

/** Runs scenarios of a family from a place of its walk on. */
export function runTwins(
  family: Family,
  range: { readonly from: number; readonly count: number },
  rules = RULES,
): TwinsCounts {
  const faults: { id: string; fault: Fault }[] = []
  const byRound: number[] = []
  let withEvidence = 0
  for (let place = range.from; place < range.from + range.count; place++) {
    const scenario = scenarioAt(family, walk(family, place))
    const { fault, round, evidence } = runScenario(scenario, rules)
    if (fault !== undefined) faults.push({ id: scenario.id, fault })
    if (evidence > 0) withEvidence += 1
    byRound[round] = (byRound[round] ?? 0) + 1
  }
  return { scenarios: range.count, faults, withEvidence, byRound: Array.from(byRound, (count) => count ?? 0) }
}

/** Runs one scenario until every honest instance has decided height 1. */
export function runScenario(scenario: TwinsScenario, rules: Rules = RULES): TwinsOutcome {
  const world = createWorld(scenario, rules)
  let fault: Fault | undefined
  try {
    for (const index of world.instances.keys()) feed(world, index, { type: 'start', nowMs: world.nowMs })
    for (let steps = 0; !isDecided(world) && fault === undefined; steps++) {
      if (steps >= STEPS_MAX || !advance(world)) fault = 'stall'
    }
  } catch {
    fault = 'crash'
  }
  const decided = world.instances.filter(({ isHonest }) => isHonest).flatMap(({ ledger }) => ledger.chain.slice(0, 1))
  if (decided.some(({ hash }) => hash !== decided[0]?.hash)) fault = 'disagreement'
  else if (world.hasDoubleSign) fault = 'double-sign'
  const round = decided.reduce((max, { commit }) => Math.max(max, commit.round), 0)
  return { fault, round, evidence: world.evidence }
}

function createWorld(scenario: TwinsScenario, rules: Rules): World {
  const { family, instances, rounds } = scenario
  const validators = setOf(family.stakes)
  const proposer = (_height: number, round: number): number => rounds[round]?.leader ?? round % family.stakes.length
  return {
    scenario,
    instances: instances.map((validator, index) => {
      const ledger = createSmallLedger({ validators, proposer, mark: Uint8Array.of(index) })
      const ports = { ledger, verify: verifySmall, signer: signerOf(validator) }
      const replica = createReplica({ networkId: NETWORK_ID }, ports, rules)
      return { validator, isHonest: !family.twinned.includes(validator), replica, ledger }
    }),
    queue: [],
    withheld: [],
    timers: [],
    said: new Map(),
    nowMs: START_MS,
    hasDoubleSign: false,
    evidence: 0,
  }
}

function isDecided({ instances }: World): boolean {
  return instances.every(({ isHonest, ledger }) => !isHonest || ledger.chain.length > 0)
}

/** Lets the next thing happen: a message, else a timer, else the end of what was kept apart. Gives whether there was one. */
function advance(world: World): boolean {
  if (world.queue.length > 0) {
    // Whole waves: shifting one message at a time would cost more than working it off.
    for (const { to, message } of world.queue.splice(0)) feed(world, to, { ...message, nowMs: world.nowMs })
    return true
  }
  const timer = takeTimer(world)
  if (timer !== undefined) {
    const { atMs, height, round, step } = timer.effect
    world.nowMs = milliseconds(Math.max(world.nowMs, atMs))
    feed(world, timer.at, { type: 'timer', nowMs: world.nowMs, height, round, step })
    return true
  }
  if (world.withheld.length > 0) {
    world.queue.push(...world.withheld.splice(0))
    return true
  }
  return catchUp(world)
}

/** The earliest timer; of equals the one that was set first. */
function takeTimer({ timers }: World): Timer | undefined {
  let first = 0
  for (const [at, { effect }] of timers.entries()) if (effect.atMs < (timers[first]?.effect.atMs ?? 0)) first = at
  return timers.length === 0 ? undefined : timers.splice(first, 1)[0]
}

/** What replicas could not keep they ask each other for. */
function catchUp({ instances, queue }: World): boolean {
  for (const [to, { replica }] of instances.entries()) {
    const summary = replica.summary()
    for (const other of instances) {
      if (other.replica === replica) continue
      queue.push(...other.replica.missingFor(summary, CATCH_UP_MAX).map((message) => ({ to, message })))
    }
  }
  return queue.length > 0
}

function feed(world: World, index: number, input: Input): void {
  const { instances, timers } = world
  const instance = instances[index]
  if (instance === undefined || instance.ledger.chain.length > 0) return
  for (const effect of instance.replica.step(input)) {
    if (effect.type === 'publish') publish(world, index, effect.message)
    else if (effect.type === 'wake') timers.push({ at: index, effect })
    else if (effect.type === 'evidence') world.evidence += 1
  }
}

function publish(world: World, from: number, message: Message): void {
  const { instances, queue, withheld } = world
  noteSaid(world, instances[from], message)
  // The first message of a round of peace ends all partitions.
  if (roundOf(message) >= world.scenario.rounds.length && withheld.length > 0) queue.push(...withheld.splice(0))
  const groups = groupsFor(world, message)
  const mine = (groups >> from) & 1
  for (let to = 0; to < instances.length; to++) {
    if (to === from) continue
    const isHeard = ((groups >> to) & 1) === mine
    ;(isHeard ? queue : withheld).push({ to, message })
  }
}

function roundOf(message: Message): number {
  return message.type === 'vote' ? message.vote.round : message.proposal.round
}

/** After the rounds of the scenario everybody hears everybody. */
function groupsFor({ scenario }: World, message: Message): number {
  if (message.type === 'proposal') return (scenario.rounds[message.proposal.round]?.prevoteGroups ?? 0) << 1
  const round = scenario.rounds[message.vote.round]
  if (round === undefined) return 0
  return (message.vote.type === 'prevote' ? round.prevoteGroups : round.precommitGroups) << 1
}

/** An honest validator says one thing in one place. */
function noteSaid(world: World, instance: Instance | undefined, message: Message): void {
  if (instance === undefined || !instance.isHonest) return
  const { height, round, blockHash } = message.type === 'vote' ? message.vote : message.proposal
  const step = message.type === 'vote' ? message.vote.type : SIGN_STEPS[0]
  const key = `${instance.validator}/${height}/${round}/${step}`
  if (world.said.has(key) && world.said.get(key) !== blockHash) world.hasDoubleSign = true
  world.said.set(key, blockHash)
}
