/**
 * Which validator a consensus key belongs to, for ever: who voted is found without knowing the set of the height.
 * Spec: docs/spec/chain.md §2.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId } from '../../base/brand.ts'
import { readAccount, writeAccount } from '../fields.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { getRecord, putRecord, records, TABLE } from './tables.ts'

export function consensusKeyKey(consensusKey: Uint8Array): StateKey {
  return stateKey(TABLE.consensusKey, bytesToHex(consensusKey))
}

/** The validator that registered this 32-byte key, or undefined. */
export function ownerOfConsensusKey(state: ReadState, consensusKey: Uint8Array): AccountId | undefined {
  return getRecord(state, consensusKeyKey(consensusKey), readAccount)
}

export function putConsensusKey(state: WriteState, consensusKey: Uint8Array, validator: AccountId): void {
  putRecord(state, consensusKeyKey(consensusKey), (writer) => writeAccount(writer, validator))
}

/** The validators that keys belong to; only a store that indexes this table has them. */
export function* consensusKeyOwners(state: ReadState): Iterable<AccountId> {
  for (const [, owner] of records(state, stateKey(TABLE.consensusKey), readAccount)) yield owner
}
