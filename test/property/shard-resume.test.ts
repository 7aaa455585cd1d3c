/** A download that is killed at any byte, or whose disk forgets what was not synced, goes on and ends with the right bytes. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chunksIn } from '../../src/app/shards/chunk-map.ts'
import { openShardStore } from '../../src/app/shards/shard-store.ts'
import { CHUNK_BYTES, chunkCount } from '../../src/ml/chunk-tree.ts'
import { chunkOf, fileOf, NEVER, newHome } from '../unit/app/shards/store-world.ts'

const file = fileOf(5 * CHUNK_BYTES + 77)
const COUNT = chunkCount(file.bytes)

/** What may have become of a file at a crash. */
const damage = fc.oneof(
  fc.record({ cut: fc.nat() }),
  fc.record({ flip: fc.nat() }),
  fc.record({ zeroFrom: fc.nat(), zeroBytes: fc.nat({ max: 3 * CHUNK_BYTES }) }),
  fc.record({ tail: fc.uint8Array({ maxLength: 9 }) }),
)
type Damage = { cut?: number; flip?: number; zeroFrom?: number; zeroBytes?: number; tail?: Uint8Array }

function apply(path: string, { cut, flip, zeroFrom, zeroBytes = 0, tail }: Damage): void {
  const bytes = readFileSync(path)
  if (cut !== undefined) truncateSync(path, cut % (bytes.length + 1))
  if (flip !== undefined && bytes.length > 0) {
    bytes[flip % bytes.length]! ^= 1 << (flip & 7)
    writeFileSync(path, bytes)
  }
  if (zeroFrom !== undefined && bytes.length > 0) {
    const start = zeroFrom % bytes.length
    writeFileSync(path, bytes.fill(0, start, Math.min(bytes.length, start + zeroBytes)))
  }
  if (tail !== undefined) writeFileSync(path, tail, { flag: 'a' })
}

test('whatever a crash leaves, only right chunks count, and the end is the right file', async () => {
  const home = newHome()
  const chunks = fc.uniqueArray(fc.nat({ max: COUNT - 1 }), { maxLength: COUNT })
  const harm = fc.record({ part: fc.option(damage), have: fc.option(damage), leaves: fc.option(damage) })
  await fc.assert(
    fc.asyncProperty(chunks, harm, async (written, harmed) => {
      rmSync(`${home}/shards`, { recursive: true, force: true })
      const crashed = openShardStore({ home })
      const before = (await crashed.begin(file, file.leaves, NEVER))!
      for (const index of written) await before.write(index, chunkOf(file, index))
      // A process that is killed gives nothing back; what it had written is taken aside.
      const kinds = ['part', 'have', 'leaves'] as const
      mkdirSync(`${home}/aside`, { recursive: true })
      for (const kind of kinds) copyFileSync(`${crashed.pathOf(file.root)}.${kind}`, `${home}/aside/${kind}`)
      await before.close()
      for (const kind of kinds) {
        const path = `${crashed.pathOf(file.root)}.${kind}`
        copyFileSync(`${home}/aside/${kind}`, path)
        const changes = harmed[kind]
        if (changes !== null) apply(path, changes)
      }

      const store = openShardStore({ home })
      const partial = (await store.begin(file, file.leaves, NEVER))!
      const bytes = readFileSync(partial.path)
      const kept = chunksIn(partial.map)
      for (const index of kept) {
        const at = index * CHUNK_BYTES
        expect(bytes.subarray(at, at + CHUNK_BYTES).equals(chunkOf(file, index))).toBe(true)
      }
      if (harmed.part === null && harmed.have === null) expect(kept).toEqual([...written].sort())
      for (let index = 0; index < COUNT; index++) {
        if (!kept.includes(index)) await partial.write(index, chunkOf(file, index))
      }
      expect(readFileSync(await partial.finish()).equals(file.content)).toBe(true)
      expect(await store.leaves(file.root)).toEqual(Buffer.from(file.leaves))
    }),
    { numRuns: 30 },
  )
})
