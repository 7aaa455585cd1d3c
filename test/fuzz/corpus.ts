/**
 * The corpus: inputs by decoder, in files that git keeps. A name says what becomes of the input: `read-…`, `refused-…`, or
 * `found-…` for what once broke a promise; decoders that answer instead of throwing read everything. Bytes stand as hexadecimal digits (.hex), text as it is (.txt).
 * @module
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Decoder } from './decoder.ts'

const FOLDER: string = join(import.meta.dirname, 'corpus')
const DIGITS_PER_LINE = 120

export interface CorpusFile {
  readonly name: string
  readonly expected: 'read' | 'refused' | undefined
  readonly bytes: Uint8Array
}

/** Names of the folders. */
export function corpusNames(): string[] {
  return readdirSync(FOLDER)
}

/** The files of a decoder, by name. */
export function corpusOf({ name }: Pick<Decoder, 'name'>): CorpusFile[] {
  if (!corpusNames().includes(name)) return []
  return readdirSync(join(FOLDER, name))
    .sort()
    .map((file) => {
      const bytes = readFileSync(join(FOLDER, name, file))
      const [kind] = file.split('-')
      return {
        name: file,
        expected: kind === 'read' || kind === 'refused' ? kind : undefined,
        bytes: new Uint8Array(
          file.endsWith('.hex') ? Buffer.from(bytes.toString().replaceAll('\n', ''), 'hex') : bytes,
        ),
      }
    })
}

/** Writes one file of the corpus; its path. */
export function keep({ name, isText }: Pick<Decoder, 'name' | 'isText'>, title: string, bytes: Uint8Array): string {
  const path = join(FOLDER, name, `${title}.${isText === true ? 'txt' : 'hex'}`)
  mkdirSync(join(FOLDER, name), { recursive: true })
  const lines =
    Buffer.from(bytes)
      .toString('hex')
      .match(new RegExp(`.{1,${DIGITS_PER_LINE}}`, 'g')) ?? []
  writeFileSync(path, isText === true ? bytes : lines.map((line) => `${line}\n`).join(''))
  return path
}
