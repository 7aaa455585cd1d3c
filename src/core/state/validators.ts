/**
 * The validator table: keys, stake and standing of everybody who registered; and the ranking of those who can vote by stake, so that
 * a draw looks at no more of them than it takes. Spec: docs/spec/chain.md §2, §6.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader } from '../../base/codec.ts'
import { SEED_KEY_BYTES } from '../consensus/validator-set.ts'
import { PUBLIC_KEY_BYTES } from '../ed25519.ts'
import { readCount, writeCount } from '../fields.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, putRecord, records, TABLE } from './tables.ts'

/** Tombstoned: signed twice, and never votes again. */
export type ValidatorStatus = 'active' | 'tombstoned'

export interface Validator {
  /** Ed25519, 32 bytes. */
  readonly consensusKey: Uint8Array
  /** BLS12-381 G1, 48 bytes. */
  readonly seedKey: Uint8Array
  /** Grains, the sum of the bonds to it. */
  readonly stake: bigint
  /** How many bonds that are. */
  readonly bonds: number
  readonly status: ValidatorStatus
  readonly registeredHeight: number
  /** Blocks of this epoch whose commit holds its signature. */
  readonly signedBlocks: number
  readonly name: string
}

const STAKE_BYTES = 8
const STAKE_MAX = 2n ** 64n - 1n

export function validatorKey(id: AccountId): StateKey {
  return stateKey(TABLE.validator, id)
}

export function getValidator(state: ReadState, id: AccountId): Validator | undefined {
  return getRecord(state, validatorKey(id), readValidator)
}

export function putValidator(state: WriteState, id: AccountId, validator: Validator): void {
  const before = rankingKey(id, getValidator(state, id))
  const after = rankingKey(id, validator)
  if (before !== after) {
    if (before !== undefined) state.set(before, undefined)
    if (after !== undefined) state.set(after, new Uint8Array(0))
  }
  putRecord(state, validatorKey(id), (writer) => {
    writer.raw(validator.consensusKey).raw(validator.seedKey).u64(validator.stake).u32(validator.bonds)
    writer.u8(validator.status === 'active' ? 0 : 1)
    writeCount(writer, validator.registeredHeight).u32(validator.signedBlocks).text(validator.name)
  })
}

/** All, in the order of their ids. */
export function* validators(state: ReadState): Iterable<readonly [AccountId, Validator]> {
  for (const [key, validator] of records(state, stateKey(TABLE.validator), readValidator)) {
    yield [accountInKey(key, 0), validator]
  }
}

/** Who is active and has stake: the largest first, equal ones by the lower id. */
export function* ranking(state: ReadState): Iterable<AccountId> {
  for (const [key] of state.entries(stateKey(TABLE.ranking))) yield accountInKey(key, STAKE_BYTES)
}

/** The key counts down, so that the largest stake comes first. */
function rankingKey(id: AccountId, validator: Validator | undefined): StateKey | undefined {
  if (validator === undefined || validator.status !== 'active' || validator.stake === 0n) return undefined
  const digits = (STAKE_MAX - validator.stake).toString(16).padStart(2 * STAKE_BYTES, '0')
  return stateKey(TABLE.ranking, digits, id)
}

export function readValidator(reader: Reader): Validator {
  return {
    consensusKey: reader.raw(PUBLIC_KEY_BYTES),
    seedKey: reader.raw(SEED_KEY_BYTES),
    stake: reader.u64(),
    bonds: reader.u32(),
    status: readStatus(reader),
    registeredHeight: readCount(reader),
    signedBlocks: reader.u32(),
    name: reader.text(CHAIN_LIMITS.validatorNameBytesMax),
  }
}

function readStatus(reader: Reader): ValidatorStatus {
  const value = reader.u8()
  if (value > 1) throw new CodecError('CODEC_BAD_VALUE', 'A validator has an unknown status.')
  return value === 0 ? 'active' : 'tombstoned'
}
