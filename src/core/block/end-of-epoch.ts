/**
 * What happens at the end of the last block of an epoch: rewards are paid, votes on parameters are tallied, and the validator
 * set of the epoch after the next is drawn. Spec: docs/spec/chain.md §5, §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId } from '../../base/brand.ts'
import { type Parameters, parametersFault, withChanges } from '../parameters.ts'
import { getAccount } from '../state/accounts.ts'
import { bonds } from '../state/bonds.ts'
import { burn, move } from '../state/money.ts'
import { putParameters } from '../state/parameters-record.ts'
import { type ParameterProposal, parameterVotes, proposals, removeProposal } from '../state/proposals.ts'
import type { WriteState } from '../state/state.ts'
import { getSupply } from '../state/supply.ts'
import { drawMembers, getValidatorSet, putValidatorSet } from '../state/validator-sets.ts'
import { putValidator, type Validator, validators } from '../state/validators.ts'

export interface EpochEnd {
  /** The one that ends. */
  readonly epoch: number
  /** Its last. */
  readonly height: number
  /** In force in this block; what a vote changes is in force from the next one on. */
  readonly parameters: Parameters
}

/** After `endBlock` of the last block of an epoch. */
export function endEpoch(state: WriteState, { epoch, height, parameters }: EpochEnd): void {
  payRewards(state)
  tallyVotes(state, height, parameters)
  drawSet(state, epoch, parameters)
}

/** The reward pool, by stake × signed blocks to validators, of these to bonds by amount. What rounding leaves stays. */
function payRewards(state: WriteState): void {
  const signers = [...validators(state)].filter(([, { signedBlocks }]) => signedBlocks > 0)
  const weights = signers.map(([, validator]) => weightOf(validator))
  const sum = weights.reduce((total, weight) => total + weight, 0n)
  const { pool } = getSupply(state)
  for (const [at, [id, validator]] of signers.entries()) {
    putValidator(state, id, { ...validator, signedBlocks: 0 })
    if (sum > 0n) payBonds(state, id, { reward: (pool * weights[at]!) / sum, stake: validator.stake })
  }
}

/** Who is tombstoned gets nothing for what it signed before. */
function weightOf({ status, stake, signedBlocks }: Validator): bigint {
  return status === 'active' ? stake * BigInt(signedBlocks) : 0n
}

function payBonds(
  state: WriteState,
  validator: AccountId,
  { reward, stake }: { readonly reward: bigint; readonly stake: bigint },
): void {
  for (const { owner, amount: bonded } of [...bonds(state, validator)]) {
    const amount = (reward * bonded) / stake
    move(state, { amount, from: { type: 'pool' }, to: { type: 'account', id: owner } })
  }
}

/** Proposals that end here, in the order of their numbers, each on what those before it changed. */
function tallyVotes(state: WriteState, height: number, parameters: Parameters): void {
  const ended = [...proposals(state)].filter(([, { endHeight }]) => endHeight <= height)
  if (ended.length === 0) return
  const bonded = [...validators(state)].reduce((sum, [, { stake }]) => sum + stake, 0n)
  let changed = parameters
  for (const [number, proposal] of ended) {
    const votes = countVotes(state, number)
    if (votes.yes * 2n > bonded) changed = changedBy(changed, proposal)
    settleDeposit(state, { number, proposal, isReturned: (votes.yes + votes.no) * 3n >= bonded })
    removeProposal(state, number)
  }
  if (changed !== parameters) putParameters(state, changed)
}

/** Grains bonded by who said yes and who said no. */
function countVotes(state: WriteState, number: number): { readonly yes: bigint; readonly no: bigint } {
  let yes = 0n
  let no = 0n
  for (const vote of parameterVotes(state, number)) {
    const { bonded } = getAccount(state, vote.voter)
    if (vote.yes) yes += bonded
    else no += bonded
  }
  return { yes, no }
}

/** A proposal that was valid alone may not go together with another that was accepted since: then it changes nothing. */
function changedBy(parameters: Parameters, { changes }: ParameterProposal): Parameters {
  const changed = withChanges(parameters, changes)
  return parametersFault(changed) === undefined ? changed : parameters
}

function settleDeposit(
  state: WriteState,
  tallied: { readonly number: number; readonly proposal: ParameterProposal; readonly isReturned: boolean },
): void {
  const { number, isReturned } = tallied
  const { deposit: amount, proposer } = tallied.proposal
  const from = { type: 'deposit', proposal: number } as const
  if (isReturned) move(state, { amount, from, to: { type: 'account', id: proposer } })
  else burn(state, from, amount)
}

/** The set of epoch + 2. When nobody qualifies that of epoch + 1 stays. The last commit of the epoch needs the set of the epoch. */
function drawSet(state: WriteState, epoch: number, parameters: Parameters): void {
  const drawn = drawMembers(state, parameters)
  const following = getValidatorSet(state, epoch + 1)
  assert(following !== undefined, 'the set of the next epoch was drawn an epoch ago')
  putValidatorSet(state, epoch + 2, drawn.length > 0 ? drawn : following.members)
  if (epoch > 0) putValidatorSet(state, epoch - 1, undefined)
}
