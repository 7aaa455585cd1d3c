import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openDisk } from '../../src/app/store/disk.ts'
import { createSimDisk } from '../sim/disk.ts'
import { describeDisk } from './disk-suite.ts'

const root = await mkdtemp(join(tmpdir(), 'dllm-disk-'))
afterAll(() => rm(root, { recursive: true }))

let counter = 0
describeDisk('real', {
  open: () => openDisk(join(root, `disk-${++counter}`)),
  reopen: () => openDisk(join(root, `disk-${counter}`)),
})

let simulated = createSimDisk(1)
describeDisk('simulated', {
  async open() {
    simulated = createSimDisk(1)
    return simulated.open()
  },
  reopen: async () => simulated.open(),
})

describe('real disk', () => {
  test('keeps its folder and files from other users', async () => {
    const folder = join(root, 'private')
    const disk = await openDisk(folder)
    await disk.append('a', new Uint8Array(1), { sync: true })
    await disk.replace('b', new Uint8Array(1))
    const modes = await Promise.all([folder, join(folder, 'a'), join(folder, 'b')].map((path) => stat(path)))
    expect(modes.map(({ mode }) => mode & 0o777)).toEqual([0o700, 0o600, 0o600])
    await disk.close()
  })

  test.skipIf(!existsSync('/dev/full'))(
    'says that the disk is full, and takes nothing more for that file',
    async () => {
      const disk = await openDisk('/dev')
      const full = { code: 'STORE_DISK_FULL', message: expect.stringContaining('Free some space') }
      await expect(disk.append('full', new Uint8Array(1), { sync: true })).rejects.toMatchObject(full)
      await expect(disk.append('full', new Uint8Array(), { sync: true })).rejects.toMatchObject(full)
      await disk.close()
    },
  )

  test.skipIf(process.platform === 'win32')('says who may not write where a file stands in the way', async () => {
    const disk = await openDisk(join(root, 'blocked'))
    await disk.replace('file', new Uint8Array(1))
    await expect(openDisk(join(root, 'blocked', 'file'))).rejects.toMatchObject({ code: 'STORE_NOT_WRITABLE' })
    await disk.close()
  })
})
