import { appendFile, mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLotFolder } from '../../../../src/app/market/lot-folder.ts'
import { lotEntries } from '../../../../src/app/market/lot-reader.ts'
import { hash } from '../../../../src/base/brand.ts'
import { createMarketEntry } from '../../../market-entry.ts'

const LEASE = hash('01'.repeat(32))

let path: string
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'dllm-lots-'))
})
afterEach(() => rm(path, { recursive: true, force: true }))

async function seqs(first?: number): Promise<bigint[]> {
  const found: bigint[] = []
  for await (const { voucher } of lotEntries(join(path, LEASE), first)) found.push(voucher.seq)
  return found
}

test('a journal is read while it is open and written, over all of its files', async () => {
  const folder = await openLotFolder(path, 1e9)
  const journal = await folder.open(LEASE)
  for (let seq = 1n; seq <= 5n; seq++) await journal.append(createMarketEntry(LEASE, 6_000_000, seq))
  expect(await seqs()).toEqual([1n, 2n, 3n, 4n, 5n])
  expect(await seqs(1)).toEqual([3n, 4n, 5n])
  await journal.append(createMarketEntry(LEASE, 10, 6n))
  const entries = folder.read(LEASE)
  expect((await entries.next()).value?.voucher.seq).toBe(1n)
  await entries.return()
  expect((await seqs()).length).toBe(6)
  await journal.close()
})

test('it ends before what is not whole: a record that is being written, or one that is damaged', async () => {
  const folder = await openLotFolder(path, 1e9)
  const journal = await folder.open(LEASE)
  for (let seq = 1n; seq <= 3n; seq++) await journal.append(createMarketEntry(LEASE, 1_000, seq))
  await journal.close()
  const file = join(path, LEASE, 'rows.0')
  await appendFile(file, Uint8Array.of(9, 0, 0))
  expect(await seqs()).toEqual([1n, 2n, 3n])
  await appendFile(file, new Uint8Array(20).fill(255))
  expect(await seqs()).toEqual([1n, 2n, 3n])
  await truncate(file, 3_000)
  expect(await seqs()).toEqual([1n, 2n])
})

test('a lease that there is no journal of has no entries', async () => {
  expect(await seqs()).toEqual([])
})
