/**
 * Lines 11–21 of the algorithm: a round begins; its proposer proposes, the others wait for it.
 * Spec: docs/spec/consensus.md §3.
 * @module
 */
import { assert } from '../../../base/assert.ts'
import { milliseconds } from '../../../base/brand.ts'
import { decodeBlock, encodeBlock } from '../../block/block.ts'
import { keepProposal } from '../intake.ts'
import { isReady, type Machine, signKey, signProposal, wake } from '../machine.ts'
import type { Proposal } from '../messages.ts'
import type { Lock } from '../replica-port.ts'
import { proposalWith, prune } from '../round-state.ts'
import { tallyFor } from '../vote-set.ts'

/** Lines 11–21. */
export function startRound(machine: Machine, round: number): void {
  const { state, ports } = machine
  assert(round >= state.round, 'rounds only go up')
  state.round = round
  state.step = 'propose'
  prune(state)
  wake(machine, 'propose', round)
  if (state.self >= 0 && ports.ledger.proposer(round) === state.self) propose(machine)
}

/** Goes on with a proposal whose block was asked for, unless its round is over or somebody else's block has taken its place. */
export function proposeMade(machine: Machine): void {
  const { state } = machine
  const { making } = state
  if (making?.work === 'done' && making.request.round === state.round && state.step === 'propose') propose(machine)
}

function propose(machine: Machine): void {
  const { own, state } = machine
  const known = own.get(signKey({ round: state.round, step: 'propose' }))
  const proposal = known?.type === 'proposal' ? known.proposal : newProposal(machine)
  if (proposal === undefined) return
  const { blockHash, block } = proposal
  if (!state.blocks.has(blockHash))
    state.blocks.set(blockHash, { block: decodeBlock(block), verdict: undefined, work: 'none' })
  keepProposal(machine, undefined, proposal)
}

/** Lines 15–19; undefined when the key may not sign at this place any more, or the block is yet to be made. */
function newProposal(machine: Machine): Proposal | undefined {
  const { state, rules, ports, last, nowMs } = machine
  const { height, round, head } = state
  const again = rules.proposesAgain(state.valid)
  const carrier = again === undefined ? undefined : proposalWith(state, again.hash)
  if (again !== undefined && carrier !== undefined) {
    const { blockHash, block } = carrier
    return signProposal(machine, { height, round, validRound: provenRound(machine, again), blockHash, block })
  }
  if (ports.signer === undefined) return undefined
  if (state.making?.request.round !== round) {
    // Clocks differ: the parent's may have been ahead of ours.
    const timeMs = milliseconds(Math.max(nowMs, head.timeMs + 1))
    state.making = { request: { round, timeMs, lastCommit: last.commit }, work: 'none' }
  }
  const { request } = state.making
  if (!isReady(machine, state.making, { type: 'propose', request })) return undefined
  const block = ports.ledger.propose(request)
  const blockHash = ports.ledger.hashOf(block)
  return signProposal(machine, { height, round, validRound: undefined, blockHash, block: encodeBlock(block) })
}

/**
 * The valid round, if its prevotes are held. After a lost journal they may not be, anywhere: a claim that nobody can check would
 * stop every round, while those who are locked on the block prevote it without.
 */
function provenRound({ state, rules }: Machine, { round, hash }: Lock): number | undefined {
  const prevotes = state.rounds.get(round)?.prevotes
  const isProven = prevotes !== undefined && rules.isQuorum(state.head.validators, tallyFor(prevotes, hash))
  return isProven ? round : undefined
}
