/**
 * Calls for the life of a model from what people type: publishing a stored one, and asking for its place.
 * Spec: docs/spec/transactions.md §9, §20.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { GenesisModel } from '../../core/genesis.ts'
import { modelFault } from '../../core/market/model-fault.ts'
import type { Canary } from '../../core/state/models.ts'
import { TransactionError } from '../../core/transaction/contract.ts'
import { type ProposeModel, proposeModel } from '../../core/transaction/propose-model.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import { registerModel } from '../../core/transaction/register-model.ts'
import { parseGrains } from '../../core/units.ts'
import { ModelError } from '../../ml/model-error.ts'
import type { ChainCall } from './calls.ts'
import type { ParametersView } from './chain-access.ts'
import type { ModelView } from './market-access.ts'

/** What a publisher adds to a stored model. */
export interface Publication {
  /** The model whose place it is to take; undefined: of none. */
  readonly supersedes: ModelView | undefined
  readonly canary: Canary | undefined
  readonly deposit: bigint
}

/**
 * The model of this machine as the chain would name it, at the price that was typed, else at that of the model that it supersedes, else at the
 * lowest. @throws AmountError AMOUNT_BAD, ModelError MODEL_BAD_MANIFEST for models that the chain cannot name.
 */
export function publishedModel(
  named: (price: bigint) => GenesisModel,
  typed: string | undefined,
  { supersedes, values }: { readonly supersedes: ModelView | undefined; readonly values: ParametersView['values'] },
): GenesisModel {
  const usual = supersedes === undefined ? values.priceMin : supersedes.price
  const model = named(typed === undefined ? BigInt(usual) : parseGrains(typed))
  const found = modelFault(model)
  if (found === undefined) return model
  const sentence = `The chain cannot name ${model.name}: its ${found.field} ${found.fault}. Import it anew.`
  throw new ModelError('MODEL_BAD_MANIFEST', sentence)
}

export function publishCall(model: GenesisModel, { supersedes, canary, deposit }: Publication): ChainCall {
  const { name, segments, price } = model
  const lines = [
    `Publish the model ${name}, with a deposit of ${dllm(deposit)}`,
    `model   ${model.model}`,
    `has     ${segments.length} segments, at ${price} grains per CU`,
    ...(supersedes === undefined ? [] : [`for     ${supersedes.model}`, `        the place of ${supersedes.name}`]),
    ...(canary === undefined ? [] : [`canary  ${canary.root}`]),
  ]
  const body = { ...model, predecessor: supersedes?.model, canary }
  return { contract: registerModel, body, spends: deposit, lines }
}

/** `deposit`: grains. @throws TransactionError MODEL_ACTIVE, MODEL_APPROVED: before anybody types a password. */
export function proposeModelCall(model: ModelView, activationHeight: number, deposit: bigint): ChainCall {
  const { name, status } = model
  if (status === 'active') {
    throw new TransactionError('MODEL_ACTIVE', `${name} is active already: there is nothing to vote on.`)
  }
  if (status === 'approved') {
    const sentence = `A vote approved ${name} already. \`dllm model status ${name}\` shows what it waits for.`
    throw new TransactionError('MODEL_APPROVED', sentence)
  }
  const body: ProposeModel = { model: model.model, activationHeight }
  const when = activationHeight === 0 ? 'as early as can be' : `at block ${activationHeight} or later`
  const what = status === 'superseded' ? `${name} takes its place back` : `${name} becomes active`
  const takes: Hash | undefined = model.successor ?? model.predecessor
  const lines = [
    `Propose that ${what}, with a deposit of ${dllm(deposit)}`,
    when,
    `model   ${model.model}`,
    ...(takes === undefined ? [] : [`for     ${takes}`]),
  ]
  return { contract: proposeModel, body, spends: deposit, lines }
}
