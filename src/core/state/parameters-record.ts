/**
 * The parameters in force. Spec: docs/spec/chain.md §2, §5.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { type Parameters, parametersFault, readParameters, writeParameters } from '../parameters.ts'
import { type ReadState, stateKey, type WriteState } from './state.ts'
import { getRecord, putRecord, TABLE } from './tables.ts'

const KEY = stateKey(TABLE.parameters)

export function getParameters(state: ReadState): Parameters {
  const parameters = getRecord(state, KEY, readParameters)
  assert(parameters !== undefined, 'the genesis state has parameters')
  return parameters
}

export function putParameters(state: WriteState, parameters: Parameters): void {
  assert(parametersFault(parameters) === undefined, 'parameters in force are within their bounds')
  putRecord(state, KEY, (writer) => writeParameters(writer, parameters))
}
