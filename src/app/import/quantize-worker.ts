/**
 * Entry of a thread that quantises blocks of rows, one after the other, in the order in which they come.
 * @module
 */
import { parentPort } from 'node:worker_threads'
import { assert } from '../../base/assert.ts'
import { quantizeRows } from '../../ml/quantize.ts'
import { partsOfMatrix } from '../../ml/shard-file.ts'
import type { QuantizeJob } from './quantizer.ts'

const port = parentPort
assert(port !== null, 'a thread has a port')
port.on('message', ({ format, values, columns }: QuantizeJob) => {
  const parts = partsOfMatrix(quantizeRows(format, values, columns))
  port.postMessage(
    parts,
    parts.map((part) => part.buffer as ArrayBuffer),
  )
})
