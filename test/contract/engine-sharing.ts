/**
 * Part of the engine suite: caches that take positions over from each other. Each computes what it would have without.
 * Spec: docs/spec/numerics.md §11.
 * @module
 */
import { expect, test } from 'vitest'
import type { ModelConfig } from '../../src/ml/config.ts'
import type { StepInput } from '../../src/ml/engine/engine.ts'
import type { LayerRange } from '../../src/ml/tensors.ts'
import { rowsOf, type SuiteContext, type SuiteStage, step, tokens, tokensOf, valuesOf } from './engine-case.ts'
import { smallConfig } from './random-model.ts'

const CONFIG = smallConfig({ layerCount: 4, queryKeyNorm: true, slidingWindow: 40 })
const PARTS: readonly (readonly [string, LayerRange | undefined])[] = [
  ['the whole model', undefined],
  ['layers 1 to 3', { firstLayer: 1, lastLayer: 3, hasEmbedding: false, hasHead: false }],
  ['layer 3 and the head', { firstLayer: 3, lastLayer: 4, hasEmbedding: false, hasHead: true }],
  ['no layer', { firstLayer: 4, lastLayer: 4, hasEmbedding: false, hasHead: true }],
]

/** One row per position, the same for the same seed. */
function inputOf(config: ModelConfig, part: LayerRange | undefined, of: { rows: number; seed: number }) {
  const isToken = part?.hasEmbedding ?? true
  const all = isToken ? tokensOf(config, of.rows, of.seed) : rowsOf(config, of.rows, of.seed)
  return (from: number, to: number): StepInput['input'] =>
    isToken
      ? { type: 'tokens', tokens: (all as Int32Array).slice(from, to) }
      : { type: 'hidden', values: (all as Float32Array).slice(from * config.hiddenSize, to * config.hiddenSize) }
}

async function run(stage: SuiteStage, cache: number, position: number, input: StepInput['input']) {
  return valuesOf((await stage.run([step(cache, position, input)]))[0])
}

/** A shorter session has nothing to share and to go on from. */
const LENGTH_MIN = 9

/** Registers its tests. */
export function sharingTests(suite: SuiteContext): void {
  const context = { ...suite, length: Math.max(suite.length, LENGTH_MIN) }
  numberTests(context)
  lifeTests(context)
  misuseTests(context)
}

function numberTests({ stageOf, same, length, format }: SuiteContext): void {
  // Around the ends of blocks of positions of any usual size, as far as a session of this engine goes.
  const counts = [...new Set([1, 15, 16, 17, 31, 32, 33, 63, 64, 65].map((count) => Math.min(count, length - 3)))]

  test('positions taken over are those that were computed', async () => {
    const stage = await stageOf({ config: CONFIG, format })
    for (const [name, part] of PARTS) {
      const input = inputOf(CONFIG, part, { rows: length, seed: 7 })
      const [first, alone] = [stage.openCache(length, part), stage.openCache(length + 40, part)]
      await run(stage, first, 0, input(0, length))
      const expected = await run(stage, alone, 0, input(0, length))
      for (const count of counts) {
        const second = stage.openCache(length + count, part)
        stage.shareCache(first, second, count)
        expect(stage.cacheLength(second)).toBe(count)
        const width = expected.length / length
        const found = await run(stage, second, count, input(count, length))
        same(found, expected.slice(count * width), `${name}, ${count} positions`)
        stage.closeCache(second)
      }
      stage.closeCache(first)
      stage.closeCache(alone)
    }
  })
}

function lifeTests({ stageOf, same, length, format }: SuiteContext): void {
  const rows = Math.min(length, 40)
  const open = async (stage: SuiteStage, count: number) => {
    const caches = Array.from({ length: count }, () => stage.openCache(rows))
    return caches as [number, ...number[]]
  }
  const input = inputOf(CONFIG, undefined, { rows, seed: 3 })
  const other = inputOf(CONFIG, undefined, { rows, seed: 4 })
  const half = Math.floor(rows / 2) + 1

  test('what two caches compute after what they share leaves the other alone', async () => {
    const stage = await stageOf({ config: CONFIG, format })
    const [first, second, alone, mixed] = (await open(stage, 4)) as [number, number, number, number]
    await run(stage, alone, 0, input(0, half))
    const expected = await run(stage, alone, half, input(half, rows))
    await run(stage, mixed, 0, input(0, half))
    const turned = await run(stage, mixed, half, other(half, rows))
    await run(stage, first, 0, input(0, half))
    stage.shareCache(first, second, half)
    // In one batch, with the same positions of both in one pass.
    const outputs = await stage.run([step(first, half, input(half, rows)), step(second, half, other(half, rows))])
    same(valuesOf(outputs[0]), expected, 'the lender')
    same(valuesOf(outputs[1]), turned, 'the borrower')
  })

  test('going back behind what is shared leaves the other cache alone', async () => {
    const stage = await stageOf({ config: CONFIG, format })
    for (const [back, kept] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const caches = await open(stage, 2)
      const alone = stage.openCache(rows)
      await run(stage, caches[0], 0, input(0, half))
      stage.shareCache(caches[0], caches[1]!, half)
      await run(stage, caches[back]!, 1, other(1, rows))
      await run(stage, alone, 0, input(0, half))
      expect(stage.cacheLength(caches[kept]!)).toBe(half)
      const expected = await run(stage, alone, half, input(half, rows))
      same(await run(stage, caches[kept]!, half, input(half, rows)), expected, `cache ${back} went back`)
      for (const cache of [...caches, alone]) stage.closeCache(cache)
    }
  })

  test.each([
    ['the lender', 0, 1],
    ['the borrower', 1, 0],
  ] as const)('%s closes first, and what follows takes its memory', async (_what, closed, left) => {
    const stage = await stageOf({ config: CONFIG, format })
    const [alone, ...caches] = await open(stage, 3)
    await run(stage, alone, 0, input(0, half))
    await run(stage, caches[0]!, 0, input(0, half))
    stage.shareCache(caches[0]!, caches[1]!, half)
    stage.closeCache(caches[closed]!)
    const [fresh] = await open(stage, 1)
    await run(stage, fresh, 0, other(0, rows))
    const expected = await run(stage, alone, half, input(half, rows))
    same(await run(stage, caches[left]!, half, input(half, rows)), expected)
  })

  test('a chain of caches that take over from each other', async () => {
    const stage = await stageOf({ config: CONFIG, format })
    const [alone, ...caches] = await open(stage, 6)
    await run(stage, alone, 0, input(0, 1))
    await run(stage, caches[0]!, 0, input(0, 1))
    for (const [index, cache] of caches.entries()) {
      const at = 1 + index
      const expected = await run(stage, alone, at, input(at, at + 1))
      same(await run(stage, cache, at, input(at, at + 1)), expected, `cache ${index}`)
      const next = caches[index + 1]
      if (next === undefined) continue
      stage.shareCache(cache, next, at + 1)
      if (index % 2 === 0) stage.closeCache(cache)
    }
  })

  test('a cache that shares nothing begins at its start', async () => {
    const stage = await stageOf({ config: CONFIG, format })
    const [first, second, alone] = (await open(stage, 3)) as [number, number, number]
    await run(stage, first, 0, other(0, rows))
    stage.shareCache(first, second, 0)
    same(await run(stage, second, 0, input(0, rows)), await run(stage, alone, 0, input(0, rows)))
  })
}

function misuseTests({ stageOf, format }: SuiteContext): void {
  const outer: LayerRange = { firstLayer: 0, lastLayer: 3, hasEmbedding: true, hasHead: false }
  const misuses: readonly (readonly [string, (stage: SuiteStage, from: number) => void])[] = [
    ['itself', (stage, from) => stage.shareCache(from, from, 1)],
    ['another part', (stage, from) => stage.shareCache(from, stage.openCache(4, outer), 1)],
    ['none', (stage, from) => stage.shareCache(from, 99, 1)],
    ['positions not computed', (stage, from) => stage.shareCache(from, stage.openCache(4), 4)],
    ['half a position', (stage, from) => stage.shareCache(from, stage.openCache(4), 1.5)],
    ['less than no position', (stage, from) => stage.shareCache(from, stage.openCache(4), -1)],
    ['more than fit', (stage, from) => stage.shareCache(from, stage.openCache(2), 3)],
    [
      'a second time',
      (stage, from) => {
        const to = stage.openCache(4)
        stage.shareCache(from, to, 1)
        stage.shareCache(from, to, 1)
      },
    ],
  ]
  test('a cache takes positions over once, from another of its part that has them, where it has room', async () => {
    const stage = await stageOf({ config: CONFIG, format })
    const from = stage.openCache(4)
    await run(stage, from, 0, tokens(1, 2, 3))
    for (const [name, misuse] of misuses) {
      expect(() => misuse(stage, from), name).toThrow(expect.objectContaining({ name: 'AssertionError' }))
    }
    expect(stage.cacheLength(from)).toBe(3)
  })
}
