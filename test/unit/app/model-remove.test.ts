/** Models leave the data folder when nobody serves them, damaged ones too. */
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { checkRemovable, removeModel } from '../../../src/app/model-remove.ts'
import { openModelStore } from '../../../src/app/model-store.ts'
import { markServed, whoServes } from '../../../src/app/model-use.ts'
import { openShardStore } from '../../../src/app/shards/shard-store.ts'
import { fileOf, NEVER, newHome, writeAll } from './shards/store-world.ts'

const embedded = openModelStore({ home: '/nowhere' }).find('genesis')
const refusal = (code: string) => expect.objectContaining({ code })
let home: string
let models: string
beforeEach(() => {
  home = newHome()
  models = join(home, 'models')
  mkdirSync(models)
  cpSync(embedded.directory, join(models, 'genesis'), { recursive: true })
})

const names = (): string[] => readdirSync(models)

test('a model goes as a whole, and what a collection would free is told', async () => {
  const store = openShardStore({ home })
  const file = fileOf(2_000_000)
  const partial = (await store.begin(file, file.leaves, NEVER))!
  await writeAll(partial, file)
  await partial.finish()
  const freed = await removeModel(home, await checkRemovable(home, 'genesis'))
  expect(freed).toBe(file.bytes)
  expect(names()).toEqual([])
  expect(await store.has(file)).toBe(true)
  expect(openModelStore({ home }).find('genesis').isEmbedded).toBe(true)
})

test('a model whose manifest is damaged goes too; what is freed is not known while another is damaged', async () => {
  for (const name of ['broken', 'other']) {
    mkdirSync(join(models, name))
    writeFileSync(join(models, name, 'manifest.json'), '{')
  }
  expect(await removeModel(home, await checkRemovable(home, 'broken'))).toBeUndefined()
  expect(names().sort()).toEqual(['genesis', 'other'])
})

test('a model stays while this process serves it, once or twice', async () => {
  const model = openModelStore({ home }).find('genesis')
  const marks = [await markServed(home, model), await markServed(home, model)]
  for (const unmark of marks) {
    await expect(checkRemovable(home, 'genesis')).rejects.toThrow(refusal('MODEL_IN_USE'))
    await unmark()
  }
  expect((await checkRemovable(home, 'genesis')).directory).toBe(join(models, 'genesis'))
  expect(names()).toEqual(['genesis'])
})

test.each([
  ['a process that is gone', 999_999_999],
  ['an earlier life of this pid', process.pid],
])('a mark of %s counts for nothing and goes', async (_case, pid) => {
  writeFileSync(join(models, `.served-${pid}-7000-genesis`), '')
  expect(await whoServes(home, 'genesis')).toBeUndefined()
  expect(names()).toEqual(['genesis'])
})

test('a model that comes with the program has no mark, since nobody can remove it', async () => {
  const unmark = await markServed(home, embedded)
  expect(names()).toEqual(['genesis'])
  await unmark()
  const bare = newHome()
  await expect(checkRemovable(bare, 'genesis')).rejects.toThrow(refusal('MODEL_IN_USE'))
  await expect(checkRemovable(bare, 'nothing')).rejects.toThrow(refusal('MODEL_NOT_FOUND'))
  await expect(checkRemovable(bare, '../x')).rejects.toThrow(refusal('MODEL_BAD_NAME'))
})
