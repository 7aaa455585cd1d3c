/**
 * Register-model: a model can be placed and leased from now on, at a price that moves with its use; one that is to take the place of
 * another waits for a vote instead. Spec: docs/spec/transactions.md §9.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { readHash, writeHash } from '../fields.ts'
import { modelFault } from '../market/model-fault.ts'
import {
  getModel,
  type ModelTerms,
  newModel,
  putModel,
  readLineage,
  readSegments,
  writeLineage,
  writeSegments,
} from '../state/models.ts'
import { move } from '../state/money.ts'
import { hasPlacements, hasRoomForModel, makeRoomForModel } from '../state/registry.ts'
import type { ReadState } from '../state/state.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireFunds, requireModel } from './refusals.ts'

export interface RegisterModel extends ModelTerms {
  /** Hash of its manifest. */
  readonly model: Hash
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
    ...readLineage(reader),
  }),
  write(writer, { model, name, context, price, segments, ...lineage }) {
    writeSegments(writeHash(writer, model).text(name).u32(context).u64(price), segments)
    writeLineage(writer, lineage)
  },
  units: () => 200,
  inspect(body) {
    const found = modelFault(body)
    if (found !== undefined) throw new TransactionError(found.code, `The ${found.field} of a model ${found.fault}.`)
    const { canary } = body
    if (canary !== undefined && (canary.bytes < 1 || canary.bytes > MARKET_LIMITS.canaryBytesMax)) {
      const sentence = `A canary has 1 to ${MARKET_LIMITS.canaryBytesMax} bytes, not ${canary.bytes}. Make it with fewer prompts.`
      throw new TransactionError('BAD_CANARY', sentence)
    }
  },
  validate(call, state, { parameters: { modelDeposit, priceMin, priceMax } }) {
    const { model, price, predecessor } = call.body
    const before = getModel(state, model)
    // A retired model has placements as long as leases of it are open: their lots stand in its segments.
    if (before !== undefined && (before.status !== 'retired' || hasPlacements(state, model))) {
      const sentence =
        'This model is registered already, or leases of it are still open. `dllm chain models` lists those there are.'
      throw new TransactionError('MODEL_EXISTS', sentence)
    }
    if (predecessor !== undefined) requireActivePredecessor(state, predecessor)
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
  apply({ sender, body: { model, ...terms } }, state, { height, parameters: { modelDeposit } }) {
    if (getModel(state, model) === undefined) makeRoomForModel(state)
    putModel(state, model, newModel(terms, { publisher: sender, height }))
    move(state, { amount: modelDeposit, from: { type: 'account', id: sender }, to: { type: 'model', model } })
  },
  describe: ({ model, name, context, price, segments, predecessor, canary }) => ({
    ...{ model, name, context, price: String(price) },
    segments: segments.map(({ linear, attention }) => ({ linear: String(linear), attention: String(attention) })),
    ...(predecessor === undefined ? {} : { predecessor }),
    ...(canary === undefined ? {} : { canary }),
  }),
  touches: () => [],
}

function requireActivePredecessor(state: ReadState, predecessor: Hash): void {
  const { status, successor } = requireModel(state, predecessor)
  if (status === 'active') return
  const sentence = `The predecessor is ${status}: a version takes the place of an active model. ${successor === undefined ? 'Wait until it is active.' : `Name the one that took its place, ${successor}.`}`
  throw new TransactionError('PREDECESSOR_NOT_ACTIVE', sentence, { details: { predecessor, status } })
}
