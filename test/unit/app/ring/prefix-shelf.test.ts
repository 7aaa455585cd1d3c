import { expect, test } from 'vitest'
import type { CacheOwner } from '../../../../src/app/ring/prefix-shelf.ts'
import { PREFIX_LIMITS } from '../../../../src/base/prefix-limits.ts'
import { createPrefixHost, PART, WIDTH } from '../../../prefix-host.ts'
import { BOUNDS, TEXT, type World, worldAt } from '../../../prefix-world.ts'

/** A session of a client with a text of its own. */
async function talk({ open }: World, client: string, text: readonly number[]): Promise<void> {
  const session = await open(client)
  await session.run('prompt', 0, text)
  await session.cache.end()
}
const numbered = (number: number): number[] => [number, ...TEXT]

test('what is kept is bounded in number, for each client and for all, and the one used longest ago goes first', async () => {
  const world = worldAt('first', { ...BOUNDS, parkedMax: 5, parkedPerClientMax: 3 })
  for (let number = 0; number < 4; number++) await talk(world, 'a', numbered(number))
  expect(world.shelf.parked).toBe(3)
  for (const client of ['b', 'c', 'd']) await talk(world, client, TEXT)
  expect([world.shelf.parked, world.host.open.size]).toEqual([5, 5])
  const again = await world.open('a')
  expect(await again.run('prompt', 0, numbered(1))).toBe(0)
  expect(await again.run('prompt', 0, numbered(3))).toBe(31)
})

test.each([
  ['a cache with few rows', { parkedRowsMin: TEXT.length + 1 }, 0],
  ['as many as it takes', { parkedRowsMin: TEXT.length }, 1],
  ['outputs that there is no room for', { outputBytesMax: TEXT.length * WIDTH * 4 - 1 }, 0],
  ['as many as there is room for', { outputBytesMax: TEXT.length * WIDTH * 4 }, 1],
])('what is kept is bounded: %s', async (_name, bounds, count) => {
  const world = worldAt('first', { ...BOUNDS, ...bounds })
  await talk(world, 'a', TEXT)
  expect([world.shelf.parked, world.host.open.size]).toEqual([count, count])
})

test.each<[string, Partial<CacheOwner>, boolean]>([
  ['who left it', {}, true],
  ['another client', { client: 'b' }, false],
  ['another engine, of another model or of this one', { host: createPrefixHost() }, false],
  ['other layers of it', { part: { ...PART, lastLayer: 3 } }, false],
  ['the same layers with an end of the model', { part: { ...PART, hasEmbedding: true } }, false],
])('what is kept is found by who has all alike: %s', async (_who, change, isFound) => {
  const world = worldAt('first')
  await talk(world, 'a', TEXT)
  const place = world.shelf.placeFor({ client: 'a', host: world.host, part: PART, ...change })
  const memory = place.createMemory({ keyWords: 1, width: WIDTH })
  const found = place.find(memory, { position: 0, keys: Int32Array.from(TEXT) }, 0)
  expect([place.hasAny(), found !== undefined]).toEqual([isFound, isFound])
})

test('what is kept goes after a while in which nobody asked for it', async () => {
  const world = worldAt('first')
  await talk(world, 'a', TEXT)
  await talk(world, 'b', TEXT)
  world.clock.advance(PREFIX_LIMITS.parkedMsMax - 1)
  await talk(world, 'a', TEXT)
  world.clock.advance(1)
  expect([world.shelf.parked, world.host.open.size]).toEqual([1, 1])
})

test('what is kept goes when a session needs the memory', async () => {
  const world = worldAt('first')
  world.host.positionsMax = 250
  await talk(world, 'a', TEXT)
  await talk(world, 'b', TEXT)
  const third = await world.open('c')
  expect(world.shelf.parked).toBe(1)
  expect(await third.run('prompt', 0, TEXT)).toBe(0)
  await world.open('d')
  await expect(world.open('e')).rejects.toMatchObject({ code: 'ENGINE_OUT_OF_MEMORY' })
})

test('what is kept goes before a session gets no room for its outputs', async () => {
  const world = worldAt('first', { ...BOUNDS, outputBytesMax: 40 * WIDTH * 4 })
  await talk(world, 'a', TEXT)
  await talk(world, 'b', TEXT)
  const again = await world.open('a')
  expect(await again.run('prompt', 0, TEXT)).toBe(0)
  expect(await again.run('prompt', 0, TEXT)).toBe(TEXT.length)
  expect(world.shelf.parked).toBe(0)
})

test('what is kept goes with its engine, and nothing of it comes after that', async () => {
  const world = worldAt('first')
  await talk(world, 'a', TEXT)
  const late = await world.open('a')
  await late.run('prompt', 0, TEXT)
  await world.shelf.leave(world.host)
  await late.cache.end()
  expect([world.shelf.parked, world.host.open.size]).toEqual([0, 0])
})

test('what is kept goes when another engine is about to take over', async () => {
  const world = worldAt('first')
  const leaving = Promise.withResolvers<void>()
  Object.assign(world.host, { leaving: leaving.promise })
  await talk(world, 'a', TEXT)
  leaving.resolve()
  await new Promise((resolve) => setImmediate(resolve))
  expect([world.shelf.parked, world.host.open.size]).toEqual([0, 0])
  await talk(world, 'a', TEXT)
  expect(world.shelf.parked).toBe(1)
})

test('what is kept goes when all ends, and nothing is kept any more', async () => {
  const world = worldAt('first')
  await talk(world, 'a', TEXT)
  await world.shelf.close()
  await talk(world, 'a', TEXT)
  expect([world.shelf.parked, world.host.open.size]).toEqual([0, 0])
})

test('a cache that goes while somebody takes it over closes after that', async () => {
  const world = worldAt('first')
  await talk(world, 'a', TEXT)
  const { shareCache } = world.host
  const gate = Promise.withResolvers<void>()
  world.host.shareCache = async (...asked) => {
    await gate.promise
    await shareCache(...asked)
  }
  const session = await world.open('a')
  const run = session.run('prompt', 0, TEXT)
  await new Promise((resolve) => setImmediate(resolve))
  const leaving = world.shelf.leave(world.host)
  await new Promise((resolve) => setImmediate(resolve))
  gate.resolve()
  expect(await run).toBe(TEXT.length)
  await leaving
  await session.cache.end()
  expect([world.shelf.parked, world.host.open.size]).toEqual([0, 0])
})

test('nothing is kept by a session that ends when all ends, although one that it replaces is still closing', async () => {
  const world = worldAt('first')
  await talk(world, 'a', TEXT.slice(0, 20))
  const { closeCache } = world.host
  const gate = Promise.withResolvers<void>()
  world.host.closeCache = async (cache) => {
    await gate.promise
    await closeCache(cache)
  }
  const talked = talk(world, 'a', TEXT)
  await new Promise((resolve) => setImmediate(resolve))
  const closed = world.shelf.close()
  gate.resolve()
  await Promise.all([talked, closed])
  expect([world.shelf.parked, world.host.open.size]).toEqual([0, 0])
})

test('of two sessions that end at once with the same text one is kept', async () => {
  const world = worldAt('first')
  await Promise.all([talk(world, 'a', TEXT), talk(world, 'a', TEXT)])
  expect([world.shelf.parked, world.host.open.size]).toEqual([1, 1])
})
