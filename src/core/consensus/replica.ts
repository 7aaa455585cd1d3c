/**
 * The replica: Tendermint (arXiv 1807.04938, algorithm 1) by stake, as a pure and synchronous machine. One input in, effects out;
 * it knows no clock, disk or network. What counts is decided in intake.ts, what follows from it in rules/.
 * Spec: docs/spec/chain.md §7, docs/spec/consensus.md.
 * @module
 */
import { assert, unreachable } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { milliseconds } from '../../base/brand.ts'
import { CONSENSUS_LIMITS } from '../../base/chain-limits.ts'
import { createEarly } from './early.ts'
import { receiveFinalized } from './finalized.ts'
import { receive } from './intake.ts'
import type { LedgerWork } from './ledger.ts'
import type { Machine } from './machine.ts'
import { recover } from './recovery.ts'
import type { Effect, Input, Lock, Message, ReplicaOptions, ReplicaPorts } from './replica-port.ts'
import { createHeightState, type HeightState, type Step } from './round-state.ts'
import { decide, enterHeight } from './rules/decide.ts'
import { precommit } from './rules/precommit.ts'
import { prevote } from './rules/prevote.ts'
import { proposeMade } from './rules/propose.ts'
import { onTimer, skipRounds } from './rules/rounds.ts'
import { RULES, type Rules } from './rules/rules.ts'
import { type ConsensusSummary, missingFor, summarize } from './summary.ts'

/** For status and RPC. Stakes in grains. */
export interface RoundState {
  readonly height: number
  readonly round: number
  /** `commit`: the pause before round 0. */
  readonly step: Step
  /** Index of the round's proposer. */
  readonly proposer: number
  /** Our index in the set, or -1. */
  readonly self: number
  /** Block of the round's proposal. */
  readonly proposal: Hash | undefined
  readonly locked: Lock | undefined
  readonly valid: Lock | undefined
  readonly stake: bigint
  readonly prevoted: bigint
  readonly precommitted: bigint
}

export interface Replica {
  /**
   * Works one input off. The first one is `start`. Effects are carried out in their order, and all of them before the next input.
   * @throws ConsensusError when the node must stop.
   */
  step(input: Input): Effect[]
  snapshot(): RoundState
  /** What is held here, for asking peers for the rest. */
  summary(): ConsensusSummary
  /** At most `limit` messages that a peer with this summary lacks, the most useful first. */
  missingFor(summary: ConsensusSummary, limit: number): Message[]
}

/** `rules` differ from the paper's only in tests. */
export function createReplica(options: ReplicaOptions, ports: ReplicaPorts, rules: Rules = RULES): Replica {
  const machine = createMachine(options, ports, rules)
  let isStarted = false
  return {
    step: (input) => {
      assert(isStarted !== (input.type === 'start'), 'a replica starts once, and first')
      assert(Number.isSafeInteger(input.nowMs), 'time is whole milliseconds')
      isStarted = true
      machine.nowMs = input.nowMs
      machine.effects = []
      if (input.type === 'start') recover(machine, options.recovered, () => fireAll(machine))
      else take(machine, input)
      fireAll(machine)
      return machine.effects
    },
    snapshot: () => describe(machine.state, ports.ledger.proposer(machine.state.round)),
    summary: () => summarize(machine),
    missingFor: (summary, limit) => missingFor(machine, summary, limit),
  }
}

function createMachine({ networkId }: ReplicaOptions, ports: ReplicaPorts, rules: Rules): Machine {
  const { ledger, signer } = ports
  const head = ledger.head()
  return {
    networkId,
    ports,
    rules,
    nowMs: milliseconds(0),
    state: createHeightState(head, signer?.publicKey),
    last: { validators: undefined, commit: head.commit, proposal: undefined },
    early: createEarly(),
    signed: signer === undefined ? undefined : { networkId, publicKey: signer.publicKey, last: undefined },
    own: new Map(),
    digests: new Map(),
    effects: [],
    isReplaying: false,
  }
}

function take(machine: Machine, input: Exclude<Input, { type: 'start' }>): void {
  switch (input.type) {
    case 'proposal':
    case 'vote':
      receive(machine, input.from, input)
      return
    case 'catch-up':
      takeAll(machine, input)
      return
    case 'timer':
      onTimer(machine, input)
      return
    case 'finalized':
      receiveFinalized(machine, input)
      return
    case 'prepared':
      notePrepared(machine, input.work)
      return
    case 'head':
      if (machine.ports.ledger.head().height < machine.state.height) return
      enterHeight(machine, { validators: undefined, commit: machine.ports.ledger.head().commit, proposal: undefined })
      return
    default:
      unreachable(input)
  }
}

/**
 * Messages of one peer, up to the first that is wrong: who is honest holds only what it checked, and looking at a thousand wrong
 * signatures takes seconds.
 */
function takeAll(machine: Machine, { from, messages }: Extract<Input, { type: 'catch-up' }>): void {
  for (const message of messages) {
    receive(machine, from, message)
    const last = machine.effects.at(-1)
    if (last?.type === 'judge' && last.verdict === 'reject') return
  }
}

/** The rules that wait for it come back to it; a vote or a block that came meanwhile may have made it useless. */
function notePrepared(machine: Machine, work: LedgerWork): void {
  const { state, ports } = machine
  if (work.type === 'check') {
    const candidate = state.blocks.get(ports.ledger.hashOf(work.block))
    if (candidate !== undefined) candidate.work = 'done'
  } else if (state.making?.request === work.request) {
    state.making.work = 'done'
    proposeMade(machine)
  }
}

/** Fires rules until none has anything to say. */
function fireAll(machine: Machine): void {
  for (let firings = 0; fire(machine); firings++) {
    assert(firings < CONSENSUS_LIMITS.firingsPerInputMax, 'the rules come to rest')
  }
}

/** One rule, the most decisive first. */
function fire(machine: Machine): boolean {
  return decide(machine) || skipRounds(machine) || prevote(machine) || precommit(machine)
}

function describe(state: HeightState, proposer: number): RoundState {
  const { height, round, step, self, locked, valid } = state
  const present = state.rounds.get(round)
  return {
    height,
    round,
    step,
    proposer,
    self,
    proposal: present?.proposals[0]?.proposal.blockHash,
    locked,
    valid,
    stake: state.head.validators.stake,
    prevoted: present?.prevotes.all.stake ?? 0n,
    precommitted: present?.precommits.all.stake ?? 0n,
  }
}
