/**
 * Lines 47–54 of the algorithm: what a quorum of precommits leads to, and the step to the next height.
 * Spec: docs/spec/consensus.md §3.
 * @module
 */
import type { Hash } from '../../../base/brand.ts'
import type { Block, Commit } from '../../block/block.ts'
import { takeEarly } from '../early.ts'
import { receive } from '../intake.ts'
import { type Machine, wake } from '../machine.ts'
import { ConsensusError } from '../replica-port.ts'
import { createHeightState, proposalWith } from '../round-state.ts'
import { signaturesFor } from '../vote-set.ts'
import { isKnown, refusalOf } from './prevote.ts'

/** Lines 47–54: a block with a quorum of precommits in any round is final. Gives whether it fired. */
export function decide(machine: Machine): boolean {
  const { state, rules } = machine
  const { validators } = state.head
  // Line 47. In the pause before round 0 there is nothing to leave yet.
  const present = state.step === 'commit' ? undefined : state.rounds.get(state.round)
  if (present !== undefined && rules.isQuorum(validators, present.precommits.all))
    wake(machine, 'precommit', state.round)
  for (const [round, { precommits }] of state.rounds) {
    for (const hash of precommits.byBlock.keys()) {
      if (hash === undefined || !rules.decides({ validators, round, hash, rounds: state.rounds })) continue
      const block = state.blocks.get(hash)?.block
      if (block === undefined || !isKnown(machine, hash)) continue
      assertValid(machine, hash)
      const signatures = signaturesFor(precommits, validators, hash)
      finalize(machine, block, { height: state.height, round, blockHash: hash, signatures })
      return true
    }
  }
  return false
}

/** Applies a valid block whose commit was counted or verified, and begins the next height. */
export function finalize(machine: Machine, block: Block, commit: Commit): void {
  const { state, ports, effects } = machine
  const proposal = proposalWith(state, commit.blockHash)
  ports.ledger.apply(block, commit)
  effects.push({ type: 'finalize', block, commit })
  enterHeight(machine, { validators: state.head.validators, commit, proposal })
}

/** Begins the height after the ledger's head, with the pause in which late precommits are collected. */
export function enterHeight(machine: Machine, last: Machine['last']): void {
  const { ports, own, digests, early } = machine
  machine.last = last
  machine.state = createHeightState(ports.ledger.head(), ports.signer?.publicKey)
  own.clear()
  digests.clear()
  wake(machine, 'commit', 0)
  const { votes, proposals } = takeEarly(early, machine.state.height)
  for (const { from, proposal } of proposals) receive(machine, from, { type: 'proposal', proposal })
  for (const { from, vote } of votes) receive(machine, from, { type: 'vote', vote })
}

/** A quorum that finalizes what is invalid here is either a third of liars or a fault of this program: both end in people. */
function assertValid(machine: Machine, hash: Hash): void {
  const refusal = refusalOf(machine, hash)
  if (refusal === undefined) return
  const { height } = machine.state
  const message = `Validators made a block final at height ${height} that this program finds invalid (${refusal.code}). Update dllm; if this is the newest version, tell its authors.`
  throw new ConsensusError('CONSENSUS_INVALID_FINAL', message, { details: { height, block: hash, code: refusal.code } })
}
