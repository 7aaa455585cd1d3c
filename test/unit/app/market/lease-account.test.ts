/** A lease at one of its miners: what is claimed of it is what stands in its journal, whatever the disk did. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLeaseAccount } from '../../../../src/app/market/lease-account.ts'
import { type LotJournal, openLotJournal } from '../../../../src/app/market/lot-journal.ts'
import { openDisk } from '../../../../src/app/store/disk.ts'
import { StoreError } from '../../../../src/app/store/store-error.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { accountId, hash, milliseconds } from '../../../../src/base/brand.ts'
import { type Counters, ZERO_COUNTERS } from '../../../../src/core/market/counters.ts'
import { addRows } from '../../../../src/core/market/payment-window.ts'
import { receiptHash } from '../../../../src/core/market/receipt.ts'
import { receiptsRoot } from '../../../../src/core/market/receipt-tree.ts'

const ID = hash('ab'.repeat(32))
const LOT = {
  ...{ operator: accountId('01'.repeat(20)), peerKey: new Uint8Array(32), firstSegment: 0, lastSegment: 3 },
  ...{ work: { linear: 1_000_000n, attention: 0n }, rate: 1n },
}
const LEASE = {
  payer: accountId('ee'.repeat(20)),
  ...{ id: ID, networkId: ID, model: ID, lots: [LOT], cap: 10n ** 12n, voucherKey: new Uint8Array(32) },
  terms: { price: 1n, decodeWeight: 4n, treasuryShare: 0n, stakerShare: 0n, receiptRows: 256n },
  openUntilMs: milliseconds(Number.MAX_SAFE_INTEGER),
}

let root: string
let journal: LotJournal
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dllm-account-'))
  journal = await openLotJournal(await openDisk(root))
})
afterEach(async () => {
  await journal.close()
  await rm(root, { recursive: true, force: true })
})

function paidAccount() {
  const { random } = createSystem({ level: 'silent' })
  const state = { isFull: false }
  const append: LotJournal['append'] = async (entry) => {
    if (state.isFull) throw new StoreError('STORE_DISK_FULL', 'The disk is full.')
    return journal.append(entry)
  }
  const watched = {
    ...{ append, entries: journal.entries },
    get newest() {
      return journal.newest
    },
  } as LotJournal
  const signer = (): Uint8Array => new Uint8Array(64)
  const account = createLeaseAccount({ lease: LEASE, lot: 0, journal: watched, signer, random })
  let counters: Counters = ZERO_COUNTERS
  let seq = 0n
  /** Ten rows of a prompt, and the voucher for them. */
  const work = async (): Promise<void> => {
    const rows = { kind: 'prompt' as const, position: Number(seq) * 10, rows: 10 }
    account.begin(rows, () => new Uint8Array(40), false).output = () => new Uint8Array(4)
    account.meter.done()
    counters = addRows(counters, rows)
    await account.settle({ lease: ID, seq: ++seq, counters, transcript: ID, signature: new Uint8Array(64) })
  }
  const rootOnDisk = async (): Promise<string> =>
    receiptsRoot((await journal.receipts()).map(({ receipt }) => receiptHash(receipt)))
  return { account, state, work, rootOnDisk }
}

test('each claim is of all receipts that there are by then', async () => {
  const { account, work, rootOnDisk } = paidAccount()
  await work()
  expect(await account.claim(false)).toBeUndefined()
  expect(await account.claim(true)).toMatchObject({ rows: 10n, root: await rootOnDisk() })
  for (let times = 0; times < 30; times++) await work()
  expect(await account.claim(false)).toMatchObject({ rows: 260n, root: await rootOnDisk() })
  expect(await account.claim(true)).toMatchObject({ rows: 310n, root: await rootOnDisk() })
})

test('a receipt that the disk did not take is in no claim, and is closed by the next one', async () => {
  const { account, state, work, rootOnDisk } = paidAccount()
  await work()
  state.isFull = true
  await expect(account.claim(true)).rejects.toMatchObject({ code: 'STORE_DISK_FULL' })
  expect(await account.claim(false)).toBeUndefined()
  state.isFull = false
  expect(await account.claim(true)).toMatchObject({ rows: 10n, root: await rootOnDisk() })
})

test('rows on trial that turn out wrong are in no receipt, and those that were paid cannot', async () => {
  const { account, rootOnDisk } = paidAccount()
  const rows = [0, 1, 2, 3].map((position) => ({ kind: 'decode' as const, position, rows: 1 }))
  const after = rows.map((row, index) => {
    account.begin(row, () => Uint8Array.of(index), index > 0)
    account.meter.done()
    return account.meter.begun
  })
  const voucher = { lease: ID, seq: 1n, counters: after[1]!, transcript: ID, signature: new Uint8Array(64) }
  expect(account.forget(3, voucher.counters)).toBe(false)
  expect(account.forget(1, voucher.counters)).toBe(true)
  await account.settle(voucher)
  expect(account.meter.begun).toEqual(after[2])
  expect(account.forget(2, voucher.counters)).toBe(false)
  expect(account.forget(1, voucher.counters)).toBe(true)
  expect(account.meter.begun).toEqual(after[1])
  const { root } = (await account.claim(true))!
  expect(root).toBe(await rootOnDisk())
  const steps = []
  for await (const entry of journal.entries()) steps.push(...entry.steps)
  expect(steps).toEqual([Uint8Array.of(0), Uint8Array.of(1)])
})
