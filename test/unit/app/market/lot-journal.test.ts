import { describe, expect, test } from 'vitest'
import type { LotEntry } from '../../../../src/app/market/lot-entry.ts'
import { openLotJournal } from '../../../../src/app/market/lot-journal.ts'
import { NO_ROWS_DIGEST } from '../../../../src/app/market/row-digest.ts'
import { createVoucherStore } from '../../../../src/app/market/voucher-store.ts'
import { hash } from '../../../../src/base/brand.ts'
import { ZERO_COUNTERS } from '../../../../src/core/market/counters.ts'
import { NO_RECEIPT } from '../../../../src/core/market/receipt.ts'
import type { SignedVoucher } from '../../../../src/core/market/voucher.ts'
import { createSimDisk } from '../../../sim/disk.ts'
import { FAULT_KINDS } from '../../../sim/faults.ts'

const LEASE = hash('ab'.repeat(32))

function voucher(seq: number): SignedVoucher {
  const counters = { ...ZERO_COUNTERS, decodeRows: BigInt(seq * 16) }
  return { lease: LEASE, seq: BigInt(seq), counters, transcript: hash('cd'.repeat(32)), signature: new Uint8Array(64) }
}

function entry(seq: number, stepBytes = 40): LotEntry {
  const receipt = {
    ...{ lease: LEASE, lot: 1, window: seq, before: ZERO_COUNTERS, after: voucher(seq).counters },
    ...{ inDigest: hash('01'.repeat(32)), outCommitment: hash('02'.repeat(32)), milliseconds: seq },
    ...{ previous: NO_RECEIPT, signature: new Uint8Array(64).fill(seq) },
  }
  return {
    voucher: voucher(seq),
    steps: Array.from({ length: 16 }, () => new Uint8Array(stepBytes).fill(seq)),
    receipts: seq % 2 === 0 ? [{ receipt, outDigest: hash('03'.repeat(32)), salt: hash('04'.repeat(32)) }] : [],
    open: {
      window: seq + 1,
      before: voucher(seq).counters,
      inDigest: NO_ROWS_DIGEST,
      outDigest: NO_ROWS_DIGEST,
      computeMs: 1.5,
      previous: NO_RECEIPT,
    },
  }
}

async function seqsIn(disk: ReturnType<ReturnType<typeof createSimDisk>['open']>): Promise<number[]> {
  const journal = await openLotJournal(disk)
  const seqs: number[] = []
  for await (const { voucher: kept } of journal.entries()) seqs.push(Number(kept.seq))
  return seqs
}

test('what was kept is there again, with its receipts and countersignatures', async () => {
  const sim = createSimDisk(1)
  const journal = await openLotJournal(sim.open())
  expect(journal.newest).toBeUndefined()
  for (let seq = 1; seq <= 6; seq++) await journal.append(entry(seq))
  await journal.countersign(2, new Uint8Array(64).fill(9))
  const again = await openLotJournal(sim.open())
  expect(again.newest).toEqual(entry(6))
  expect((await again.receipts()).map(({ receipt }) => receipt.window)).toEqual([2, 4, 6])
  expect(await again.countersignatures()).toEqual(new Map([[2, new Uint8Array(64).fill(9)]]))
})

test('a long journal goes on in another file', async () => {
  const sim = createSimDisk(1)
  const journal = await openLotJournal(sim.open())
  for (let seq = 1; seq <= 5; seq++) await journal.append(entry(seq, 500_000))
  expect(sim.peek('rows.2')).toBeDefined()
  expect(await seqsIn(sim.open())).toEqual([1, 2, 3, 4, 5])
  expect((await openLotJournal(sim.open())).newest?.voucher.seq).toBe(5n)
})

describe('a crash loses at most what was not reported as kept', () => {
  test('cut at any byte', async () => {
    const sim = createSimDisk(1)
    const journal = await openLotJournal(sim.open())
    for (const seq of [1, 2]) await journal.append(entry(seq))
    const first = sim.peek('rows.0')!.length
    await journal.append(entry(3))
    const whole = sim.peek('rows.0')!
    for (let length = first; length <= whole.length; length++) {
      sim.poke('rows.0', whole.slice(0, length))
      const again = await openLotJournal(sim.open())
      expect(again.newest?.voucher.seq).toBe(length === whole.length ? 3n : 2n)
      await again.append(entry(4))
      expect((await seqsIn(sim.open())).at(-1)).toBe(4)
    }
  })

  test.each(FAULT_KINDS)('%s at any operation', async (kind) => {
    for (let seed = 1; seed <= 2; seed++) {
      for (let operation = 1; operation <= 7; operation++) {
        const sim = createSimDisk(seed * 100 + operation)
        let kept = 0
        try {
          const journal = await openLotJournal(sim.open())
          sim.plan(operation, kind)
          for (let seq = 1; seq <= 8; seq++) {
            await journal.append(entry(seq, 900_000))
            kept = seq
          }
        } catch {
          // The life has ended, or the disk refused: what was kept before must be there.
        }
        const found = await seqsIn(sim.open())
        expect(found.length === kept || found.length === kept + 1).toBe(true)
        expect(found).toEqual(found.map((_, index) => index + 1))
      }
    }
  })
})

describe('the newest voucher of a lease', () => {
  test('is there after many, in a file that stays short', async () => {
    const sim = createSimDisk(2)
    const store = createVoucherStore(sim.open())
    for (let seq = 1; seq <= 1_000; seq++) await store.keep(voucher(seq))
    expect(sim.peek(LEASE)!.length).toBeLessThanOrEqual(64 * 1024)
    const again = createVoucherStore(sim.open())
    expect(await again.newest(LEASE)).toEqual(voucher(1_000))
    expect(await again.newest(hash('ef'.repeat(32)))).toBeUndefined()
  })

  test.each(FAULT_KINDS)('is never older than what was reported as kept, whatever happens: %s', async (kind) => {
    for (let seed = 1; seed <= 40; seed++) {
      const sim = createSimDisk(seed)
      sim.plan(1 + (seed % 9), kind)
      let kept = 0n
      try {
        const store = createVoucherStore(sim.open())
        for (let seq = 1; seq <= 10; seq++) {
          await store.keep(voucher(seq))
          kept = BigInt(seq)
        }
      } catch {
        // As above.
      }
      const store = createVoucherStore(sim.open())
      const found = (await store.newest(LEASE))?.seq ?? 0n
      expect(found === kept || found === kept + 1n).toBe(true)
      await store.keep(voucher(20))
      expect((await createVoucherStore(sim.open()).newest(LEASE))?.seq).toBe(20n)
    }
  })
})
