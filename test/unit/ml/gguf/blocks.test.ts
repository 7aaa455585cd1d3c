import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { BLOCK_NAMES, type BlockName, decodeBlocks } from '../../../../src/ml/gguf/blocks.ts'

/** Random blocks and their values as f32, by the `gguf` package of Python (quants.py of llama.cpp). */
const vectors: Record<string, { blocks: string; values: string }> = JSON.parse(
  readFileSync(new URL('../../../vectors/gguf-blocks.json', import.meta.url), 'utf8'),
)

/** f16 1.5 and −2, little-endian. */
const ONE_AND_A_HALF = [0x00, 0x3e]
const MINUS_TWO = [0x00, 0xc0]

const repeated = (count: number, byte: number): number[] => Array.from({ length: count }, () => byte)
const values = (name: BlockName, bytes: readonly number[]): number[] => [...decodeBlocks(name, Uint8Array.from(bytes))]

describe('blocks', () => {
  test.each(Object.keys(vectors) as BlockName[])('of %s have the values of llama.cpp, bit for bit', (name) => {
    const { blocks, values } = vectors[name]!
    const found = decodeBlocks(name, Uint8Array.from(Buffer.from(blocks, 'base64')))
    expect(Buffer.from(found.buffer).equals(Buffer.from(values, 'base64'))).toBe(true)
  })

  test('of every quantised form are among the vectors', () => {
    expect(Object.keys(vectors).sort()).toEqual(BLOCK_NAMES.filter((name) => name.startsWith('Q')).sort())
  })

  test.each<[BlockName, number[], (index: number) => number]>([
    ['Q8_0', [...ONE_AND_A_HALF, 127, 0x80, ...repeated(30, 1)], (i) => (i === 0 ? 190.5 : i === 1 ? -192 : 1.5)],
    ['Q4_0', [...ONE_AND_A_HALF, ...repeated(16, 0xf0)], (i) => (i < 16 ? -12 : 10.5)],
    ['Q4_1', [...ONE_AND_A_HALF, ...MINUS_TWO, ...repeated(16, 0xf0)], (i) => (i < 16 ? -2 : 20.5)],
    ['Q5_0', [...ONE_AND_A_HALF, 1, 0, 0, 0x80, ...repeated(16, 0xf0)], (i) => [0, -24, -1.5, 22.5][edge(i)]!],
    [
      'Q5_1',
      [...ONE_AND_A_HALF, ...MINUS_TWO, 1, 0, 0, 0x80, ...repeated(16, 0xf0)],
      (i) => [22, -2, 20.5, 44.5][edge(i)]!,
    ],
    // Group 0 has scale 1 and minimum 2, group 7 scale 0x21 and minimum 0x12, the others nothing.
    [
      'Q4_K',
      [...ONE_AND_A_HALF, ...MINUS_TWO, 1, 0, 0, 0x80, 2, 0, 0, 0x40, 0, 0, 0, 0x21, ...repeated(128, 0x31)],
      (i) => [1.5 * 1 + 2 * 2, 0, 1.5 * 33 * 3 + 2 * 18][group(i)]!,
    ],
    [
      'Q5_K',
      [
        ...ONE_AND_A_HALF,
        ...MINUS_TWO,
        1,
        0,
        0,
        0x80,
        2,
        0,
        0,
        0x40,
        0,
        0,
        0,
        0x21,
        ...repeated(32, 0x80),
        ...repeated(128, 0x31),
      ],
      (i) => [1.5 * 1 + 2 * 2, 0, 1.5 * 33 * 19 + 2 * 18][group(i)]!,
    ],
    // Only the last sixteen have a scale, −1; their high bits are 3 and their low ones 4.
    [
      'Q6_K',
      [...repeated(128, 0x4f), ...repeated(64, 0xc0), ...repeated(15, 0), 0xff, ...ONE_AND_A_HALF],
      (i) => (i < 240 ? 0 : -1.5 * (0x34 - 32)),
    ],
  ])('of %s follow from the format', (name, bytes, expected) => {
    const found = values(name, bytes)
    // −0 is a 0 here.
    expect(found.map((value) => value + 0)).toEqual(found.map((_, index) => expected(index)))
  })

  test.each<[BlockName, number[]]>([
    ['F32', [0, 0, 0x80, 0x3f]],
    ['F16', [0, 0x3c]],
    ['BF16', [0x80, 0x3f]],
  ])('of %s are one element', (name, bytes) => {
    expect(values(name, bytes)).toEqual([1])
  })
})

/** 0 for element 0, which has a fifth bit, 1 for 1–15, 2 for 16–30, 3 for 31. */
function edge(index: number): number {
  return index === 0 ? 0 : index < 16 ? 1 : index < 31 ? 2 : 3
}

/** 0 for the first group of 32, 2 for the last, 1 for the others. */
function group(index: number): number {
  return index < 32 ? 0 : index < 224 ? 1 : 2
}
