/** Secrets from files and descriptors: bounded, one line where one line is meant, never quoted in errors. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readBytes, readSecretLine, readSecretText, sourceOf } from '../../../src/app/secret-input.ts'

const folder = mkdtempSync(join(tmpdir(), 'dllm-secret-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileWith(content: string | Uint8Array): string {
  const path = join(folder, 'secret')
  writeFileSync(path, content)
  return path
}

test.each([
  ['no line end', 'hunter2hunter2', 'hunter2hunter2'],
  ['a line feed', 'hunter2hunter2\n', 'hunter2hunter2'],
  ['a Windows line end', 'hunter2hunter2\r\n', 'hunter2hunter2'],
  ['spaces, which belong to it', '  two words  \n', '  two words  '],
])('reads a line with %s', async (_case, content, line) => {
  expect(await readSecretLine({ type: 'file', path: fileWith(content) })).toBe(line)
})

test.each([
  ['two lines', 'one-secret\ntwo-secret\n', 'INPUT_NOT_ONE_LINE'],
  ['an empty file', '', 'INPUT_EMPTY'],
  ['only a line end', '\n', 'INPUT_EMPTY'],
  ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x00), 'INPUT_NOT_TEXT'],
  ['far too much', 'secret'.repeat(10_000), 'INPUT_TOO_LONG'],
])('refuses %s without quoting it', async (_case, content, code) => {
  const reading = readSecretLine({ type: 'file', path: fileWith(content) })
  await expect(reading).rejects.toMatchObject({ code, message: expect.not.stringMatching(/one-secret|secretsecret/) })
})

test.each([
  ['a file that is not there', { type: 'file', path: join(folder, 'missing') }],
  ['a folder', { type: 'file', path: folder }],
  ['a descriptor that is not open', { type: 'fd', fd: 1_000 }],
] as const)('refuses %s', async (_case, source) => {
  await expect(readSecretText(source)).rejects.toMatchObject({ code: 'INPUT_NOT_READABLE' })
})

test('reads an open descriptor', async () => {
  const fd = openSync(fileWith('from a descriptor\n'), 'r')
  expect(await readSecretLine({ type: 'fd', fd })).toBe('from a descriptor')
  closeSync(fd)
})

test('reads binary messages as they are', async () => {
  const bytes = Uint8Array.of(0, 255, 10, 13)
  expect(await readBytes({ type: 'file', path: fileWith(bytes) }, 4)).toEqual(bytes)
  await expect(readBytes({ type: 'file', path: fileWith(bytes) }, 3)).rejects.toMatchObject({ code: 'INPUT_TOO_LONG' })
})

test('a file named - is stdin', () => {
  expect(sourceOf('-', undefined)).toEqual({ type: 'fd', fd: 0 })
  expect(sourceOf(undefined, 3)).toEqual({ type: 'fd', fd: 3 })
  expect(sourceOf(undefined, undefined)).toBeUndefined()
})
