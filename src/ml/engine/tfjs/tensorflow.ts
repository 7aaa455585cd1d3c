/**
 * TF.js as types. The library itself is a parameter everywhere in `ml`: app loads it, chooses the backend and says where its files
 * are (app/tfjs/open-tfjs.ts). Frozen at 4.22.0 (docs/adr/0012).
 * @module
 */

import type * as tensorflow from '@tensorflow/tfjs'
import { assert } from '../../../base/assert.ts'

/** The library. Its active backend is global to it: whoever shares one library takes turns (`switchBackend`). */
export type Tensorflow = typeof tensorflow
export type Tensor = tensorflow.Tensor
export type Variable = tensorflow.Variable

/** Makes ops run on `backend`, which is open already; then the switch needs no waiting, although TF.js gives a promise. */
export function switchBackend(tf: Tensorflow, backend: string): void {
  if (tf.getBackend() === backend) return
  assert(tf.findBackendFactory(backend) !== null, 'the backend is open')
  void tf.setBackend(backend)
}
