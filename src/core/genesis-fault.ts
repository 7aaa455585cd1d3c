/**
 * What must hold of a genesis as a whole, however it was made. Spec: docs/spec/genesis.md §3.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId } from '../base/brand.ts'
import { CHAIN_LIMITS, MARKET_LIMITS } from '../base/chain-limits.ts'
import { ZERO_HASH } from './fields.ts'
import type { Genesis, GenesisAccount, GenesisModel, GenesisValidator } from './genesis.ts'
import { modelFault } from './market/model-fault.ts'
import { type Parameters, parametersFault } from './parameters.ts'
import { SUPPLY_MAX } from './state/money.ts'
import { validatorNameFault } from './transaction/register-validator.ts'
import { hasConsensusProof, hasSeedProof } from './validator-proofs.ts'

export interface GenesisFault {
  /** Such as `validators[2].bond`. */
  readonly field: string
  /** The end of a sentence that begins with the field. */
  readonly fault: string
}

const NAME = /^[a-z0-9][a-z0-9-]{0,31}$/

/** The first thing that is wrong but for proofs; undefined when there is none. */
export function genesisFault(genesis: Genesis): GenesisFault | undefined {
  for (const fault of faults(genesis)) return fault
  return undefined
}

/** The first proof of a validator that is not valid, of a genesis without other faults. Takes 50 ms per validator. */
export function genesisProofsFault({ validators }: Genesis): GenesisFault | undefined {
  for (const [index, validator] of validators.entries()) {
    const at = `validators[${index}]`
    const subject = { networkId: ZERO_HASH, owner: validator.id }
    if (!hasConsensusProof(subject, validator)) {
      return { field: `${at}.consensusProof`, fault: 'does not prove the consensus key for this address' }
    }
    if (!hasSeedProof(subject, validator)) {
      return { field: `${at}.seedProof`, fault: 'does not prove the seed key for this address' }
    }
  }
  return undefined
}

function* faults(genesis: Genesis): Iterable<GenesisFault> {
  const { accounts, validators, parameters } = genesis
  if (!NAME.test(genesis.name)) {
    yield { field: 'name', fault: 'has 1 to 32 lower-case letters, digits and dashes' }
  }
  if (genesis.timeMs < 0 || genesis.timeMs > CHAIN_LIMITS.heightMax) {
    yield { field: 'timeMs', fault: 'is not a Unix time in milliseconds' }
  }
  const together = parametersFault(parameters)
  if (together !== undefined) yield { field: 'parameters', fault: `are not valid: ${together}` }
  if (accounts.length > CHAIN_LIMITS.genesisAccountsMax) {
    yield { field: 'accounts', fault: `may be ${CHAIN_LIMITS.genesisAccountsMax} at most` }
  }
  if (validators.length === 0) yield { field: 'validators', fault: 'are none: somebody must make the first block' }
  if (validators.length > CHAIN_LIMITS.validatorsMax) {
    yield { field: 'validators', fault: `may be ${CHAIN_LIMITS.validatorsMax} at most` }
  }
  yield* accountFaults(accounts)
  yield* validatorFaults(validators, parameters.bondMin)
  yield* modelFaults(genesis.models, parameters)
  const amounts = [...accounts.map(({ balance }) => balance), ...validators.map(({ bond }) => bond)]
  if (amounts.reduce((sum, amount) => sum + amount, 0n) > SUPPLY_MAX) {
    yield { field: 'accounts', fault: 'and bonds together are more grains than there can be' }
  }
}

function* accountFaults(accounts: readonly GenesisAccount[]): Iterable<GenesisFault> {
  yield* repeats('accounts', 'address', idsOf(accounts))
  for (const [index, { balance }] of accounts.entries()) {
    if (balance <= 0n || balance > SUPPLY_MAX) {
      yield { field: `accounts[${index}].balance`, fault: 'must be at least one grain, and fit in 64 bits' }
    }
  }
}

function* validatorFaults(validators: readonly GenesisValidator[], bondMin: bigint): Iterable<GenesisFault> {
  yield* repeats('validators', 'address', idsOf(validators))
  const keys = validators.map(({ consensusKey }) => bytesToHex(consensusKey))
  yield* repeats('validators', 'consensusKey', keys)
  for (const [index, validator] of validators.entries()) {
    const at = `validators[${index}]`
    if (validatorNameFault(validator.name) !== undefined) {
      yield { field: `${at}.name`, fault: 'has 1 to 32 letters, digits, signs or inner spaces of ASCII' }
    }
    if (validator.bond < bondMin || validator.bond > SUPPLY_MAX) {
      yield { field: `${at}.bond`, fault: `must be at least bondMin, ${bondMin} grains, and fit in 64 bits` }
    }
  }
}

function* modelFaults(models: readonly GenesisModel[], { priceMin, priceMax }: Parameters): Iterable<GenesisFault> {
  if (models.length > MARKET_LIMITS.modelsMax) {
    yield { field: 'models', fault: `may be ${MARKET_LIMITS.modelsMax} at most` }
  }
  const hashes = models.map(({ model }) => model)
  yield* repeats('models', 'manifest', hashes)
  for (const [index, model] of models.entries()) {
    const at = `models[${index}]`
    const found = modelFault(model)
    if (found !== undefined) yield { field: `${at}.${found.field}`, fault: found.fault }
    if (model.price < priceMin || model.price > priceMax) {
      yield { field: `${at}.price`, fault: `must be from priceMin to priceMax, ${priceMin} to ${priceMax} grains` }
    }
  }
}

function idsOf(entries: readonly { readonly id: AccountId }[]): AccountId[] {
  return entries.map(({ id }) => id)
}

function* repeats(list: string, field: string, keys: readonly string[]): Iterable<GenesisFault> {
  const seen = new Set<string>()
  for (const [index, key] of keys.entries()) {
    if (seen.has(key)) yield { field: `${list}[${index}].${field}`, fault: 'stands in the file twice' }
    seen.add(key)
  }
}
