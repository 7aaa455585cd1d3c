import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freshBundle, stampNow } from '../../../bin/bundle.js'

const BUILD = 'dist/.tsbuildinfo/app'
const INSTALLED = 'node_modules/.package-lock.json'
let folder: string
let root: URL

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dllm-bundle-'))
  root = pathToFileURL(`${folder}/`)
  for (const path of [BUILD, INSTALLED, 'package.json', 'oclif.manifest.json']) write(path, '{}')
  write('bundle/bundle.json', JSON.stringify({ stamp: stampNow(root), files: [] }))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(path: string, text: string): void {
  mkdirSync(join(folder, path, '..'), { recursive: true })
  writeFileSync(join(folder, path), text)
}

test('a bundle runs when what it was made of is as it was', () => {
  expect(freshBundle(root)).toBe(join(folder, 'bundle/'))
})

test.each([
  ['a folder was built again, to as many bytes', () => utimesSync(join(folder, BUILD), 1, 1)],
  ['a folder was built for the first time', () => write('dist/.tsbuildinfo/tui', '{}')],
  ['packages were installed', () => utimesSync(join(folder, INSTALLED), 1, 1)],
  ['a command has other flags', () => write('oclif.manifest.json', '{"commands":{}}')],
  ['there is none', () => rmSync(join(folder, 'bundle'), { recursive: true })],
  ['it is being made', () => rmSync(join(folder, 'bundle/bundle.json'))],
  ['it cannot be read', () => write('bundle/bundle.json', '{"stamp":')],
])('no bundle runs when %s', (_when, change) => {
  change()
  expect(freshBundle(root)).toBeUndefined()
})

test('a package has nothing to compare: its files have the times of the archive', () => {
  rmSync(join(folder, 'dist'), { recursive: true })
  utimesSync(join(folder, 'package.json'), 1, 1)
  expect(freshBundle(root)).toBe(join(folder, 'bundle/'))
})
