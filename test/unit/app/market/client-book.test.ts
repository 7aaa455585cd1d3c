/** The leases of a data folder: found again after any end, one process at a time, and gone when they are over. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BOOK_LEASES_MAX, createLeaseBook, type LeaseBook } from '../../../../src/app/market/client-book.ts'
import type { KeptLease } from '../../../../src/app/market/client-lease-file.ts'
import { type Hash, hash, milliseconds } from '../../../../src/base/brand.ts'
import { ZERO_COUNTERS } from '../../../../src/core/market/counters.ts'
import { createFakeClock, type FakeClock } from '../../../fake-clock.ts'
import { keptLease } from '../../../kept-lease.ts'

const HOUR_MS = 3_600_000

let folder: string
let clock: FakeClock
let book: LeaseBook

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'dllm-book-')), 'leases')
  clock = createFakeClock()
  book = createLeaseBook(folder, { clock })
})
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }))

function lease(number: number, change: Partial<KeptLease> = {}): KeptLease {
  const id = hash(number.toString(16).padStart(64, '0'))
  return keptLease({ id, openUntilMs: milliseconds(clock.wallMs() + HOUR_MS), expiryHeight: 100 + number, ...change })
}

async function keep(kept: KeptLease): Promise<void> {
  const hold = await book.hold(kept.id)
  await hold!.keep(kept)
  await hold!.release()
}

const ids = async (): Promise<Hash[]> => (await book.list()).map(({ id }) => id)

test('there is nothing before the first lease, not even a folder', async () => {
  expect(await book.list()).toEqual([])
  expect(readdirSync(join(folder, '..'))).toEqual([])
})

test('what is kept is listed as it was, the newest first, in files that are private', async () => {
  const leases = [lease(1), lease(3), lease(2, { opened: undefined })]
  for (const one of leases) await keep(one)
  expect(await book.list()).toEqual([leases[1], leases[2], leases[0]])
  expect(statSync(join(folder, leases[0]!.id)).mode & 0o777).toBe(0o700)
  expect(statSync(join(folder, leases[0]!.id, 'lease')).mode & 0o777).toBe(0o600)
})

test('one holder at a time has a lease; when it gives it back, the next one has its vouchers', async () => {
  const kept = lease(1)
  await keep(kept)
  const first = await book.hold(kept.id)
  expect(await createLeaseBook(folder, { clock }).hold(kept.id)).toBeUndefined()
  const voucher = {
    ...{ lease: kept.id, seq: 1n, counters: { ...ZERO_COUNTERS, decodeRows: 3n } },
    ...{ transcript: hash('07'.repeat(32)), signature: new Uint8Array(64).fill(1) },
  }
  await first!.vouchers.keep(voucher)
  await first!.release()
  const second = await book.hold(kept.id)
  expect(await second!.vouchers.newest(kept.id)).toEqual(voucher)
  expect(second!.kept).toEqual(kept)
  await second!.release()
})

test('a lock of a process that is gone is taken over', async () => {
  const kept = lease(1)
  await keep(kept)
  writeFileSync(join(folder, kept.id, 'lock'), '999999')
  const hold = await book.hold(kept.id)
  expect(hold?.kept).toEqual(kept)
  await hold!.release()
})

describe('is forgotten', () => {
  test('what was said to be over, unless somebody has it', async () => {
    const [one, two] = [lease(1), lease(2)]
    await keep(one)
    await keep(two)
    const hold = await book.hold(two.id)
    await book.forget(one.id)
    await book.forget(two.id)
    expect(await ids()).toEqual([two.id])
    await hold!.forget()
    expect(readdirSync(folder)).toEqual([])
  })

  test('what is past its time by an hour, for blocks may be late', async () => {
    await keep(lease(1))
    clock.advance(2 * HOUR_MS - 1)
    expect(await ids()).toHaveLength(1)
    clock.advance(1)
    expect(await ids()).toEqual([])
    expect(readdirSync(folder)).toEqual([])
  })
})

test('a file that cannot be read hides no other, and its lease may be kept anew', async () => {
  const [bad, good] = [lease(1), lease(2)]
  await keep(good)
  mkdirSync(join(folder, bad.id))
  writeFileSync(join(folder, bad.id, 'lease'), 'garbage')
  mkdirSync(join(folder, 'something else'))
  expect(await ids()).toEqual([good.id])
  await keep(bad)
  expect(await ids()).toEqual([good.id, bad.id])
})

test('a writer that was killed leaves the lease as it was before or after', async () => {
  const kept = lease(1, { opened: undefined })
  await keep(kept)
  // As `writeFileAtomic` leaves it when it is killed before it renames.
  writeFileSync(join(folder, kept.id, '.tmp-999999-0-1'), 'half')
  expect(await book.list()).toEqual([kept])
  const opened = { ...lease(1), id: kept.id }
  await keep(opened)
  expect(await book.list()).toEqual([opened])
  expect(readdirSync(join(folder, kept.id))).toEqual(['lease'])
})

test('a hold in which nothing was kept leaves nothing, and one of a file that cannot be read leaves that', async () => {
  await (await book.hold(lease(1).id))!.release()
  expect(readdirSync(folder)).toEqual([])
  mkdirSync(join(folder, lease(2).id))
  writeFileSync(join(folder, lease(2).id, 'lease'), 'of a later version')
  await (await book.hold(lease(2).id))!.release()
  expect(readdirSync(join(folder, lease(2).id))).toEqual(['lease'])
})

test('there is an end to their number', async () => {
  for (let number = 1; number <= BOOK_LEASES_MAX; number++)
    mkdirSync(join(folder, lease(number).id), { recursive: true })
  const more = await book.hold(lease(999).id)
  await expect(more!.keep(lease(999))).rejects.toMatchObject({ code: 'LEASE_BOOK_FULL' })
  await more!.release()
  // What was refused takes no place.
  expect(readdirSync(folder)).toHaveLength(BOOK_LEASES_MAX)
})
