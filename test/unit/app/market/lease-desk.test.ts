/** Whom a miner's desk turns away before it looks at any lease. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createLeaseDesk, type LeaseDesk } from '../../../../src/app/market/lease-desk.ts'
import { openLotFolder } from '../../../../src/app/market/lot-folder.ts'
import { createSystem } from '../../../../src/app/system.ts'

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
    get isRequired() {
      return state.price > 0n
    },
  }
  const desk = createLeaseDesk(options, createSystem({ level: 'silent' }))
  const open = { type: 'open', lease: undefined } as unknown as Parameters<LeaseDesk['open']>[0]
  const holder = { fail: async () => undefined, toPrevious: () => undefined }
  expect(await desk.open(open, holder)).toBeUndefined()
  state.price = 1n
  await expect(desk.open(open, holder)).rejects.toMatchObject({ code: 'LEASE_REQUIRED' })
})
