/** Whom a miner's desk turns away before it looks at any lease. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLeaseDesk, type LeaseDesk } from '../../../../src/app/market/lease-desk.ts'
import type { OpenLease } from '../../../../src/app/market/lease-source.ts'
import { openLotFolder } from '../../../../src/app/market/lot-folder.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { accountId, hash, milliseconds } from '../../../../src/base/brand.ts'
import { keyPairFromSecret } from '../../../../src/core/ed25519.ts'
import { createMarketEntry } from '../../../market-entry.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'dllm-desk-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

test('sessions without a lease are refused as soon as work costs something, also where it cost nothing before', async () => {
  const state = { price: 0n }
  const options = {
    ...{ source: { find: async () => ({ ok: false, why: 'unknown' }) as const }, lots: await openLotFolder(root, 1e6) },
    peerSecret: new Uint8Array(32).fill(3),
    isRequired: () => state.price > 0n,
  }
  const desk = createLeaseDesk(options, createSystem({ level: 'silent' }))
  const open = { type: 'open', lease: undefined } as unknown as Parameters<LeaseDesk['open']>[0]
  const holder = { fail: async () => undefined, toPrevious: () => undefined }
  expect(await desk.open(open, holder)).toBeUndefined()
  state.price = 1n
  await expect(desk.open(open, holder)).rejects.toMatchObject({ code: 'LEASE_REQUIRED' })
})

test('of many leases some journals are closed, and each is there again when it is asked for', async () => {
  const lots = await openLotFolder(root, 1e9)
  const peerSecret = new Uint8Array(32).fill(3)
  const { publicKey } = keyPairFromSecret(peerSecret)
  const leaseOf = (number: number): OpenLease => {
    const id = hash(number.toString(16).padStart(64, '0'))
    const lot = {
      ...{ operator: accountId('01'.repeat(20)), peerKey: publicKey, firstSegment: 0, lastSegment: 3 },
      ...{ work: { linear: 1n, attention: 1n }, rate: 1n },
    }
    const terms = { price: 1n, decodeWeight: 4n, treasuryShare: 0n, stakerShare: 0n, receiptRows: 256n }
    const payer = accountId('ee'.repeat(20))
    const base = {
      id,
      networkId: id,
      model: id,
      payer,
      terms,
      lots: [lot],
      cap: 10n ** 12n,
      voucherKey: new Uint8Array(32),
    }
    return { ...base, openUntilMs: milliseconds(Number.MAX_SAFE_INTEGER) }
  }
  const leases = Array.from({ length: 300 }, (_, number) => leaseOf(number))
  for (const { id } of leases) {
    const journal = await lots.open(id)
    await journal.append(createMarketEntry(id, 10))
    await journal.close()
  }
  const options = { source: { find: async () => ({ ok: false, why: 'unknown' }) as const }, lots, peerSecret }
  const desk = createLeaseDesk({ ...options, isRequired: () => true }, createSystem({ level: 'silent' }))
  for (const lease of leases.slice(0, 256)) await desk.paid(lease)
  // A claim writes to the journal that has to give way to the next one.
  for (let number = 256; number < 300; number++) {
    const [claim] = await Promise.all([desk.claim(leases[number - 256]!), desk.paid(leases[number]!)])
    expect(claim?.rows).toBe(64n)
  }
  for (const lease of leases) expect((await desk.claim(lease))?.rows).toBe(64n)
  await desk.close()
})
