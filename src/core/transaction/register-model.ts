/**
 * Register-model: a model can be placed and leased from now on, at a price that moves with its use. Spec: docs/spec/transactions.md §9.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { readHash, writeHash } from '../fields.ts'
import { type ModelClaim, modelFault } from '../market/model-fault.ts'
import { getModel, putModel, readSegments, writeSegments } from '../state/models.ts'
import { move } from '../state/money.ts'
import { hasPlacements, hasRoomForModel, makeRoomForModel } from '../state/registry.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireFunds } from './refusals.ts'

export interface RegisterModel extends ModelClaim {
  /** Hash of its manifest. */
  readonly model: Hash
  /** Grains per compute unit, at first. */
  readonly price: bigint
}

export const registerModel: Contract<RegisterModel> = {
  type: 8,
  name: 'register-model',
  read: (reader) => ({
    model: readHash(reader),
    name: reader.text(MARKET_LIMITS.modelNameBytesMax),
    context: reader.u32(),
    price: reader.u64(),
    segments: readSegments(reader),
  }),
  write(writer, { model, name, context, price, segments }) {
    writeSegments(writeHash(writer, model).text(name).u32(context).u64(price), segments)
  },
  units: () => 200,
  inspect(body) {
    const found = modelFault(body)
    if (found !== undefined) throw new TransactionError(found.code, `The ${found.field} of a model ${found.fault}.`)
  },
  validate(call, state, { parameters: { modelDeposit, priceMin, priceMax } }) {
    const { model, price } = call.body
    const before = getModel(state, model)
    // A retired model has placements as long as leases of it are open: their lots stand in its segments.
    if (before !== undefined && (before.status === 'active' || hasPlacements(state, model))) {
      const sentence =
        'This model is registered already, or leases of it are still open. `dllm market models` lists those there are.'
      throw new TransactionError('MODEL_EXISTS', sentence)
    }
    if (before === undefined && !hasRoomForModel(state)) {
      const sentence = `There are ${MARKET_LIMITS.modelsMax} models already. Wait until one is retired.`
      throw new TransactionError('MODELS_FULL', sentence)
    }
    if (price < priceMin || price > priceMax) {
      const sentence = `A price is from ${priceMin} to ${priceMax} grains per compute unit, not ${price}. Choose another.`
      throw new TransactionError('PRICE_OUT_OF_BOUNDS', sentence)
    }
    requireFunds(call, modelDeposit)
  },
  apply({ sender, body: { model, ...claim } }, state, { parameters: { modelDeposit } }) {
    if (getModel(state, model) === undefined) makeRoomForModel(state)
    putModel(state, model, { publisher: sender, deposit: 0n, status: 'active', ...claim })
    move(state, { amount: modelDeposit, from: { type: 'account', id: sender }, to: { type: 'model', model } })
  },
  describe: ({ model, name, context, price, segments }) => ({
    ...{ model, name, context, price: String(price) },
    segments: segments.map(({ linear, attention }) => ({ linear: String(linear), attention: String(attention) })),
  }),
  touches: () => [],
}
