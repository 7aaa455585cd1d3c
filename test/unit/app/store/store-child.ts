/**
 * A process that holds a store, for a test to kill: it writes numbered batches, each synced, and tells each number once it is
 * written. It never ends by itself.
 * @module
 */
import { openLevelStore } from '../../../../src/app/store/level-store.ts'

const store = await openLevelStore(process.argv[2]!)
for (let number = 0; ; number++) {
  const key = Buffer.alloc(4)
  key.writeUInt32BE(number)
  const value = new Uint8Array(5_000).fill(number)
  await store.batch([{ type: 'put', key: new Uint8Array(key), value }], { sync: number % 8 === 0 })
  process.stdout.write(`${number}\n`)
}
