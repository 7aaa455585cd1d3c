/**
 * What happens at the end of the last block of an epoch: rewards and audited work are paid, votes are tallied, and the validator
 * set of the epoch after the next is drawn. Spec: docs/spec/chain.md §5, §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId } from '../../base/brand.ts'
import { modelEvent } from '../market/end-of-block.ts'
import type { MarketEvent } from '../market/events.ts'
import { approveModel, type ModelChange } from '../market/model-life.ts'
import { powersAt } from '../market/power.ts'
import { issueForWork } from '../market/work-issuance.ts'
import { type Parameters, parametersFault, withChanges } from '../parameters.ts'
import { bonds } from '../state/bonds.ts'
import { burn, move, payOut } from '../state/money.ts'
import { putParameters } from '../state/parameters-record.ts'
import { putPowers } from '../state/powers.ts'
import { type ParameterSubject, type Proposal, proposals, removeProposal, type Tally } from '../state/proposals.ts'
import type { ReadState, WriteState } from '../state/state.ts'
import { getSupply } from '../state/supply.ts'
import { drawMembers, getValidatorSet, putValidatorSet } from '../state/validator-sets.ts'
import { getValidator, putValidator, type Validator } from '../state/validators.ts'

export interface EpochEnd {
  /** The one that ends. */
  readonly epoch: number
  /** Its last. */
  readonly height: number
  /** In force in this block; what a vote changes is in force from the next one on. */
  readonly parameters: Parameters
}

/** After `endBlock` of the last block of an epoch. Returns what was paid for audited work, and which models were approved. */
export function endEpoch(state: WriteState, { epoch, height, parameters }: EpochEnd): readonly MarketEvent[] {
  payRewards(state, epoch)
  const { paid } = issueForWork(state, epoch, parameters)
  const changes = tallyVotes(state, height, parameters)
  drawSet(state, { epoch, height, parameters })
  return [...paid.map((pay) => ({ type: 'issued', ...pay }) as const), ...changes.map(modelEvent)]
}

/** The reward pool, by stake × signed blocks to validators, of these to bonds by amount. What rounding leaves stays. */
function payRewards(state: WriteState, epoch: number): void {
  const signers = signersOf(state, epoch)
  const weights = signers.map(([, validator]) => weightOf(validator))
  const sum = weights.reduce((total, weight) => total + weight, 0n)
  const { pool } = getSupply(state)
  // By owner: whoever has bonds to many validators is paid once.
  const amounts = new Map<AccountId, bigint>()
  for (const [at, [id, validator]] of signers.entries()) {
    putValidator(state, id, { ...validator, signedBlocks: 0 })
    if (sum === 0n || weights[at] === 0n) continue
    const reward = (pool * weights[at]!) / sum
    for (const [owner, amount] of sharesOf(state, id, { reward, stake: validator.stake })) {
      amounts.set(owner, (amounts.get(owner) ?? 0n) + amount)
    }
  }
  payOut(state, amounts)
}

/** Whose signatures were counted in the epoch: members of its set and, for the last block before it, of the set before. */
function signersOf(state: ReadState, epoch: number): (readonly [AccountId, Validator])[] {
  const sets = [epoch - 1, epoch].map((each) => (each < 0 ? undefined : getValidatorSet(state, each)))
  const ids = new Set(sets.flatMap((set) => set?.members ?? []).map(({ id }) => id))
  return [...ids].sort().flatMap((id) => {
    const validator = getValidator(state, id)
    return validator === undefined || validator.signedBlocks === 0 ? [] : [[id, validator] as const]
  })
}

/** Who is tombstoned gets nothing for what it signed before. */
function weightOf({ status, stake, signedBlocks }: Validator): bigint {
  return status === 'active' ? stake * BigInt(signedBlocks) : 0n
}

/** What each owner of a bond gets of a validator's reward. */
function* sharesOf(
  state: ReadState,
  validator: AccountId,
  { reward, stake }: { readonly reward: bigint; readonly stake: bigint },
): Iterable<readonly [AccountId, bigint]> {
  for (const { owner, amount } of bonds(state, validator)) yield [owner, (reward * amount) / stake]
}

/** Proposals that end here, in the order of their numbers, each on what those before it changed. */
function tallyVotes(state: WriteState, height: number, parameters: Parameters): readonly ModelChange[] {
  const ended = [...proposals(state)].filter(({ endHeight }) => endHeight <= height)
  const { bonded } = getSupply(state)
  const changes: ModelChange[] = []
  let changed = parameters
  for (const proposal of ended) {
    const { number, yes, no, subject } = proposal
    const isAccepted = yes * 2n > bonded
    if (isAccepted && subject.type === 'parameters') changed = changedBy(changed, subject)
    if (isAccepted && subject.type === 'model') changes.push(...approveModel(state, subject))
    settleDeposit(state, proposal, (yes + no) * 3n >= bonded)
    removeProposal(state, number)
  }
  if (changed !== parameters) putParameters(state, changed)
  return changes
}

/** A proposal that was valid alone may not go together with another that was accepted since: then it changes nothing. */
function changedBy(parameters: Parameters, { changes }: ParameterSubject): Parameters {
  const changed = withChanges(parameters, changes)
  return parametersFault(changed) === undefined ? changed : parameters
}

function settleDeposit(
  state: WriteState,
  { number, deposit: amount, proposer }: Proposal & Tally,
  isReturned: boolean,
): void {
  const from = { type: 'deposit', proposal: number } as const
  if (isReturned) move(state, { amount, from, to: { type: 'account', id: proposer } })
  else burn(state, from, amount)
}

/** The set of epoch + 2 and its power. When nobody qualifies that of epoch + 1 stays. The last commit of the epoch needs the set of the epoch. */
function drawSet(state: WriteState, { epoch, height, parameters }: EpochEnd): void {
  const drawn = drawMembers(state, parameters)
  const following = getValidatorSet(state, epoch + 1)
  assert(following !== undefined, 'the set of the next epoch was drawn an epoch ago')
  const members = drawn.length > 0 ? drawn : following.members
  const ids = members.map(({ id }) => id)
  putValidatorSet(state, epoch + 2, members)
  putPowers(state, epoch + 2, powersAt(state, ids, { height, parameters }))
  if (epoch === 0) return
  putValidatorSet(state, epoch - 1, undefined)
  putPowers(state, epoch - 1, undefined)
}
