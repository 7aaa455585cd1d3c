import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type AuditShelf, openAuditShelf } from '../../../../src/app/audit/audit-shelf.ts'
import { hash } from '../../../../src/base/brand.ts'

const part = (row: number, lot = 15) => ({ lease: hash('ab'.repeat(32)), lot, row })
const MESSAGES = [Uint8Array.of(1, 2), new Uint8Array(100).fill(3), new Uint8Array(0)]

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dllm-shelf-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const has = (shelf: AuditShelf, row: number): boolean => shelf.messages(part(row)) !== undefined

async function read(shelf: AuditShelf, row: number): Promise<Uint8Array[]> {
  const found: Uint8Array[] = []
  for await (const message of shelf.messages(part(row)) ?? []) found.push(message)
  return found
}

async function put(shelf: AuditShelf, row: number, messages: readonly Uint8Array[] = MESSAGES): Promise<void> {
  const entry = await shelf.begin(part(row))
  for (const message of messages) await entry.add(message)
  await entry.keep()
  await entry.drop()
}

test('what was kept is passed on as it came, also after a restart', async () => {
  const shelf = await openAuditShelf(folder)
  await put(shelf, 4_294_967_295)
  for (const one of [shelf, await openAuditShelf(folder)]) {
    expect(has(one, 4_294_967_295)).toBe(true)
    expect(await read(one, 4_294_967_295)).toEqual(MESSAGES)
  }
  expect(await read(shelf, 7)).toEqual(MESSAGES)
  expect(shelf.messages(part(1, 14))).toBeUndefined()
  expect([shelf.hasLot(part(0)), shelf.hasLot(part(0, 14))]).toEqual([true, false])
})

test('what ends before a row is not for it', async () => {
  const shelf = await openAuditShelf(folder)
  await put(shelf, 99)
  expect([has(shelf, 98), has(shelf, 99), has(shelf, 100)]).toEqual([true, true, false])
})

test('what is not whole is not kept, and what a killed process left of it goes', async () => {
  const shelf = await openAuditShelf(folder)
  const dropped = await shelf.begin(part(1))
  await dropped.add(MESSAGES[0]!)
  await dropped.drop()
  const killed = await shelf.begin(part(2))
  await killed.add(MESSAGES[0]!)
  expect([has(shelf, 1), has(shelf, 2)]).toEqual([false, false])
  expect(await readdir(folder)).toHaveLength(1)
  expect((await openAuditShelf(folder)).hasLot(part(2))).toBe(false)
  expect(await readdir(folder)).toEqual([])
  await killed.drop()
})

test('beyond its room nothing is kept, until audits have ended', async () => {
  const shelf = await openAuditShelf(folder, 200)
  await put(shelf, 1)
  await put(shelf, 2)
  expect([has(shelf, 1), has(shelf, 2)]).toEqual([true, false])
  await shelf.keepOnly([part(9)])
  expect(has(shelf, 1)).toBe(true)
  await shelf.keepOnly([part(9, 14)])
  await put(shelf, 2)
  expect(has(shelf, 2)).toBe(true)
  expect(await readdir(folder)).toHaveLength(1)
})

test('a disk that refuses takes nothing from an audit', async () => {
  const shelf = await openAuditShelf(folder)
  await rm(folder, { recursive: true })
  await put(shelf, 1)
  expect(has(shelf, 1)).toBe(false)
})
