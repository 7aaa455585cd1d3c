/**
 * Lines 34–46 of the algorithm: what a quorum of prevotes leads to.
 * Spec: docs/spec/consensus.md §3.
 * @module
 */
import type { Hash } from '../../../base/brand.ts'
import { countVote } from '../intake.ts'
import { type Machine, signVote, wake } from '../machine.ts'
import type { Round } from '../round-state.ts'
import { tallyFor } from '../vote-set.ts'
import { isKnown, refusalOf } from './prevote.ts'

/** Lines 34–46, for the present round. Gives whether it fired. */
export function precommit(machine: Machine): boolean {
  const { state, rules } = machine
  const round = state.rounds.get(state.round)
  if (round === undefined || (state.step !== 'prevote' && state.step !== 'precommit')) return false
  if (lock(machine, round)) return true
  if (state.step !== 'prevote') return false
  const { validators } = state.head
  // Line 44.
  if (rules.isQuorum(validators, tallyFor(round.prevotes, undefined))) {
    state.locked = rules.lockAfterNil(state.locked)
    castPrecommit(machine, undefined)
    return true
  }
  // Line 34.
  if (rules.isQuorum(validators, round.prevotes.all)) wake(machine, 'prevote', state.round)
  return false
}

/** Lines 40, 45, 63. */
export function castPrecommit(machine: Machine, blockHash: Hash | undefined): void {
  const { state } = machine
  state.step = 'precommit'
  const vote = signVote(machine, { type: 'precommit', height: state.height, round: state.round, blockHash })
  if (vote !== undefined) countVote(machine, vote)
}

/** Lines 36–43: lock and precommit in the step of prevotes; later, remember only that the block had a quorum. */
function lock(machine: Machine, { prevotes }: Round): boolean {
  const { state, rules } = machine
  if (state.valid?.round === state.round) return false
  for (const [hash, tally] of prevotes.byBlock) {
    if (hash === undefined || !rules.locks(state.head.validators, tally)) continue
    if (!isKnown(machine, hash) || refusalOf(machine, hash) !== undefined) continue
    const found = { round: state.round, hash }
    state.valid = found
    if (state.step !== 'prevote') return true
    state.locked = found
    castPrecommit(machine, hash)
    return true
  }
  return false
}
