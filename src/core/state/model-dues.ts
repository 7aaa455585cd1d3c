/**
 * The table of models that wait for a height: approved ones for a look at who serves them, superseded ones for the end of the time in which
 * they can come back. Follows the records of models. Spec: docs/spec/market.md §2, §13.
 * @module
 */
import { type Hash, hash } from '../../base/brand.ts'
import { HASH_BYTES } from '../fields.ts'
import { keyNumber, type ReadState, type StateKey, stateKey, type WriteState } from './state.ts'
import { hexInKey, numberInKey, TABLE } from './tables.ts'

export interface ModelDue {
  readonly height: number
  /** Hash of its manifest. */
  readonly model: Hash
}

const MODEL_AT = 8

export function modelDueKey({ height, model }: ModelDue): StateKey {
  return stateKey(TABLE.modelDue, keyNumber(height), model)
}

/** Only for models.ts. */
export function addModelDue(state: WriteState, due: ModelDue): void {
  state.set(modelDueKey(due), Uint8Array.of(0))
}

/** Only for models.ts. */
export function removeModelDue(state: WriteState, due: ModelDue): void {
  state.set(modelDueKey(due), undefined)
}

/** In the order of their heights. Do not write while iterating. */
export function* modelDues(state: ReadState): Iterable<ModelDue> {
  for (const [key] of state.entries(stateKey(TABLE.modelDue))) {
    yield { height: numberInKey(key, 0), model: hash(hexInKey(key, MODEL_AT, HASH_BYTES)) }
  }
}
