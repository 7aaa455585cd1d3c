/**
 * Retire-model: its publisher takes a model out of the market; leases that are open go on to their end.
 * Spec: docs/spec/transactions.md §10.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { readHash, writeHash } from '../fields.ts'
import { getModel, putModel } from '../state/models.ts'
import { move } from '../state/money.ts'
import { placements, putPlacement } from '../state/placements.ts'
import { hasPlacements } from '../state/registry.ts'
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
  apply({ sender, body: { model } }, state) {
    const record = getModel(state, model)!
    move(state, { amount: record.deposit, from: { type: 'model', model }, to: { type: 'account', id: sender } })
    for (const [operator, placement] of [...placements(state, model)]) {
      putPlacement(state, { model, operator }, { ...placement, slots: 0 })
    }
    putModel(state, model, hasPlacements(state, model) ? { ...record, deposit: 0n, status: 'retired' } : undefined)
  },
  describe: ({ model }) => ({ model }),
  touches: () => [],
}
