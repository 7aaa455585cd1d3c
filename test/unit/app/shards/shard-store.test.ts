/** The store of files by their content: what it takes, what it refuses, and what is in it after a crash. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chunksIn } from '../../../../src/app/shards/chunk-map.ts'
import { openShardStore, type ShardStoreOptions } from '../../../../src/app/shards/shard-store.ts'
import { CHUNK_BYTES } from '../../../../src/ml/chunk-tree.ts'
import { type Content, chunkOf, contentOf, fileOf, NEVER, newHome, writeAll } from './store-world.ts'

const newStore = (options: Omit<ShardStoreOptions, 'home'> = {}) => openShardStore({ home: newHome(), ...options })
const refusal = (code: string) => expect.objectContaining({ code })

async function put(store: ReturnType<typeof newStore>, file: Content): Promise<void> {
  const partial = (await store.begin(file, file.leaves, NEVER))!
  await writeAll(partial, file)
  await partial.finish()
}

describe('a file is whole', () => {
  test.each([
    ['no byte', 0],
    ['one byte', 1],
    ['one chunk', CHUNK_BYTES],
    ['a short last chunk', 2 * CHUNK_BYTES + 5],
  ])('with %s, when all chunks are there', async (_case, bytes) => {
    const store = newStore()
    const file = fileOf(bytes)
    expect(await store.has(file)).toBe(false)
    await put(store, file)
    expect(await store.has(file)).toBe(true)
    expect(readFileSync(store.pathOf(file.root)).equals(file.content)).toBe(true)
    expect(statSync(store.pathOf(file.root)).mode & 0o777).toBe(0o600)
    expect(await store.leaves(file.root)).toEqual(Buffer.from(file.leaves))
    expect(readdirSync(store.folder).sort()).toEqual([file.root, `${file.root}.leaves`])
    expect(await store.begin(file, file.leaves, NEVER)).toBeUndefined()
  })

  test('but not before, and it is not finished early', async () => {
    const store = newStore()
    const file = fileOf(2 * CHUNK_BYTES)
    const partial = (await store.begin(file, file.leaves, NEVER))!
    await partial.write(1, chunkOf(file, 1))
    await expect(partial.finish()).rejects.toThrow('all chunks')
    expect(await store.has(file)).toBe(false)
    expect(store.partial(file.root)?.map).toEqual(Uint8Array.of(0b10))
    await partial.close()
    await partial.close()
    expect(store.partial(file.root)).toBeUndefined()
  })
})

describe('a chunk is refused', () => {
  const file = fileOf(2 * CHUNK_BYTES + 5)
  test.each([
    ['with a bit changed', 0, flipped(chunkOf(file, 0))],
    ['of another place', 0, chunkOf(file, 1)],
    ['that is short', 0, chunkOf(file, 0).subarray(1)],
    ['that is long', 2, Buffer.concat([chunkOf(file, 2), Buffer.alloc(1)])],
    ['without a byte', 2, Buffer.alloc(0)],
  ])('%s', async (_case, index, chunk) => {
    const store = newStore()
    const partial = (await store.begin(file, file.leaves, NEVER))!
    await expect(partial.write(index, chunk)).rejects.toThrow(refusal('SHARD_BAD_CHUNK'))
    expect(chunksIn(partial.map)).toEqual([])
    await partial.close()
  })

  test('when the file is said to be longer than the chunks below its name', async () => {
    const store = newStore()
    const short = contentOf(Buffer.from('short'))
    const lie = { root: short.root, bytes: CHUNK_BYTES }
    const partial = (await store.begin(lie, short.leaves, NEVER))!
    await expect(partial.write(0, short.content)).rejects.toThrow(refusal('SHARD_BAD_CHUNK'))
    await partial.close()
  })
})

describe('a file is not begun', () => {
  const file = fileOf(CHUNK_BYTES + 5)
  test('with leaves of another one', async () => {
    const store = newStore()
    await expect(store.begin(file, fileOf(CHUNK_BYTES + 5, 1).leaves, NEVER)).rejects.toThrow(
      refusal('SHARD_BAD_LEAVES'),
    )
    expect(existsSync(store.folder)).toBe(false)
  })

  test('while it is open, and is when it was closed', async () => {
    const store = newStore()
    const partial = (await store.begin(file, file.leaves, NEVER))!
    await expect(store.begin(file, file.leaves, NEVER)).rejects.toThrow(refusal('SHARD_IN_USE'))
    await partial.close()
    const again = (await store.begin(file, file.leaves, NEVER))!
    await again.close()
  })

  // Command lines are told by /proc.
  test.skipIf(process.platform !== 'linux')(
    'but not by a lock whose pid is another program now, as after a loss of power',
    async () => {
      const other = spawn('sleep', ['60'])
      try {
        const store = newStore()
        mkdirSync(store.folder)
        writeFileSync(join(store.folder, `${file.root}.lock`), String(other.pid))
        const partial = (await store.begin(file, file.leaves, NEVER))!
        await partial.close()
      } finally {
        other.kill()
      }
    },
  )

  test('on a disk without room, of which unfinished files have their share', async () => {
    const bytes = 40 * CHUNK_BYTES
    const store = newStore({ freeBytes: async () => 70 * CHUNK_BYTES })
    const [first, second] = [fileOf(bytes), fileOf(bytes, 1)]
    const partial = (await store.begin(first, first.leaves, NEVER))!
    await expect(store.begin(second, second.leaves, NEVER)).rejects.toThrow(refusal('SHARD_NO_SPACE'))
    await partial.close()
    expect(readdirSync(store.folder).filter((name) => name.startsWith(second.root))).toEqual([])
    // What is written of it takes no more room.
    const again = (await store.begin(first, first.leaves, NEVER))!
    await again.close()
  })

  test.each([
    ['smaller than the file', CHUNK_BYTES, /this shard alone/],
    ['of which another file has its share', 2 * CHUNK_BYTES, /are taken/],
  ])('by a quota %s', async (_case, quotaBytes, words) => {
    const home = newHome()
    const other = fileOf(CHUNK_BYTES, 1)
    await put(openShardStore({ home }), other)
    const store = openShardStore({ home, quotaBytes })
    await expect(store.begin(file, file.leaves, NEVER)).rejects.toThrow(refusal('SHARD_QUOTA'))
    await expect(store.begin(file, file.leaves, NEVER)).rejects.toThrow(words)
  })
})

test('two files that are begun at once do not go beyond the quota together', async () => {
  const store = newStore({ quotaBytes: 3 * CHUNK_BYTES })
  const files = [fileOf(2 * CHUNK_BYTES), fileOf(2 * CHUNK_BYTES, 1)]
  const begun = await Promise.allSettled(files.map((file) => store.begin(file, file.leaves, NEVER)))
  expect(begun.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  for (const one of begun) if (one.status === 'fulfilled') await one.value?.close()
})

describe('chunks of other files', () => {
  const old = fileOf(4 * CHUNK_BYTES)
  const next = contentOf(
    Buffer.concat([chunkOf(old, 3), Buffer.alloc(CHUNK_BYTES, 9), chunkOf(old, 3), chunkOf(old, 0)]),
  )

  test('are copied where they are equal, at whatever place', async () => {
    const store = newStore()
    await put(store, old)
    const partial = (await store.begin(next, next.leaves, NEVER))!
    expect(chunksIn(partial.map)).toEqual([0, 2, 3])
    await partial.write(1, chunkOf(next, 1))
    expect(readFileSync(await partial.finish()).equals(next.content)).toBe(true)
  })

  test('are not copied when they are damaged, or gone', async () => {
    const store = newStore()
    await put(store, old)
    writeFileSync(store.pathOf(old.root), flipped(old.content))
    const partial = (await store.begin(next, next.leaves, NEVER))!
    expect(chunksIn(partial.map)).toEqual([0, 2])
    await partial.close()
  })
})

describe('a file that was made elsewhere', () => {
  const file = fileOf(CHUNK_BYTES + 5)

  test('is moved in, also in place of a damaged one', async () => {
    const home = newHome()
    const store = openShardStore({ home })
    await put(store, file)
    writeFileSync(store.pathOf(file.root), flipped(file.content))
    const path = join(home, 'made')
    writeFileSync(path, file.content, { mode: 0o644 })
    expect(await store.adopt(path, file, file.leaves)).toBe(true)
    expect(existsSync(path)).toBe(false)
    expect(statSync(store.pathOf(file.root)).mode & 0o777).toBe(0o600)
    expect(readFileSync(store.pathOf(file.root)).equals(file.content)).toBe(true)
    expect(await store.leaves(file.root)).toEqual(Buffer.from(file.leaves))
  })
})

test('leaves that are damaged or of another file count as none', async () => {
  const store = newStore()
  const file = fileOf(CHUNK_BYTES + 5)
  await put(store, file)
  const path = `${store.pathOf(file.root)}.leaves`
  for (const bytes of [flipped(file.leaves), file.leaves.subarray(1), file.leaves.subarray(32), new Uint8Array(0)]) {
    writeFileSync(path, bytes)
    expect(await store.leaves(file.root)).toBeUndefined()
  }
})

function flipped(bytes: Uint8Array): Buffer {
  const changed = Buffer.from(bytes)
  changed[0]! ^= 1
  return changed
}
