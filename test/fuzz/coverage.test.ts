/** No decoder is forgotten: whatever src exports to read something is in the table, or among the exceptions with a reason. */
import { expect, test } from 'vitest'
import { sourcesIn } from '../tidy-source.ts'
import { DECODERS } from './decoders.ts'
import { EXCEPTIONS, FILE_EXCEPTIONS } from './exceptions.ts'

const NAMES = /^export (?:async )?(?:function\*? |const )((?:decode|read|parse)[A-Z]\w*)/gm
const ALL = /^export (?:async )?(?:function\*? |const )(\w+)/gm

/** `path:function` below src of each export whose name the pattern finds. */
function exportsOf(pattern: RegExp): string[] {
  return sourcesIn('src').flatMap(({ path, code }) =>
    [...code.matchAll(pattern)].map(([, name]) => `${path.replace(/^src\//, '')}:${name}`),
  )
}

const covered = new Set(DECODERS.flatMap(({ covers }) => covers))

test('every function that decodes, reads or parses is in the table or an exception', () => {
  const found = exportsOf(NAMES)
  expect(found.length).toBeGreaterThan(50)
  expect(found.filter((name) => !covered.has(name) && !EXCEPTIONS.has(name))).toEqual([])
})

test('every file that reads bytes or JSON has a function in the table, or is an exception', () => {
  const files = new Set([...covered].map((name) => name.split(':')[0]))
  const readers = sourcesIn('src').filter(({ code }) => /\bnew Reader\(|\bJSON\.parse\(/.test(code))
  const paths = readers.map(({ path }) => path.replace(/^src\//, ''))
  expect(paths.filter((path) => !files.has(path) && !FILE_EXCEPTIONS.has(path))).toEqual([])
  expect([...FILE_EXCEPTIONS.keys()].filter((path) => !paths.includes(path))).toEqual([])
})

test('the table and the exceptions name functions that there are', () => {
  const known = new Set(exportsOf(ALL))
  expect([...covered, ...EXCEPTIONS.keys()].filter((name) => !known.has(name))).toEqual([])
})

test('nothing is an exception that is in the table', () => {
  expect([...EXCEPTIONS.keys()].filter((name) => covered.has(name))).toEqual([])
})

test('each row has a name of its own', () => {
  const names = DECODERS.map(({ name }) => name)
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
})
