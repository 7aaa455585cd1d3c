import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Journal, openJournal } from '../../../../src/app/store/journal.ts'
import { encodeHeader, encodeRecord, startOf } from '../../../../src/app/store/journal-format.ts'
import { STORE_LIMITS } from '../../../../src/base/chain-limits.ts'
import { createSimDisk, type SimDisk } from '../../../sim/disk.ts'
import { FAULT_KINDS, SimulatedCrash } from '../../../sim/faults.ts'

const NAME = 'journal'
const SYNCED = { sync: true } as const
const NOT_SYNCED = { sync: false } as const

/** Varied records: empty, tiny, all zeros, all ones, longer than a sector. */
const PAYLOADS: readonly Uint8Array[] = [
  Uint8Array.of(1, 2, 3),
  new Uint8Array(),
  new Uint8Array(40),
  new Uint8Array(7).fill(0xff),
  new Uint8Array(700).map((_, index) => index),
  Uint8Array.of(0),
  new Uint8Array(33).fill(5),
]

async function diskWith(payloads: readonly Uint8Array[], generations = 0): Promise<SimDisk> {
  const disk = createSimDisk(1)
  const journal = await openJournal(disk.open(), NAME)
  for (let generation = 0; generation < generations; generation++) await journal.reset()
  for (const payload of payloads) await journal.append(payload, SYNCED)
  return disk
}

function reopen(disk: SimDisk): Promise<Journal> {
  return openJournal(disk.open(), NAME)
}

/** Where each record of PAYLOADS ends. */
const ENDS = [20]
for (const payload of PAYLOADS) ENDS.push(ENDS.at(-1)! + 16 + payload.length)

describe('a journal', () => {
  test('is empty at first', async () => {
    expect(await reopen(createSimDisk(1))).toMatchObject({ records: [], droppedBytes: 0 })
  })

  test('gives back its records in order, and goes on behind them', async () => {
    const disk = await diskWith(PAYLOADS)
    const journal = await reopen(disk)
    expect(journal.records).toEqual(PAYLOADS)
    await journal.append(Uint8Array.of(9), SYNCED)
    expect((await reopen(disk)).records).toEqual([...PAYLOADS, Uint8Array.of(9)])
  })

  test('starts anew', async () => {
    const disk = await diskWith(PAYLOADS)
    const journal = await reopen(disk)
    await journal.reset()
    expect((await reopen(disk)).records).toEqual([])
    const again = await reopen(disk)
    await again.append(Uint8Array.of(8), SYNCED)
    expect((await reopen(disk)).records).toEqual([Uint8Array.of(8)])
  })

  test('writes in the order of the calls, also when nobody waits', async () => {
    const disk = createSimDisk(1)
    const journal = await reopen(disk)
    const work = Array.from({ length: 100 }, (_, index) => journal.append(Uint8Array.of(index), NOT_SYNCED))
    await Promise.all([...work, journal.reset(), journal.append(Uint8Array.of(100), SYNCED)])
    expect((await reopen(disk)).records).toEqual([Uint8Array.of(100)])
  })

  test('has bytes that do not change by accident', async () => {
    const disk = await diskWith([Uint8Array.of(1, 2, 3), new Uint8Array()])
    expect(Buffer.from(disk.peek(NAME)!).toString('hex')).toBe(
      '646c6c6d77616c0000000000000000000b07a4e303000000299e13c76a77c1d01cdf4421010203000000000b07a4e35c64a17fab9ee34c',
    )
  })

  test('refuses a record over its bound as a bug', async () => {
    const journal = await reopen(createSimDisk(1))
    const payload = new Uint8Array(STORE_LIMITS.journalRecordBytesMax + 1)
    await expect(journal.append(payload, SYNCED)).rejects.toThrow('a record fits the journal')
  })

  test('refuses to grow without end, and takes records again after a reset', async () => {
    const journal = await reopen(createSimDisk(1))
    const payload = new Uint8Array(STORE_LIMITS.journalRecordBytesMax)
    const count = Math.floor(STORE_LIMITS.diskFileBytesMax / payload.length) - 1
    for (let index = 0; index < count; index++) await journal.append(payload, NOT_SYNCED)
    await expect(journal.append(payload, SYNCED)).rejects.toMatchObject({ code: 'JOURNAL_FULL' })
    await journal.append(Uint8Array.of(1), SYNCED)
    await journal.reset()
    await journal.append(payload, SYNCED)
  })

  test('takes nothing after an append that failed, until it is opened again', async () => {
    const disk = await diskWith(PAYLOADS)
    const journal = await reopen(disk)
    disk.plan(1, 'fail')
    await expect(journal.append(new Uint8Array(50), SYNCED)).rejects.toMatchObject({ code: 'STORE_DISK_FULL' })
    await expect(journal.append(Uint8Array.of(9), SYNCED)).rejects.toMatchObject({ code: 'STORE_DISK_FULL' })
    const again = await reopen(disk)
    await again.append(Uint8Array.of(9), SYNCED)
    const { records } = await reopen(disk)
    // The failed record may be there: nobody was told that it is not.
    expect([PAYLOADS.length + 1, PAYLOADS.length + 2]).toContain(records.length)
    expect(records.at(-1)).toEqual(Uint8Array.of(9))
  })
})

describe('a journal that was cut', () => {
  test('at any byte has exactly the whole records before it, and can go on', async () => {
    const bytes = (await diskWith(PAYLOADS)).peek(NAME)!
    expect(bytes.length).toBe(ENDS.at(-1))
    for (let length = 20; length <= bytes.length; length++) {
      const disk = createSimDisk(1)
      disk.poke(NAME, bytes.subarray(0, length))
      const journal = await reopen(disk)
      const whole = ENDS.filter((end) => end <= length).length - 1
      expect(journal.records).toEqual(PAYLOADS.slice(0, whole))
      expect(journal.droppedBytes).toBe(length - ENDS[whole]!)
      await journal.append(Uint8Array.of(9), SYNCED)
      const again = await reopen(disk)
      expect(again.records).toEqual([...PAYLOADS.slice(0, whole), Uint8Array.of(9)])
      expect(again.droppedBytes).toBe(0)
    }
  })

  test('within its header is refused: no crash does that', async () => {
    const bytes = (await diskWith(PAYLOADS)).peek(NAME)!
    for (let length = 0; length < 20; length++) {
      const disk = createSimDisk(1)
      disk.poke(NAME, bytes.subarray(0, length))
      await expect(reopen(disk)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
    }
  })
})

describe('a journal with a damaged byte', () => {
  test('is refused, except in its last record, which is cut off', async () => {
    const bytes = (await diskWith(PAYLOADS)).peek(NAME)!
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const disk = createSimDisk(1)
        const damaged = bytes.slice()
        damaged[at]! ^= mask
        disk.poke(NAME, damaged)
        const outcome = await reopen(disk).catch((error: unknown) => error)
        if (at < ENDS.at(-2)!) expect(outcome).toMatchObject({ code: 'JOURNAL_DAMAGED' })
        else
          expect(outcome).toMatchObject({ records: PAYLOADS.slice(0, -1), droppedBytes: bytes.length - ENDS.at(-2)! })
      }
    }
  })

  test('says where and what to do, and leaves the file alone', async () => {
    const disk = await diskWith(PAYLOADS)
    const damaged = disk.peek(NAME)!
    damaged[ENDS[1]! + 3]! ^= 1
    disk.poke(NAME, damaged)
    await expect(reopen(disk)).rejects.toMatchObject({
      message: expect.stringMatching(new RegExp(`at byte ${ENDS[1]}.*--repair`)),
    })
    expect(disk.peek(NAME)).toEqual(damaged)
  })
})

describe('records that are left over', () => {
  test('from another generation are not taken for current ones', async () => {
    const old = (await diskWith(PAYLOADS)).peek(NAME)!
    const disk = await diskWith([], 1)
    disk.poke(NAME, Uint8Array.from([...disk.peek(NAME)!, ...old.subarray(20)]))
    expect(await reopen(disk)).toMatchObject({ records: [], droppedBytes: old.length - 20 })
  })

  test('from before a cut are refused, though each is intact', () => {
    const start = startOf(encodeHeader(0n))
    const first = encodeRecord(start, Uint8Array.of(1))
    const stale = encodeRecord(first.end, Uint8Array.of(2))
    const current = encodeRecord(start, Uint8Array.of(3))
    const disk = createSimDisk(1)
    const bytes = [
      ...encodeHeader(0n),
      ...current.bytes,
      ...stale.bytes,
      ...encodeRecord(stale.end, Uint8Array.of(4)).bytes,
    ]
    disk.poke(NAME, Uint8Array.from(bytes))
    return expect(reopen(disk)).rejects.toMatchObject({ code: 'JOURNAL_DAMAGED' })
  })
})

interface Written {
  readonly payload: Uint8Array
  readonly isSynced: boolean
}

const written: fc.Arbitrary<Written> = fc.record({
  payload: fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ minLength: 400, maxLength: 1_500 })),
  isSynced: fc.boolean(),
})

describe('over any records and any crash', () => {
  test('all that was synced comes back, and nothing that was not written, in order', async () => {
    const property = fc.asyncProperty(
      fc.nat(),
      fc.array(written, { minLength: 1, maxLength: 12 }),
      fc.nat(12),
      fc.constantFrom(...FAULT_KINDS),
      async (seed, writes, faultAt, kind) => {
        const disk = createSimDisk(seed)
        const journal = await reopen(disk)
        disk.plan(faultAt + 1, kind)
        let synced = 0
        for (const [index, { payload, isSynced }] of writes.entries()) {
          const failure = await journal.append(payload, { sync: isSynced }).catch((error: unknown) => error)
          if (failure === undefined && isSynced) synced = index + 1
          if (failure instanceof SimulatedCrash) break
        }
        disk.crash('power')
        // The planned fault may come only now, when the end is cut off.
        const { records } = await reopen(disk).catch(() => reopen(disk))
        expect(records.length).toBeGreaterThanOrEqual(synced)
        expect(records).toEqual(writes.slice(0, records.length).map(({ payload }) => payload))
      },
    )
    await fc.assert(property, { numRuns: 500 })
  })

  test.each(FAULT_KINDS)('a %s within a reset leaves all old records or none', async (kind) => {
    for (let seed = 0; seed < 8; seed++) {
      const disk = createSimDisk(seed)
      const journal = await reopen(disk)
      for (const payload of PAYLOADS) await journal.append(payload, SYNCED)
      disk.plan(1, kind)
      await journal.reset().catch(() => undefined)
      disk.crash('power')
      expect([0, PAYLOADS.length]).toContain((await reopen(disk)).records.length)
    }
  })

  test('any bytes at all are read or refused', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }).map((tail) => Uint8Array.from([...encodeHeader(3n), ...tail])),
    )
    await fc.assert(
      fc.asyncProperty(bytes, async (content) => {
        const disk = createSimDisk(1)
        disk.poke(NAME, content)
        const outcome = await reopen(disk).catch((error: unknown) => error)
        expect(outcome).toMatchObject(content.length < 20 || content[0] !== 0x64 ? { code: 'JOURNAL_DAMAGED' } : {})
      }),
    )
  })
})
