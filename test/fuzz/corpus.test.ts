/** The corpus: what once broke a decoder, and what was made by hand to break it, is read or refused as its name says. */
import { expect, test } from 'vitest'
import { corpusNames, corpusOf } from './corpus.ts'
import { judge } from './decoder.ts'
import { DECODERS } from './decoders.ts'

test('every folder belongs to a decoder', () => {
  const known = new Set(DECODERS.map(({ name }) => name))
  expect(corpusNames().filter((name) => !known.has(name))).toEqual([])
})

test('every decoder has its corpus', () => {
  expect(DECODERS.filter((decoder) => corpusOf(decoder).length === 0).map(({ name }) => name)).toEqual([])
})

const FILES = DECODERS.flatMap((decoder) => corpusOf(decoder).map((file) => ({ decoder, file })))

test.each(FILES.map(({ decoder, file }) => [`${decoder.name}/${file.name}`, decoder, file] as const))(
  '%s',
  async (_name, decoder, file) => {
    const verdict = await judge(decoder, file.bytes)
    expect(verdict.type === 'fault' ? verdict.fault : undefined).toBeUndefined()
    if (file.expected !== undefined) expect(verdict.type).toBe(file.expected)
  },
)
