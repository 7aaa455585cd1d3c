/**
 * Retire-model: its publisher takes a model out of the market; leases that are open go on to their end.
 * Spec: docs/spec/transactions.md §10.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { readHash, writeHash } from '../fields.ts'
import { endModel } from '../market/model-life.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireModel } from './refusals.ts'

export interface RetireModel {
  /** Hash of its manifest. */
  readonly model: Hash
}

export const retireModel: Contract<RetireModel> = {
  type: 9,
  name: 'retire-model',
  read: (reader) => ({ model: readHash(reader) }),
  write(writer, { model }) {
    writeHash(writer, model)
  },
  units: () => 20,
  validate({ sender, body: { model } }, state) {
    const { publisher } = requireModel(state, model)
    if (publisher === sender) return
    const sentence = 'Another account published this model. Only its publisher can retire it.'
    throw new TransactionError('NOT_THE_PUBLISHER', sentence, { details: { publisher } })
  },
  apply({ body: { model } }, state) {
    endModel(state, model)
  },
  describe: ({ model }) => ({ model }),
  touches: () => [],
}
