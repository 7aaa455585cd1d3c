import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHome, removeTemporaries, writeFileAtomic } from '../../../src/app/home.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'dllm-home-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const permissions = (path: string): number => statSync(path).mode & 0o777
const isRoot = process.getuid?.() === 0

describe('openHome', () => {
  test('creates the folder and its parents for the owner alone', async () => {
    const home = await openHome({ path: join(root, 'new/deep/home') })
    expect(permissions(home.path)).toBe(0o700)
    expect(permissions(join(root, 'new'))).toBe(0o700)
    expect(readFileSync(home.file('version'), 'utf8')).toBe('1\n')
    expect(permissions(await home.folder('models', 'x'))).toBe(0o700)
  })

  test('opens an existing home and an empty folder', async () => {
    const path = join(root, 'empty')
    mkdirSync(path)
    const first = await openHome({ path })
    const second = await openHome({ path })
    expect(second.path).toBe(first.path)
  })

  test('can be opened for the first time by many at once', async () => {
    const path = join(root, 'crowd')
    await Promise.all(Array.from({ length: 20 }, () => openHome({ path })))
    expect(readdirSync(path)).toEqual(['version'])
  })

  test('refuses a folder of another version and leaves it alone', async () => {
    const path = join(root, 'future')
    mkdirSync(path)
    writeFileSync(join(path, 'version'), '2\n')
    await expect(openHome({ path })).rejects.toMatchObject({ code: 'HOME_OTHER_VERSION', details: { found: '2' } })
    expect(readdirSync(path)).toEqual(['version'])
  })

  test('takes over a folder in which somebody has put the file of a network', async () => {
    const path = join(root, 'prepared')
    mkdirSync(join(path, 'networks'), { recursive: true })
    await openHome({ path })
    expect(readdirSync(path).sort()).toEqual(['networks', 'version'])
  })

  test('refuses a folder with the files of others and writes nothing into it', async () => {
    const path = join(root, 'photos')
    mkdirSync(path)
    writeFileSync(join(path, 'holiday.jpg'), '')
    await expect(openHome({ path })).rejects.toMatchObject({ code: 'HOME_NOT_OURS' })
    expect(readdirSync(path)).toEqual(['holiday.jpg'])
  })

  test('refuses a file, and a path through a file', async () => {
    const path = join(root, 'file')
    writeFileSync(path, '')
    await expect(openHome({ path })).rejects.toMatchObject({ code: 'HOME_NOT_A_FOLDER' })
    await expect(openHome({ path: join(path, 'below') })).rejects.toMatchObject({ code: 'HOME_NOT_A_FOLDER' })
  })

  test.skipIf(process.platform !== 'linux')('refuses a place where nobody can create folders, and ends', async () => {
    await expect(openHome({ path: '/proc/dllm/home' })).rejects.toMatchObject({ code: 'HOME_NOT_WRITABLE' })
  })

  test.skipIf(isRoot)('refuses a folder without the right to write', async () => {
    const path = join(root, 'readonly')
    mkdirSync(path)
    chmodSync(path, 0o500)
    await expect(openHome({ path })).rejects.toMatchObject({ code: 'HOME_NOT_WRITABLE' })
  })
})

describe('writeFileAtomic', () => {
  test('replaces a file and leaves no temporary one', async () => {
    const path = join(root, 'atomic/file')
    await writeFileAtomic(path, 'old')
    await writeFileAtomic(path, new Uint8Array([1, 2, 3]))
    expect([...readFileSync(path)]).toEqual([1, 2, 3])
    expect(permissions(path)).toBe(0o600)
    expect(readdirSync(join(root, 'atomic'))).toEqual(['file'])
  })

  test('takes other permissions when told so', async () => {
    const path = join(root, 'atomic/public')
    await writeFileAtomic(path, '', { mode: 0o644 })
    expect(permissions(path)).toBe(0o644)
  })

  test('is not in the way of what a killed process with the same pid left', async () => {
    const folder = join(root, 'left')
    await writeFileAtomic(join(folder, 'name'), '0')
    const names = Array.from({ length: 200 }, (_, number) => `.tmp-${process.pid}-${threadId}-${number}`)
    for (const name of names) writeFileSync(join(folder, name), 'left')
    await writeFileAtomic(join(folder, 'name'), '1')
    expect(readFileSync(join(folder, 'name'), 'utf8')).toBe('1')
    await removeTemporaries(folder)
    expect(readdirSync(folder)).toEqual(['name'])
  })

  test('removes what killed processes left, and nothing else', async () => {
    const folder = join(root, 'leftovers')
    mkdirSync(folder)
    const { pid: gone } = spawnSync(process.execPath, ['--version'])
    const old = Math.floor(statSync(folder).mtimeMs / 1_000) - 3_600
    const files: Record<string, 'old' | 'new'> = {
      [`.tmp-${gone}-0-7`]: 'old',
      // Another machine may be writing it.
      [`.tmp-${gone}-0-8`]: 'new',
      // A process that runs.
      [`.tmp-${process.ppid}-0-7`]: 'old',
      // Of an earlier life with our pid, and one that may be ours.
      [`.tmp-${process.pid}-${threadId}-999999`]: 'old',
      [`.tmp-${process.pid}-${threadId}-0`]: 'old',
      // Not ours.
      '.tmp-mine': 'old',
      [`.tmp-${gone}-0-7.json`]: 'old',
      [`x.tmp-${gone}-0-7`]: 'old',
    }
    for (const [name, age] of Object.entries(files)) {
      writeFileSync(join(folder, name), '')
      if (age === 'old') utimesSync(join(folder, name), old, old)
    }
    await writeFileAtomic(join(folder, 'name'), '')
    const removed = Object.keys(files).filter((name) => !existsSync(join(folder, name)))
    expect(removed).toEqual([`.tmp-${gone}-0-7`, `.tmp-${process.pid}-${threadId}-999999`])
  })

  test('keeps the old file and cleans up when the new one cannot take its place', async () => {
    const folder = join(root, 'blocked')
    mkdirSync(join(folder, 'name'), { recursive: true })
    await expect(writeFileAtomic(join(folder, 'name'), 'x')).rejects.toThrow()
    expect(readdirSync(folder)).toEqual(['name'])
    expect(existsSync(join(folder, 'name'))).toBe(true)
  })
})
