/**
 * The validator set of each epoch, and the draw of one from the validator table. Spec: docs/spec/chain.md §2, §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { type Member, readMembers, type ValidatorSet, validatorSet, writeMembers } from '../consensus/validator-set.ts'
import type { Parameters } from '../parameters.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { getRecord, numberInKey, putRecord, records, TABLE } from './tables.ts'
import { getValidator, ranking } from './validators.ts'

export function validatorSetKey(epoch: number): StateKey {
  return stateKey(TABLE.validatorSet, keyNumber(epoch))
}

/** undefined for epochs that are too old or not drawn yet. */
export function getValidatorSet(state: ReadState, epoch: number): ValidatorSet | undefined {
  const members = getRecord(state, validatorSetKey(epoch), readMembers)
  return members === undefined ? undefined : validatorSet(members)
}

/** `members` in the order of their ids; undefined forgets the set. */
export function putValidatorSet(state: WriteState, epoch: number, members: readonly Member[] | undefined): void {
  if (members === undefined) state.set(validatorSetKey(epoch), undefined)
  else putRecord(state, validatorSetKey(epoch), (writer) => writeMembers(writer, members))
}

/** The sets that the state holds, by epoch. */
export function* validatorSets(state: ReadState): Iterable<readonly [number, readonly Member[]]> {
  for (const [key, members] of records(state, stateKey(TABLE.validatorSet), readMembers)) {
    yield [numberInKey(key, 0), members]
  }
}

/**
 * Who would vote if a set were drawn now: active validators with at least `bondMin` of stake, the `validatorsMax` largest,
 * equal ones by the lower id; in the order of their ids. May be empty.
 */
export function drawMembers(state: ReadState, parameters: Parameters): Member[] {
  const members: Member[] = []
  for (const id of ranking(state)) {
    const validator = getValidator(state, id)
    assert(validator !== undefined, 'who is ranked is a validator')
    const { consensusKey, seedKey, stake } = validator
    if (stake < parameters.bondMin || BigInt(members.length) >= parameters.validatorsMax) break
    members.push({ id, consensusKey, seedKey, stake })
  }
  return members.sort((a, b) => (a.id < b.id ? -1 : 1))
}
