/** Locks of a data folder: one holder at a time, and none that is dead. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { isLocked, type Lock, tryLock } from '../../../../src/app/devnet/lock.ts'

const root = mkdtempSync(join(tmpdir(), 'dllm-lock-'))
let path = ''
let cases = 0

beforeEach(() => {
  path = join(root, `case-${cases++}`, 'lock')
})
afterAll(() => rmSync(root, { recursive: true }))

const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid

async function take(): Promise<Lock> {
  const lock = await tryLock(path)
  if (!('release' in lock)) throw new Error(`held by ${lock.holder}`)
  return lock
}

test('is held by one, and free when that one lets go', async () => {
  expect(await isLocked(path)).toBe(false)
  const lock = await take()
  expect(await isLocked(path)).toBe(true)
  expect(readFileSync(path, 'utf8')).toBe(String(process.pid))
  expect(await tryLock(path)).toEqual({ holder: process.pid })
  await lock.release()
  await (await take()).release()
  expect(readdirSync(join(path, '..'))).toEqual([])
})

test('of a process that died is none', async () => {
  await (await take()).release()
  writeFileSync(path, String(deadPid()))
  expect(await isLocked(path)).toBe(false)
})

test('goes to one of many', async () => {
  const locks = await Promise.all(Array.from({ length: 8 }, () => tryLock(path)))
  expect(locks.filter((lock) => 'release' in lock)).toHaveLength(1)
})

test.each([
  ['of a process that died', () => writeFileSync(path, String(deadPid()))],
  ['of an earlier process with our pid, as in a container', () => writeFileSync(path, String(process.pid))],
  [
    'of a process that died, which another was taking over when it died',
    () => {
      writeFileSync(path, String(deadPid()))
      writeFileSync(`${path}.takeover`, String(deadPid()))
    },
  ],
])('is taken over from what is left %s', async (_whose, leave) => {
  await (await take()).release()
  leave()
  const lock = await take()
  expect(readFileSync(path, 'utf8')).toBe(String(process.pid))
  await lock.release()
  expect(readdirSync(join(path, '..'))).toEqual([])
})
