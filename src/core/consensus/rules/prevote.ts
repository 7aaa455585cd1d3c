/**
 * Lines 22–33 of the algorithm: one prevote per round, for a proposed block or for nil.
 * Spec: docs/spec/consensus.md §3.
 * @module
 */
import type { Hash } from '../../../base/brand.ts'
import { countVote } from '../intake.ts'
import type { Refusal } from '../ledger.ts'
import { isReady, judge, type Machine, signVote } from '../machine.ts'
import type { HeldProposal } from '../round-state.ts'
import { tallyFor } from '../vote-set.ts'

/** Lines 22–33, for the proposals of the present round. Gives whether it fired. */
export function prevote(machine: Machine): boolean {
  const { state } = machine
  if (state.step !== 'propose') return false
  for (const held of state.rounds.get(state.round)?.proposals ?? []) {
    const { validRound, blockHash } = held.proposal
    if (validRound !== undefined && !isProven(machine, blockHash, validRound)) continue
    if (!isKnown(machine, blockHash)) return false
    castPrevote(machine, accepts(machine, held) ? blockHash : undefined)
    return true
  }
  return false
}

/** Lines 24, 26, 30, 32, 59. */
export function castPrevote(machine: Machine, blockHash: Hash | undefined): void {
  const { state } = machine
  state.step = 'prevote'
  const vote = signVote(machine, { type: 'prevote', height: state.height, round: state.round, blockHash })
  if (vote !== undefined) countVote(machine, vote)
}

/** Whether the ledger's verdict on a held block can be had now; if not it will be, and the rules come back here. */
export function isKnown(machine: Machine, hash: Hash): boolean {
  const candidate = machine.state.blocks.get(hash)
  if (candidate === undefined || candidate.verdict !== undefined) return true
  return isReady(machine, candidate, { type: 'check', block: candidate.block })
}

/** The ledger's verdict on a held block, asked for once. */
export function refusalOf(machine: Machine, hash: Hash): Refusal | undefined {
  const candidate = machine.state.blocks.get(hash)
  if (candidate === undefined) return { code: 'BLOCK_UNKNOWN', message: 'The block is not here.' }
  candidate.verdict ??= { refusal: machine.ports.ledger.check(candidate.block) }
  return candidate.verdict.refusal
}

/** Line 28: 2f + 1 prevotes of the valid round. */
function isProven({ state, rules }: Machine, hash: Hash, validRound: number): boolean {
  const prevotes = state.rounds.get(validRound)?.prevotes
  return rules.isProven(state.head.validators, prevotes === undefined ? NONE : tallyFor(prevotes, hash))
}

const NONE = { stake: 0n, heads: 0 }

/** Lines 23 and 29. */
function accepts(machine: Machine, held: HeldProposal): boolean {
  const { state, rules } = machine
  const { validRound, blockHash: hash } = held.proposal
  const isValid = checks(machine, held)
  const view = { hash, isValid, locked: state.locked }
  return validRound === undefined ? rules.prevotesNew(view) : rules.prevotesProven(view, validRound)
}

/** Validity of the block, and for a new one its round and time. What is wrong is judged; its relay need not be at fault. */
function checks(machine: Machine, held: HeldProposal): boolean {
  const { proposal, from } = held
  const refusal = refusalOf(machine, proposal.blockHash)
  if (refusal !== undefined) {
    const message = `A proposed block is not valid: ${refusal.code}. ${refusal.message}`
    judge(machine, from, { verdict: 'ignore', code: 'PROPOSAL_INVALID_BLOCK', message })
    return false
  }
  // A quorum found the time of a proven block right, and so did this replica when it locked.
  if (proposal.validRound !== undefined || proposal.blockHash === machine.state.locked?.hash) return true
  const header = machine.state.blocks.get(proposal.blockHash)?.block.header
  if (header === undefined || header.round !== proposal.round) {
    const message = 'A block of another round was proposed as a new one.'
    judge(machine, from, { verdict: 'ignore', code: 'PROPOSAL_INVALID_BLOCK', message })
    return false
  }
  return isOnTime(machine, held, header.timeMs)
}

/** docs/spec/chain.md §7.4. */
function isOnTime(machine: Machine, held: HeldProposal, timeMs: HeldProposal['arrivedMs']): boolean {
  const { state, rules } = machine
  const { proposal, arrivedMs, from } = held
  const parentTimeMs = state.head.timeMs
  if (rules.isTimely({ timeMs, parentTimeMs, arrivedMs, round: proposal.round }, state.head.timing)) return true
  const message = 'The time of a new block is too far from the local clock.'
  judge(machine, from, { verdict: 'ignore', code: 'PROPOSAL_UNTIMELY', message })
  return false
}
