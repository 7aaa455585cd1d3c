/**
 * Blocks that others finalized, learned by sync: the commit is verified with our set, the block checked, and then it is ours.
 * Spec: docs/spec/consensus.md §6.
 * @module
 */
import type { Commit } from '../block/block.ts'
import { digestOf, judge, type Machine } from './machine.ts'
import { ConsensusError, type Input } from './replica-port.ts'
import { finalize } from './rules/decide.ts'

type Finalized = Extract<Input, { type: 'finalized' }>

export function receiveFinalized(machine: Machine, { block, commit, from }: Finalized): void {
  const { state, ports } = machine
  const { height } = block.header
  if (height < state.height) return
  if (height > state.height) {
    machine.effects.push({ type: 'behind', height })
    return
  }
  const hash = ports.ledger.hashOf(block)
  if (commit.blockHash !== hash || commit.height !== height || !isFinal(machine, commit)) {
    const message = 'A commit does not make its block final.'
    judge(machine, from, { verdict: 'reject', code: 'FINALIZED_BAD_COMMIT', message })
    return
  }
  // The commit covers the header: with another body it is the peer that lies.
  if (!ports.ledger.isWhole(block)) {
    const message = 'A final block came with a body that is not its own.'
    judge(machine, from, { verdict: 'reject', code: 'FINALIZED_INVALID_BLOCK', message })
    return
  }
  const refusal = ports.ledger.check(block, { isCommitted: true })
  if (refusal !== undefined) {
    const message = `Validators made a block final at height ${height} that this program finds invalid (${refusal.code}). Update dllm; if this is the newest version, tell its authors.`
    throw new ConsensusError('CONSENSUS_INVALID_FINAL', message, {
      details: { height, block: hash, code: refusal.code },
    })
  }
  finalize(machine, block, commit)
}

/** Whether the signatures there are all valid and hold a quorum. */
function isFinal(machine: Machine, commit: Commit): boolean {
  const { state, ports, rules } = machine
  const { validators } = state.head
  const { round, blockHash, signatures } = commit
  if (signatures.length !== validators.members.length) return false
  const tally = { stake: 0n, heads: 0 }
  for (const [voter, { stake }] of validators.members.entries()) {
    if (signatures[voter] === undefined) continue
    tally.stake += stake
    tally.heads += 1
  }
  if (!rules.isQuorum(validators, tally)) return false
  const message = digestOf(machine, { type: 'precommit', height: state.height, round, blockHash })
  return validators.members.every(({ consensusKey }, voter) => {
    const signature = signatures[voter]
    return signature === undefined || ports.verify({ signature, message, publicKey: consensusKey })
  })
}
