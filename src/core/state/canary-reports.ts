/**
 * The table of canary reports: which miners computed the canary of an approved model right, and which did not. Spec: docs/spec/market.md §13.
 * @module
 */
import { type AccountId, type Hash, hash } from '../../base/brand.ts'
import type { Reader } from '../../base/codec.ts'
import { HASH_BYTES } from '../fields.ts'
import { type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { accountInKey, getRecord, hexInKey, putRecord, records, TABLE } from './tables.ts'

export interface CanaryReportId {
  /** Hash of the manifest. */
  readonly model: Hash
  readonly operator: AccountId
}

export function canaryReportKey({ model, operator }: CanaryReportId): StateKey {
  return stateKey(TABLE.canaryReport, model, operator)
}

/** Whether it passed; undefined: nothing was reported. */
export function getCanaryReport(state: ReadState, id: CanaryReportId): boolean | undefined {
  return getRecord(state, canaryReportKey(id), readPassed)
}

export function putCanaryReport(state: WriteState, id: CanaryReportId, passed: boolean | undefined): void {
  if (passed === undefined) state.set(canaryReportKey(id), undefined)
  else putRecord(state, canaryReportKey(id), (writer) => void writer.u8(passed ? 1 : 0))
}

/** Of a model, in the order of the operators. Do not write while iterating. */
export function* canaryReports(state: ReadState, model: Hash): Iterable<readonly [AccountId, boolean]> {
  for (const [key, passed] of records(state, stateKey(TABLE.canaryReport, model), readPassed)) {
    yield [accountInKey(key, HASH_BYTES), passed]
  }
}

/** All of them; only a checker needs those of all models. */
export function* canaryReportIds(state: ReadState): Iterable<CanaryReportId> {
  for (const [key] of state.entries(stateKey(TABLE.canaryReport))) {
    yield { model: hash(hexInKey(key, 0, HASH_BYTES)), operator: accountInKey(key, HASH_BYTES) }
  }
}

function readPassed(reader: Reader): boolean {
  return reader.flag()
}
