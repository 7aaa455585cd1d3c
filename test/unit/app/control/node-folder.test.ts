/**
 * Finding a node by its folder: none, one that died, one of somebody else, damaged files.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectToNode } from '../../../../src/app/control/connect.ts'
import { isAuthorized, readCookie, removeCookie, writeCookie } from '../../../../src/app/control/control-cookie.ts'
import { type NodeFile, readNodeFile, removeNodeFile, writeNodeFile } from '../../../../src/app/control/node-file.ts'
import { exitCodeOf } from '../../../../src/app/exit-codes.ts'
import { milliseconds } from '../../../../src/base/brand.ts'

const random = { bytes: (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index) }
const file: NodeFile = { pid: process.pid, port: 4_001, network: 'lab', startedMs: milliseconds(5) }
let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dllm-node-folder-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('a folder without a node says how to start one', async () => {
  const message = expect.stringContaining('`dllm node`')
  await expect(connectToNode(folder)).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING', message })
  await expect(connectToNode(join(folder, 'missing'))).rejects.toMatchObject({ code: 'NODE_NOT_RUNNING' })
})

test('a node that died is told from one that runs', async () => {
  const { pid } = spawnSync(process.execPath, ['--version'])
  await writeNodeFile(folder, { ...file, pid })
  await writeCookie(folder, random)
  await expect(connectToNode(folder)).rejects.toMatchObject({ code: 'NODE_STALE', details: { pid } })
})

test('a node that runs is found without asking it', async () => {
  await writeNodeFile(folder, file)
  await writeCookie(folder, random)
  expect((await connectToNode(folder)).node).toEqual(file)
})

test.each([
  ['is missing', undefined],
  ['is empty', ''],
  ['is too short', '00ff'],
  ['is something else', 'g'.repeat(64)],
])('a cookie that %s cannot be used, and is not repeated', async (_case, text) => {
  await writeNodeFile(folder, file)
  if (text !== undefined) await writeFile(join(folder, 'control.cookie'), text)
  const failure = await connectToNode(folder).catch((error: unknown) => error as Error)
  expect(failure).toMatchObject({ code: 'NODE_COOKIE_UNREADABLE' })
  if (text) expect(`${(failure as Error).message}${JSON.stringify(failure)}`).not.toContain(text)
})

test.each([
  ['no JSON', '{'],
  ['a list', '[]'],
  ['another version', '{"version":2,"pid":7,"port":1,"network":"lab","startedMs":1}'],
  ['no port', '{"version":1,"pid":7,"network":"lab","startedMs":1}'],
  ['a port that is none', '{"version":1,"pid":7,"port":65536,"network":"lab","startedMs":1}'],
  ['a pid that names a group', '{"version":1,"pid":-7,"port":1,"network":"lab","startedMs":1}'],
  ['too much', `{"version":1,"pid":7,"port":1,"network":"${'n'.repeat(5_000)}","startedMs":1}`],
  ['depth', '['.repeat(1_000)],
])('a node file with %s is refused', async (_case, text) => {
  await writeFile(join(folder, 'node.json'), text)
  await expect(connectToNode(folder)).rejects.toMatchObject({ code: 'NODE_FILE_BAD' })
})

test('files are removed by the node that wrote them, and by no other', async () => {
  await writeNodeFile(folder, file)
  const cookie = await writeCookie(folder, random)
  await removeNodeFile(folder, { ...file, port: 4_002 })
  await removeCookie(folder, 'f'.repeat(64))
  expect(await readNodeFile(folder)).toEqual(file)
  expect(await readCookie(folder)).toBe(cookie)
  await removeNodeFile(folder, file)
  await removeCookie(folder, cookie)
  expect(await readNodeFile(folder)).toBeUndefined()
  await expect(readFile(join(folder, 'control.cookie'))).rejects.toThrow('ENOENT')
})

test.each([
  ['the cookie', (cookie: string) => `Bearer ${cookie}`, true],
  ['another case of the scheme', (cookie: string) => `bearer ${cookie}`, true],
  ['another case of the cookie', (cookie: string) => `Bearer ${cookie.toUpperCase()}`, false],
  ['one character less', (cookie: string) => `Bearer ${cookie.slice(1)}`, false],
  ['one character more', (cookie: string) => `Bearer ${cookie}0`, false],
  ['one character changed', (cookie: string) => `Bearer ${cookie.slice(0, -1)}0`, false],
  ['no scheme', (cookie: string) => cookie, false],
  ['nothing', () => undefined, false],
])('a header with %s opens: %#', async (_case, headerOf, expected) => {
  const cookie = await writeCookie(folder, random)
  expect(isAuthorized(headerOf(cookie), cookie)).toBe(expected)
})

test.each([
  ['NODE_NOT_RUNNING', 3],
  ['NODE_STALE', 3],
  ['NODE_COOKIE_UNREADABLE', 4],
])('%s ends a command with %i', (code, exit) => {
  expect(exitCodeOf(code)).toBe(exit)
})
