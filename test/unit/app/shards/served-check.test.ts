/** Chunks of whole files before they go out for the first time. */
import { writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fullMap } from '../../../../src/app/shards/chunk-map.ts'
import { createServedCheck } from '../../../../src/app/shards/served-check.ts'
import type { ServedFile } from '../../../../src/app/shards/served-files.ts'
import { CHUNK_BYTES, leafAt } from '../../../../src/ml/chunk-tree.ts'
import { createShardWorld, type ShardWorld, type TestFile } from '../../../shard-world.ts'

let world: ShardWorld
let file: TestFile
let leaves: string
let confirmed: number
beforeEach(async () => {
  world = await createShardWorld()
  file = await world.file(CHUNK_BYTES + 5)
  leaves = `${file.path}.leaves`
  await writeFile(leaves, file.leaves)
  confirmed = 0
})
afterEach(() => world.close())

const check = () =>
  createServedCheck({
    confirm: async (_root, index, leaf) => {
      confirmed++
      return Buffer.compare(leafAt(file.leaves, index), leaf) === 0
    },
  })
const served = (mark = 'a'): ServedFile => ({
  ...{ path: file.path, bytes: file.bytes, map: fullMap(file.bytes) },
  whole: { mark, leaves },
})
const right = () => ({ index: 1, bytes: file.content.subarray(CHUNK_BYTES) })
const wrong = () => ({ index: 1, bytes: new Uint8Array(5) })

test('a chunk is compared once, as long as its file does not change', async () => {
  const { isRight, isKnown } = check()
  expect(isKnown(served(), 1)).toBe(false)
  expect(await isRight(file.root, served(), right())).toBe(true)
  expect([isKnown(served(), 1), isKnown(served(), 0), isKnown(served('b'), 1)]).toEqual([true, false, false])
  expect(confirmed).toBe(0)
})

test('one that is wrong is so each time, and the leaves that are believed have the last word', async () => {
  const { isRight } = check()
  for (let time = 1; time <= 2; time++) {
    expect(await isRight(file.root, served(), wrong())).toBe(false)
    expect(confirmed).toBe(time)
  }
})

test.each<[string, () => Promise<void>]>([
  ['damaged', () => writeFile(leaves, new Uint8Array(64))],
  ['cut', () => writeFile(leaves, file.leaves.subarray(0, 33))],
])('leaves that are %s accuse nobody', async (_how, damage) => {
  await damage()
  const { isRight } = check()
  expect(await isRight(file.root, served(), right())).toBe(true)
  expect(await isRight(file.root, served(), right())).toBe(true)
  expect(confirmed).toBe(1)
})

test('chunks of an unfinished file were compared as they came', async () => {
  const { isRight, isKnown } = check()
  const { whole: _whole, ...unfinished } = served()
  expect(isKnown(unfinished, 1)).toBe(true)
  expect(await isRight(file.root, unfinished, wrong())).toBe(true)
})
