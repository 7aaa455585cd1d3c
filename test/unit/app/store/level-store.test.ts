import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { crc32c, readLevelLog } from '../../../../src/app/store/level-log.ts'
import { repairStore } from '../../../../src/app/store/level-repair.ts'
import { openLevelStore } from '../../../../src/app/store/level-store.ts'
import { asStoreError } from '../../../../src/app/store/store-error.ts'

const CHILD = fileURLToPath(new URL('./store-child.ts', import.meta.url))

let root = ''
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'dllm-level-'))
})
afterAll(() => rm(root, { recursive: true }))

/** Lets a process write to a store; `seen` is called with each number that it has written, and may end it. */
async function writeUntilKilled(
  path: string,
  seen: (number: number, kill: () => void) => Promise<void>,
): Promise<void> {
  const child = spawn(process.execPath, ['--experimental-strip-types', '--no-warnings', CHILD, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      await seen(Number(line), () => child.kill('SIGKILL'))
    }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

describe('a store that another process holds', () => {
  test('is refused with what to stop, for opening and for repair, and opens when that process was killed', async () => {
    const path = join(root, 'held')
    let isRefused = false
    await writeUntilKilled(path, async (_number, kill) => {
      if (isRefused) return
      isRefused = true
      for (const use of [openLevelStore, repairStore]) {
        await expect(use(path)).rejects.toMatchObject({
          code: 'STORE_LOCKED',
          message: expect.stringMatching(/Stop it first .*`dllm node`.*`dllm devnet down`/),
        })
      }
      kill()
    })
    const store = await openLevelStore(path)
    await store.close()
  })

  test('is the first of two in one process, too', async () => {
    const path = join(root, 'twice')
    const store = await openLevelStore(path)
    await expect(openLevelStore(path)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await store.close()
  })
})

test('a store whose process is killed at any moment has all batches that it told of, and no gap', async () => {
  const path = join(root, 'killed')
  let next = 0
  for (const count of [1, 7, 40, 3, 120, 300]) {
    let told = -1
    await writeUntilKilled(path, async (number, kill) => {
      told = number
      if (number === count) kill()
    })
    const store = await openLevelStore(path)
    let expected = 0
    for await (const [key, value] of store.entries()) {
      expect(Buffer.from(key).readUInt32BE()).toBe(expected)
      expect(value[0]).toBe(expected++ & 0xff)
    }
    expect(expected).toBeGreaterThan(told)
    next = Math.max(next, expected)
    expect(expected).toBe(next)
    await store.close()
  }
})

describe('opening', () => {
  test('where a file stands in the way says so', async () => {
    const path = join(root, 'file')
    await writeFile(path, '')
    await expect(openLevelStore(path)).rejects.toMatchObject({ code: 'STORE_NOT_WRITABLE' })
  })

  test('after a first opening that died before it wrote CURRENT starts anew', async () => {
    const path = join(root, 'unborn')
    const store = await openLevelStore(path)
    await store.close()
    for (const name of ['CURRENT', '000003.log']) await rm(join(path, name))
    await (await openLevelStore(path)).close()
  })
})

describe('failures of the system', () => {
  test.each([
    [{ code: 'LEVEL_IO_ERROR', message: 'IO error: /x/000005.log: No space left on device' }, 'STORE_DISK_FULL'],
    [{ code: 'ENOSPC', message: 'ENOSPC: no space left on device, write' }, 'STORE_DISK_FULL'],
    [{ code: 'EDQUOT', message: 'EDQUOT: disk quota exceeded' }, 'STORE_DISK_FULL'],
    [{ code: 'LEVEL_IO_ERROR', message: 'IO error: /x/LOCK: Permission denied' }, 'STORE_NOT_WRITABLE'],
    [{ code: 'EROFS', message: 'EROFS: read-only file system' }, 'STORE_NOT_WRITABLE'],
    [{ code: 'LEVEL_IO_ERROR', message: 'IO error: /x/000007.ldb: No such file or directory' }, 'STORE_CORRUPT'],
    [{ code: 'LEVEL_CORRUPTION', message: 'Corruption: bad block' }, 'STORE_CORRUPT'],
    [{ code: 'LEVEL_IO_ERROR', message: 'IO error: /x/000007.ldb: Input/output error' }, 'STORE_FAILED'],
    [{ code: 'EIO', message: 'EIO: i/o error, fdatasync' }, 'STORE_FAILED'],
    [{ code: 'LEVEL_DATABASE_NOT_OPEN', message: 'Database is not open' }, 'STORE_CLOSED'],
  ])('%j become %s, with a sentence and the cause', (failure, code) => {
    const cause = Object.assign(new Error(failure.message), { code: failure.code })
    for (const thrown of [
      cause,
      Object.assign(new Error('not open', { cause }), { code: 'LEVEL_DATABASE_NOT_OPEN' }),
    ]) {
      const error = asStoreError(thrown, '/x')
      expect(error).toMatchObject({ code, cause, message: expect.stringMatching(/\/x.*\./) })
    }
  })
})

describe('the reader of logs', () => {
  test.each([
    ['', 0],
    ['123456789', 0xe3069283],
    ['\0'.repeat(32), 0x8a9136aa],
    ['\xff'.repeat(32), 0x62a8ab43],
  ])('computes CRC-32C of %j as RFC 3720 does', (text, expected) => {
    expect(crc32c(Buffer.from(text, 'latin1'))).toBe(expected)
  })

  test.each([
    ['nothing', 0, 'whole'],
    ['zeros', 100, 'torn'],
    ['many zeros', 100_000, 'torn'],
  ])('takes %s for no records', (_what, length, end) => {
    expect(readLevelLog(new Uint8Array(length))).toEqual({ records: [], end, intactBytes: 0 })
  })
})
