/**
 * Punished double signs: when each was punished. Spec: docs/spec/chain.md §2, §6.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { ADDRESS_HASH_BYTES } from '../address.ts'
import { readCount, writeCount } from '../fields.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, numberInKey, putRecord, TABLE } from './tables.ts'

export interface Infraction {
  readonly validator: AccountId
  /** That both signatures are for. */
  readonly height: number
}

export function evidenceKey({ validator, height }: Infraction): StateKey {
  return stateKey(TABLE.evidence, validator, keyNumber(height))
}

/** Height of the block that punished it, or undefined. */
export function getEvidence(state: ReadState, infraction: Infraction): number | undefined {
  return getRecord(state, evidenceKey(infraction), readCount)
}

export function putEvidence(state: WriteState, infraction: Infraction, punishedHeight: number): void {
  putRecord(state, evidenceKey(infraction), (writer) => writeCount(writer, punishedHeight))
}

/** All punished double signs; only a store that indexes this table has them. */
export function* infractions(state: ReadState): Iterable<Infraction> {
  for (const [key] of state.entries(stateKey(TABLE.evidence))) {
    yield { validator: accountInKey(key, 0), height: numberInKey(key, ADDRESS_HASH_BYTES) }
  }
}
