/**
 * Propose-model: asks everybody with bonds whether a published model shall take its predecessor's place, or a superseded one its own place
 * back. Spec: docs/spec/transactions.md §20.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { readCount, readHash, writeCount, writeHash } from '../fields.ts'
import { takenBy } from '../market/model-life.ts'
import { getModel, type ModelRecord } from '../state/models.ts'
import type { Contract, ContractContext } from './contract.ts'
import { TransactionError } from './contract.ts'
import { openProposal, requireProposal, voteEndOf } from './open-proposal.ts'
import { requireModel } from './refusals.ts'

export interface ProposeModel {
  /** Hash of its manifest. */
  readonly model: Hash
  /** Of the block at whose end it is to be active; 0: as early as can be. */
  readonly activationHeight: number
}

export const proposeModel: Contract<ProposeModel> = {
  type: 19,
  name: 'propose-model',
  read: (reader) => ({ model: readHash(reader), activationHeight: readCount(reader) }),
  write(writer, { model, activationHeight }) {
    writeCount(writeHash(writer, model), activationHeight)
  },
  units: () => 100,
  validate(call, state, context) {
    const { model, activationHeight } = call.body
    const record = requireModel(state, model)
    requireVotable(record)
    const { record: taken } = takenBy(state, record)
    if (taken !== undefined && taken.status !== 'active') {
      const sentence =
        'The model whose place it is to take is not active now: another version took that place, or is to. Publish a version of the one that has it.'
      throw new TransactionError('PREDECESSOR_NOT_ACTIVE', sentence)
    }
    if (activationHeight > 0) requireHeight(activationHeight, context)
    requireProposal(call, state, context)
  },
  apply({ sender, body: { model, activationHeight } }, state, context) {
    const { registeredHeight } = getModel(state, model)!
    const chosen = activationHeight > 0 ? activationHeight : firstActivation(context)
    const subject = { type: 'model' as const, model, registeredHeight, activationHeight: chosen }
    openProposal(state, { proposer: sender, subject }, context)
  },
  describe: ({ model, activationHeight }) => ({ model, activationHeight }),
  touches: () => [],
}

function requireVotable({ status }: ModelRecord): void {
  if (status === 'active') {
    throw new TransactionError('MODEL_ACTIVE', 'This model is active already: there is nothing to vote on.')
  }
  if (status === 'approved') {
    const sentence = 'A vote approved this model already. It becomes active when enough miners serve it.'
    throw new TransactionError('MODEL_APPROVED', sentence)
  }
}

function firstActivation(context: ContractContext): number {
  return voteEndOf(context) + Number(context.parameters.activationNotice)
}

function requireHeight(activationHeight: number, context: ContractContext): void {
  const first = firstActivation(context)
  if (activationHeight < first) {
    const sentence = `The vote ends with block ${voteEndOf(context)}, and miners need ${context.parameters.activationNotice} blocks after it: block ${first} is the first in which the model can become active. Choose that or a later one.`
    throw new TransactionError('ACTIVATION_TOO_SOON', sentence, { details: { first } })
  }
  const last = first + MARKET_LIMITS.activationAheadMax
  if (activationHeight <= last) return
  const sentence = `A vote is about the next ${MARKET_LIMITS.activationAheadMax} blocks: choose an activation until block ${last}.`
  throw new TransactionError('TOO_LONG_AHEAD', sentence, { details: { last } })
}
