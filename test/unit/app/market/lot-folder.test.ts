import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type LotFolder, openLotFolder } from '../../../../src/app/market/lot-folder.ts'
import { NO_ROWS_DIGEST, nextRowDigest } from '../../../../src/app/market/row-digest.ts'
import { hash } from '../../../../src/base/brand.ts'
import { createMarketEntry } from '../../../market-entry.ts'

const [ONE, TWO] = [hash('01'.repeat(32)), hash('02'.repeat(32))]

let path: string
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'dllm-lots-'))
})
afterEach(() => rm(path, { recursive: true, force: true }))

async function fill(folder: LotFolder, bytes: number): Promise<void> {
  const journal = await folder.open(ONE)
  try {
    await journal.append(createMarketEntry(ONE, bytes))
  } finally {
    await journal.close()
  }
}

test('a folder knows its leases, also when it is opened again, and forgets those that are settled', async () => {
  const folder = await openLotFolder(path, 1e6)
  await fill(folder, 1_000)
  await (await folder.open(TWO)).close()
  expect((await (await openLotFolder(path, 1e6)).leases()).sort()).toEqual([ONE, TWO])
  await folder.forget(ONE)
  expect(await folder.leases()).toEqual([TWO])
})

test('beyond its quota it takes neither new leases nor more of old ones, until one is settled', async () => {
  for (const folder of [await openLotFolder(path, 5_000), await openLotFolder(path, 5_000)]) {
    await fill(folder, 6_000).catch(() => undefined)
    await expect(folder.open(TWO)).rejects.toMatchObject({ code: 'LEASE_NO_ROOM' })
    await expect(fill(folder, 10)).rejects.toMatchObject({ code: 'LEASE_NO_ROOM' })
  }
  const folder = await openLotFolder(path, 5_000)
  await folder.forget(ONE)
  await (await folder.open(TWO)).close()
})

test.each([0, 40, 128 * 1024, 128 * 1024 + 1, 3_000_000])(
  'a step of %i bytes has one digest, whoever hashes it',
  async (length) => {
    const bytes = new Uint8Array(length).fill(5)
    const expected = createHash('sha256').update(NO_ROWS_DIGEST).update(bytes).digest()
    expect(Buffer.from(await nextRowDigest(NO_ROWS_DIGEST, bytes)).equals(expected)).toBe(true)
  },
)
