import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gguf } from '@huggingface/gguf'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MODEL_LIMITS } from '../../../../src/base/limits.ts'
import { blockTypeOf } from '../../../../src/ml/gguf/blocks.ts'
import { type GgufHeader, parseGgufHeader } from '../../../../src/ml/gguf/header.ts'
import {
  type Entry,
  type GgufOptions,
  type GgufPart,
  ggufBytes,
  ggufMetadata,
  ggufTensors,
} from '../../app/gguf-file.ts'
import { TINY_CONFIG, tinyTensors } from '../../app/hugging-face-folder.ts'

const SAMPLE = new Map<string, Entry>([
  ['general.architecture', ['text', 'llama']],
  ['a.flag', ['flag', true]],
  ['a.byte', ['u8', 200]],
  ['a.word', ['u32', 4_000_000_000]],
  ['a.negative', ['i32', -5]],
  ['a.long', ['u64', 2n ** 40n]],
  ['a.float', ['f32', 0.5]],
  ['a.double', ['f64', 0.1]],
  ['a.texts', ['list', 'text', ['one', '', 'Ġthree']]],
  ['a.numbers', ['list', 'f32', [1, 2, 3.5]]],
  ['a.nothing', ['list', 'u32', []]],
])
const MATRIX: GgufPart = { type: 0, shape: [3, 2], data: new Uint8Array(24).fill(1) }
const BLOCKS: GgufPart = { type: 8, shape: [64, 1], data: new Uint8Array(68).fill(2) }
const TENSORS = new Map([
  ['one', MATRIX],
  ['two', BLOCKS],
])
const file = (options?: GgufOptions): Uint8Array => ggufBytes({ metadata: SAMPLE, tensors: TENSORS }, options)
const parse = (bytes: Uint8Array): GgufHeader | undefined => parseGgufHeader(bytes, bytes.length)

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dllm-gguf-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a header', () => {
  test.each([
    ['every kind of metadata', file()],
    ['a model', ggufBytes({ metadata: ggufMetadata(TINY_CONFIG), tensors: ggufTensors(TINY_CONFIG, tinyTensors()) })],
    [
      'another alignment',
      ggufBytes({ metadata: new Map([['general.alignment', ['u32', 64]]]), tensors: TENSORS }, { alignment: 64 }),
    ],
    ['version 2', file({ version: 2 })],
  ])('with %s says what the library of Hugging Face reads', async (_what, bytes) => {
    const path = join(folder, 'a.gguf')
    writeFileSync(path, bytes)
    const theirs = await gguf(path, { allowLocalFile: true })
    const ours = parse(bytes)!
    const plain = (value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value)
    const expected = Object.entries(theirs.metadata).filter(([key]) => !/^(?:version|(?:tensor|kv)_count)$/.test(key))
    expect([...ours.metadata]).toEqual(expected.map(([key, value]) => [key, plain(value)]))
    expect(ours.tensors.map(({ name, type, shape, start }) => ({ name, type, shape, start }))).toEqual(
      theirs.tensorInfos.map(({ name, dtype, shape, offset }) => ({
        ...{ name, type: blockTypeOf(dtype), shape: shape.map(Number) },
        start: Number(theirs.tensorDataOffset + offset),
      })),
    )
  })

  test('keeps numbers beyond 2^53 as they are', () => {
    const metadata = new Map<string, Entry>([['a', ['u64', 2n ** 63n + 1n]]])
    expect(parse(ggufBytes({ metadata, tensors: new Map() }))?.metadata.get('a')).toBe(2n ** 63n + 1n)
  })

  test('that goes on behind the bytes that are there is not there yet, wherever they end', () => {
    const bytes = file()
    const end = parse(bytes)!.tensors[0]!.start
    for (let length = 0; length < bytes.length; length++) {
      const found = parseGgufHeader(bytes.subarray(0, length), bytes.length)
      if (found !== undefined) expect(length).toBeGreaterThan(end - 32)
    }
    expect(parseGgufHeader(bytes.subarray(0, end), bytes.length)).toEqual(parse(bytes))
  })
})

describe('a header is refused for', () => {
  const metadata = (entries: readonly (readonly [string, Entry])[], options?: GgufOptions): Uint8Array =>
    ggufBytes({ metadata: new Map(entries), tensors: TENSORS }, options)
  const tensors = (part: Partial<GgufPart>): Uint8Array =>
    ggufBytes({ metadata: SAMPLE, tensors: new Map([['one', { ...MATRIX, ...part }]]) })
  /** The file with other bytes somewhere in its first 24: magic, version, tensors, metadata. */
  const head = (at: number, ...bytes: number[]): Uint8Array => {
    const copy = file()
    copy.set(bytes, at)
    return copy
  }
  /** The one file with its second metadata given the name of the first. */
  const twice = (): Uint8Array => {
    const text = Buffer.from(
      metadata([
        ['aa', ['u8', 1]],
        ['ab', ['u8', 1]],
      ]),
    ).toString('latin1')
    return Uint8Array.from(Buffer.from(text.replace('ab', 'aa'), 'latin1'))
  }
  const replaced = (from: string, to: string): Uint8Array =>
    Uint8Array.from(Buffer.from(Buffer.from(file()).toString('latin1').replace(from, to), 'latin1'))
  const max = [255, 255, 255, 255, 255, 255, 255, 255]

  test.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'WEIGHTS_TRUNCATED'],
    ['another magic', head(0, 0x50), 'WEIGHTS_BAD_HEADER'],
    ['version 1', file({ version: 1 }), 'WEIGHTS_BAD_HEADER'],
    ['version 4', file({ version: 4 }), 'WEIGHTS_BAD_HEADER'],
    ['big-endian numbers', head(4, 0, 0, 0, 3), 'WEIGHTS_BAD_HEADER'],
    ['more tensors than the file can hold', head(8, ...max), 'WEIGHTS_TRUNCATED'],
    ['more metadata than the file can hold', head(16, ...max), 'WEIGHTS_TRUNCATED'],
    ['one tensor more than there are', head(8, 3), 'WEIGHTS_'],
    ['a key longer than the file', head(24, ...max), 'WEIGHTS_TRUNCATED'],
    ['a key twice', twice(), 'WEIGHTS_BAD_HEADER'],
    ['a tensor twice', replaced('two', 'one'), 'WEIGHTS_BAD_HEADER'],
    ['a text that is not UTF-8', replaced('llama', 'll\xffma'), 'WEIGHTS_BAD_HEADER'],
    ['a truth value of 2', replaced('a.flag\x07\0\0\0\x01', 'a.flag\x07\0\0\0\x02'), 'WEIGHTS_BAD_HEADER'],
    ['an unknown type of metadata', replaced('a.flag\x07', 'a.flag\x0d'), 'WEIGHTS_BAD_HEADER'],
    ['a list in a list', replaced('a.texts\x09\0\0\0\x08', 'a.texts\x09\0\0\0\x09'), 'WEIGHTS_BAD_HEADER'],
    [
      'a list longer than the file',
      replaced('a.nothing\x09\0\0\0\x04\0\0\0\0\0\0\0\0', `a.nothing\x09\0\0\0\x04\0\0\0${'\xff'.repeat(5)}`),
      'WEIGHTS_TRUNCATED',
    ],
    ['an alignment of 0', metadata([['general.alignment', ['u32', 0]]]), 'WEIGHTS_BAD_HEADER'],
    ['an alignment of 48', metadata([['general.alignment', ['u32', 48]]]), 'WEIGHTS_BAD_HEADER'],
    ['an alignment that is a text', metadata([['general.alignment', ['text', '32']]]), 'WEIGHTS_BAD_HEADER'],
    ['a huge alignment', metadata([['general.alignment', ['u32', 2 ** 31]]]), 'WEIGHTS_BAD_HEADER'],
    [
      'a name that is too long',
      ggufBytes({ metadata: SAMPLE, tensors: new Map([['x'.repeat(257), MATRIX]]) }),
      'WEIGHTS_BAD_HEADER',
    ],
    ['no dimensions', tensors({ shape: [] }), 'WEIGHTS_BAD_HEADER'],
    ['five dimensions', tensors({ shape: [1, 1, 1, 1, 6] }), 'WEIGHTS_BAD_HEADER'],
    ['a dimension of 0', tensors({ shape: [0, 2] }), 'WEIGHTS_BAD_HEADER'],
    ['dimensions whose product overflows', tensors({ shape: [2 ** 32, 2 ** 32, 2 ** 32] }), 'WEIGHTS_BAD_HEADER'],
    ['a larger shape than the file', tensors({ shape: [2 ** 20, 2 ** 20] }), 'WEIGHTS_TRUNCATED'],
    ['an unknown form', tensors({ type: 99 }), 'WEIGHTS_BAD_DTYPE'],
    ['a form that was removed', tensors({ type: 4 }), 'WEIGHTS_BAD_DTYPE'],
    ['rows that are no whole blocks', tensors({ type: 8 }), 'WEIGHTS_BAD_HEADER'],
    ['an offset behind the file', file({ offsetOf: (_name, offset) => offset * 1_000 }), 'WEIGHTS_BAD_OFFSETS'],
    [
      'an endless offset',
      file({ offsetOf: (_name, offset) => (offset === 0 ? 0 : Number.MAX_SAFE_INTEGER) }),
      'WEIGHTS_BAD_OFFSETS',
    ],
    ['tensors on top of each other', file({ offsetOf: () => 0 }), 'WEIGHTS_BAD_OFFSETS'],
    ['tensors that overlap', file({ offsetOf: (_name, offset) => Math.min(offset, 16) }), 'WEIGHTS_BAD_OFFSETS'],
    ['a hole before the first tensor', file({ offsetOf: (_name, offset) => offset + 32 }), 'WEIGHTS_BAD_OFFSETS'],
    ['a truncated file', file().slice(0, -1), 'WEIGHTS_TRUNCATED'],
    ['bytes that belong to no tensor', new Uint8Array([...file(), ...new Uint8Array(64)]), 'WEIGHTS_BAD_OFFSETS'],
  ])('%s', (_case, bytes, code) => {
    expect(() => parse(bytes)).toThrow(expect.objectContaining({ code: expect.stringContaining(code) }))
  })

  test('counts over the bounds, whatever the size of the file', () => {
    const start = file().subarray(0, 24)
    const claim = (at: number, count: number): Uint8Array => {
      const copy = start.slice()
      new DataView(copy.buffer).setBigUint64(at, BigInt(count), true)
      return copy
    }
    const refused = (bytes: Uint8Array): void => {
      expect(() => parseGgufHeader(bytes, 2 ** 45)).toThrow(expect.objectContaining({ code: 'WEIGHTS_BAD_HEADER' }))
    }
    refused(claim(8, MODEL_LIMITS.tensorsMax + 1))
    refused(claim(16, MODEL_LIMITS.ggufEntriesMax + 1))
    // A key that says it goes on behind all that a header may be.
    const longList = file().slice(0, file().length)
    const at = Buffer.from(longList).indexOf('a.nothing') + 9 + 8
    new DataView(longList.buffer, longList.byteOffset).setBigUint64(at, BigInt(MODEL_LIMITS.ggufListItemsMax + 1), true)
    refused(longList)
    const longText = file().slice()
    const key = Buffer.from(longText).indexOf('llama') - 8
    new DataView(longText.buffer, longText.byteOffset).setBigUint64(
      key,
      BigInt(MODEL_LIMITS.ggufHeaderBytesMax + 1),
      true,
    )
    refused(longText)
  })
})
