/**
 * Punished double signs: one per validator, since who is tombstoned is punished no more; and what the punishment takes from grains that
 * are leaving. Spec: docs/spec/chain.md §2, §6.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import type { Reader } from '../../base/codec.ts'
import { readCount, writeCount } from '../fields.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, putRecord, TABLE } from './tables.ts'

export interface Evidence {
  /** That both signatures are for. */
  readonly height: number
  /** Of the block that punished it. */
  readonly punishedHeight: number
  /** Unbondings begun at this height or later, and not after the punishment, stood behind the votes; see `stakeSince`. */
  readonly since: number
  /** Per mille of each amount, rounded down. */
  readonly slash: number
}

export function evidenceKey(validator: AccountId): StateKey {
  return stateKey(TABLE.evidence, validator)
}

/** undefined: the validator was not punished. */
export function getEvidence(state: ReadState, validator: AccountId): Evidence | undefined {
  return getRecord(state, evidenceKey(validator), readEvidence)
}

export function putEvidence(state: WriteState, validator: AccountId, evidence: Evidence): void {
  const { height, punishedHeight, since, slash } = evidence
  putRecord(state, evidenceKey(validator), (writer) => {
    writeCount(writeCount(writeCount(writer, height), punishedHeight), since).u32(slash)
  })
}

/** Who was punished; only a store that indexes this table has them. */
export function* punishedValidators(state: ReadState): Iterable<AccountId> {
  for (const [key] of state.entries(stateKey(TABLE.evidence))) yield accountInKey(key, 0)
}

function readEvidence(reader: Reader): Evidence {
  return { height: readCount(reader), punishedHeight: readCount(reader), since: readCount(reader), slash: reader.u32() }
}
