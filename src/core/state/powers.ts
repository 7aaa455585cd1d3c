/**
 * The power of validators by epoch: what the draw of proposers weighs beside stake. Written with the set of the epoch, so that both
 * change together and are the same on every node. Spec: docs/spec/market.md §2, §8.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader } from '../../base/codec.ts'
import { readAccount, writeAccount } from '../fields.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { getRecord, numberInKey, putRecord, records, TABLE } from './tables.ts'

/** Compute units a day, above 0, by validator. */
export type Powers = ReadonlyMap<AccountId, bigint>

export function powerKey(epoch: number): StateKey {
  return stateKey(TABLE.power, keyNumber(epoch))
}

/** undefined: nobody in the set of the epoch has power. */
export function getPowers(state: ReadState, epoch: number): Powers | undefined {
  return getRecord(state, powerKey(epoch), readPowers)
}

/** Those of 0 may be among them. Without any above 0 there is no record. */
export function putPowers(state: WriteState, epoch: number, powers: Powers | undefined): void {
  const entries = [...(powers ?? [])].filter(([, power]) => power > 0n).sort(byId)
  if (entries.length === 0) state.set(powerKey(epoch), undefined)
  else {
    putRecord(state, powerKey(epoch), (writer) =>
      writer.list(entries, (inner, [id, power]) => writeAccount(inner, id).u64(power)),
    )
  }
}

/** Of all epochs that have any, in their order. */
export function* powers(state: ReadState): Iterable<readonly [number, Powers]> {
  for (const [key, record] of records(state, stateKey(TABLE.power), readPowers)) yield [numberInKey(key, 0), record]
}

/** @throws CodecError, also when the validators are not in order or one has no power. */
export function readPowers(reader: Reader): Powers {
  const entries = reader.list(CHAIN_LIMITS.validatorsMax, (inner) => [readAccount(inner), inner.u64()] as const)
  const isSound = entries.every(([id, power], at) => power > 0n && (at === 0 || entries[at - 1]![0] < id))
  if (isSound && entries.length > 0) return new Map(entries)
  throw new CodecError('CODEC_BAD_VALUE', 'The power of an epoch is empty or not in order.')
}

function byId([one]: readonly [AccountId, bigint], [other]: readonly [AccountId, bigint]): number {
  return one < other ? -1 : 1
}
