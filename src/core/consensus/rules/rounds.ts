/**
 * Lines 55–67 of the algorithm: following others to a later round, and what happens when time runs out.
 * Spec: docs/spec/consensus.md §3.
 * @module
 */
import { journal, type Machine } from '../machine.ts'
import type { TimerStep } from '../replica-port.ts'
import { stakeOf } from '../round-state.ts'
import { castPrecommit } from './precommit.ts'
import { castPrevote } from './prevote.ts'
import { startRound } from './propose.ts'

/**
 * Line 55: the latest round that voters with f + 1 have reached or passed. One of them is honest and left our round for a reason.
 * Counting who is further as well needs no votes of rounds in between. Gives whether it fired.
 */
export function skipRounds(machine: Machine): boolean {
  const { state, rules } = machine
  const later = [...state.newestRounds.entries()].filter(([, round]) => round > state.round)
  if (later.length === 0) return false
  const tally = { stake: 0n, heads: 0 }
  for (const [voter, round] of later.sort(([, a], [, b]) => b - a)) {
    tally.stake += stakeOf(state, voter)
    tally.heads += 1
    if (!rules.skips(state.head.validators, tally)) continue
    startRound(machine, round)
    return true
  }
  return false
}

/** Lines 57–67, and the end of the pause between blocks. A timer of another moment does nothing. */
export function onTimer(machine: Machine, timer: { height: number; round: number; step: TimerStep }): void {
  const { state, nowMs } = machine
  const { height, round, step } = timer
  if (height !== state.height || round !== state.round) return
  // A timer of precommits holds in every step of its round.
  if (step !== 'precommit' && step !== state.step) return
  if (step === 'precommit' && state.step === 'commit') return
  journal(machine, { type: 'timer', nowMs, height, round, step })
  if (step === 'commit') startRound(machine, 0)
  else if (step === 'propose') castPrevote(machine, undefined)
  else if (step === 'prevote') castPrecommit(machine, undefined)
  else startRound(machine, round + 1)
}
