/** A process that goes on with a file for ever: `node writing-process.ts HOME`. Says `written` after each chunk. */
import { openShardStore } from '../../../../src/app/shards/shard-store.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'
import { KILLED_FILE } from './killed-file.ts'

const store = openShardStore({ home: process.argv[2]! })
const { content, leaves, ...file } = KILLED_FILE
const partial = await store.begin(file, leaves, new AbortController().signal)
for (let index = 0; index * CHUNK_BYTES < file.bytes; index++) {
  await partial!.write(index, content.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES))
  process.stdout.write('written\n')
}
setInterval(() => undefined, 1_000)
