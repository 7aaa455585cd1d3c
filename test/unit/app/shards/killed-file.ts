/** The file of shard-kill.test.ts, the same in each of its processes. */
import { leavesOfBytes, rootOfBytes } from '../../../../src/app/shards/chunk-hash.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'

const content = Buffer.alloc(
  24 * CHUNK_BYTES + 3,
  Buffer.from('not the same in two chunks: 1,048,576 is no multiple of it'),
)

export const KILLED_FILE = {
  content,
  root: rootOfBytes(content),
  bytes: content.length,
  leaves: leavesOfBytes(content),
}
