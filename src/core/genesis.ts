/**
 * The genesis of a network: who has what at the start, who validates, and by which parameters. Its canonical bytes are the network's
 * identity; from it alone follows the first state. Reading the file is core/genesis-file.ts. Spec: docs/spec/genesis.md.
 * @module
 */

import { hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../base/assert.ts'
import type { AccountId, Hash, Milliseconds } from '../base/brand.ts'
import { Writer } from '../base/codec.ts'
import { hashOf, writeAccount, writeCount, writeHash } from './fields.ts'
import { taggedHash } from './hash.ts'
import type { ModelClaim } from './market/model-fault.ts'
import { NETWORK_KINDS, type NetworkKind } from './network-kind.ts'
import { type Parameters, writeParameters } from './parameters.ts'
import { TREASURY } from './state/accounts.ts'
import { putBaseFee } from './state/base-fee-record.ts'
import { putConsensusKey } from './state/consensus-keys.ts'
import { newModel, putModel, writeSegments } from './state/models.ts'
import { move } from './state/money.ts'
import { putParameters } from './state/parameters-record.ts'
import { putSeed } from './state/seed-record.ts'
import { createStateStore, overlayOn, type StateChanges, type WriteState } from './state/state.ts'
import { putSupply } from './state/supply.ts'
import { drawMembers, putValidatorSet } from './state/validator-sets.ts'
import { putValidator } from './state/validators.ts'
import type { ValidatorKeys, ValidatorProofs } from './validator-proofs.ts'

export interface GenesisAccount {
  readonly id: AccountId
  /** Grains. */
  readonly balance: bigint
}

/** A validator with the bond of its owner; the bond comes on top of the owner's balance. */
export interface GenesisValidator extends ValidatorKeys, ValidatorProofs {
  readonly id: AccountId
  readonly name: string
  /** Grains. */
  readonly bond: bigint
}

/** A model that can be leased from the start. Nobody published it: nobody can retire it, and there is no deposit. */
export interface GenesisModel extends ModelClaim {
  /** Hash of its manifest. */
  readonly model: Hash
  /** Grains per compute unit, at first. */
  readonly price: bigint
}

/** Valid as a whole: `genesisFault` finds nothing. */
export interface Genesis {
  readonly name: string
  readonly kind: NetworkKind
  /** Of the genesis block, Unix time. */
  readonly timeMs: Milliseconds
  readonly parameters: Parameters
  /** In the order of their ids. */
  readonly accounts: readonly GenesisAccount[]
  /** In the order of their ids. */
  readonly validators: readonly GenesisValidator[]
  /** In the order of their hashes. */
  readonly models: readonly GenesisModel[]
}

const GENESIS_VERSION = 1

/** The hash that names the network: it stands inside everything that is signed for it. */
export function networkIdOf(genesis: Genesis): Hash {
  return hashOf(taggedHash('dllm/genesis', encodeGenesis(genesis)))
}

/** The canonical bytes. Parameters stand in full: another program's initial values make another network. */
export function encodeGenesis(genesis: Genesis): Uint8Array {
  assertOrdered(genesis.accounts.map(({ id }) => id))
  assertOrdered(genesis.validators.map(({ id }) => id))
  assertOrdered(genesis.models.map(({ model }) => model))
  const writer = new Writer(4_096)
  writer.u16(GENESIS_VERSION).text(genesis.name).u8(NETWORK_KINDS.indexOf(genesis.kind))
  writeParameters(writeCount(writer, genesis.timeMs), genesis.parameters)
  writer.list(genesis.accounts, (inner, { id, balance }) => writeAccount(inner, id).u64(balance))
  writer.list(genesis.validators, (inner, validator) => {
    writeAccount(inner, validator.id).text(validator.name).raw(validator.consensusKey).raw(validator.seedKey)
    inner.raw(validator.consensusProof).raw(validator.seedProof).u64(validator.bond)
  })
  writer.list(genesis.models, (inner, { model, name, context, price, segments }) => {
    writeSegments(writeHash(inner, model).text(name).u32(context).u64(price), segments)
  })
  return writer.finish()
}

/** Every record of the state before height 1. */
export function genesisState(genesis: Genesis): StateChanges {
  const { parameters } = genesis
  const state = overlayOn(createStateStore([]))
  putSupply(state, { genesis: 0n, issued: 0n, burnt: 0n, pool: 0n, bonded: 0n, proposalsMade: 0 })
  putParameters(state, parameters)
  for (const { id, balance } of genesis.accounts) {
    move(state, { amount: balance, from: { type: 'genesis' }, to: { type: 'account', id } })
  }
  for (const validator of genesis.validators) register(state, validator)
  for (const { model, ...claim } of genesis.models) {
    putModel(state, model, newModel(claim, { publisher: TREASURY, height: 0 }))
  }
  const members = drawMembers(state, parameters)
  for (const epoch of [0, 1]) putValidatorSet(state, epoch, members)
  putSeed(state, hashOf(taggedHash('dllm/genesis-seed', hexToBytes(networkIdOf(genesis)))))
  putBaseFee(state, parameters.baseFeeMin)
  return state.changes()
}

function register(state: WriteState, { id, name, consensusKey, seedKey, bond }: GenesisValidator): void {
  putConsensusKey(state, consensusKey, id)
  putValidator(state, id, {
    ...{ name, consensusKey, seedKey, stake: 0n, bonds: 0, signedBlocks: 0 },
    status: 'active',
    registeredHeight: 0,
  })
  move(state, { amount: bond, from: { type: 'genesis' }, to: { type: 'bond', validator: id, owner: id } })
}

function assertOrdered(ids: readonly string[]): void {
  for (const [index, id] of ids.entries()) {
    const before = ids[index - 1]
    assert(before === undefined || before < id, 'a genesis is in the order of ids')
  }
}
