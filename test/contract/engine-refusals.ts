/**
 * Part of the engine suite: what an engine refuses, and values that are not finite.
 * Spec: docs/spec/numerics.md §1.
 * @module
 */
import { expect, test } from 'vitest'
import type { StepInput } from '../../src/ml/engine/engine.ts'
import { rowsOf, type SuiteContext, step, tokens, valuesOf } from './engine-case.ts'
import { smallConfig, wholeRange } from './random-model.ts'

/** Registers its tests. */
export function refusalTests({ stageOf, same, format }: SuiteContext): void {
  const table: readonly (readonly [string, string, Omit<StepInput, 'cache' | 'logits'>])[] = [
    ['a token past the vocabulary', 'ENGINE_BAD_TOKEN', { position: 2, input: tokens(1, 51) }],
    ['a negative token', 'ENGINE_BAD_TOKEN', { position: 2, input: tokens(-1) }],
    ['a gap', 'ENGINE_BAD_POSITION', { position: 3, input: tokens(1) }],
    ['a negative position', 'ENGINE_BAD_POSITION', { position: -1, input: tokens(1) }],
    ['half a position', 'ENGINE_BAD_POSITION', { position: 0.5, input: tokens(1) }],
    ['more rows than the session has room for', 'ENGINE_BAD_POSITION', { position: 2, input: tokens(1, 2, 3) }],
    ['no row', 'ENGINE_BAD_INPUT', { position: 2, input: tokens() }],
  ]
  test.each(table)('refuses %s with %s and leaves the rest of the batch alone', async (_what, code, refused) => {
    const stage = await stageOf({ config: smallConfig({ layerCount: 1 }), format })
    const [bad, good, alone] = [4, 4, 4].map((capacity) => stage.openCache(capacity))
    for (const cache of [bad!, good!, alone!]) valuesOf((await stage.run([step(cache, 0, tokens(7, 8))]))[0])
    const expected = valuesOf((await stage.run([step(alone!, 2, tokens(9))]))[0])
    const outputs = await stage.run([{ ...refused, cache: bad!, logits: 'all' }, step(good!, 2, tokens(9))])
    expect(outputs[0]).toMatchObject({ type: 'failed', error: { code } })
    same(valuesOf(outputs[1]), expected)
    expect(stage.cacheLength(bad!)).toBe(2)
  })

  test('refuses rows of a wrong length and rows with a NaN', async () => {
    const config = smallConfig()
    const range = { ...wholeRange(config), firstLayer: 1, hasEmbedding: false }
    const stage = await stageOf({ config, format }, range)
    const run = async (values: Float32Array) =>
      (await stage.run([step(stage.openCache(4), 0, { type: 'hidden', values })]))[0]
    expect(await run(rowsOf(config, 1).slice(1))).toMatchObject({ error: { code: 'ENGINE_BAD_INPUT' } })
    expect(await run(rowsOf(config, 2).fill(Number.NaN, 77))).toMatchObject({ error: { code: 'ENGINE_NOT_FINITE' } })
    expect(await run(rowsOf(config, 2).fill(Number.NEGATIVE_INFINITY, 0, 1))).toMatchObject({
      error: { code: 'ENGINE_NOT_FINITE' },
    })
  })
}

/** Registers its tests. */
export function notFiniteTests({ stageOf, same, format, formats }: SuiteContext): void {
  test.each(formats)('a session that overflows in %s fails alone and can go on', async (format) => {
    const config = smallConfig({ hiddenSize: 41 })
    const range = { ...wholeRange(config), hasEmbedding: false }
    const stage = await stageOf({ config, format }, range)
    const [bad, good, alone, fresh] = [9, 9, 9, 9].map((capacity) => stage.openCache(capacity))
    const hidden = (seed: number, rows = 1): StepInput['input'] => ({
      type: 'hidden',
      values: rowsOf(config, rows, seed),
    })
    const huge = rowsOf(config, 3, 4).fill(3e38, 41, 82)
    valuesOf((await stage.run([step(bad!, 0, hidden(1, 2))]))[0])
    const expected = valuesOf((await stage.run([step(alone!, 0, hidden(2, 3))]))[0])
    const outputs = await stage.run([step(bad!, 2, { type: 'hidden', values: huge }), step(good!, 0, hidden(2, 3))])
    expect(outputs[0]).toMatchObject({ type: 'failed', error: { code: 'ENGINE_NOT_FINITE' } })
    same(valuesOf(outputs[1]), expected)
    expect(stage.cacheLength(bad!)).toBe(2)
    valuesOf((await stage.run([step(fresh!, 0, hidden(1, 2))]))[0])
    const next = (await stage.run([step(fresh!, 2, hidden(5)), step(bad!, 2, hidden(5))])).map(valuesOf)
    same(next[1]!, next[0]!)
  })

  test('a step that went back and failed leaves the positions before it', async () => {
    const config = smallConfig()
    const range = { ...wholeRange(config), hasEmbedding: false }
    const stage = await stageOf({ config, format }, range)
    const hidden = (values: Float32Array): StepInput['input'] => ({ type: 'hidden', values })
    const [cache, fresh] = [stage.openCache(9), stage.openCache(9)]
    for (const at of [cache, fresh]) valuesOf((await stage.run([step(at, 0, hidden(rowsOf(config, 6, 1)))]))[0])
    const failed = await stage.run([step(cache, 3, hidden(rowsOf(config, 1).fill(3e38)))])
    expect(failed[0]).toMatchObject({ type: 'failed' })
    expect(stage.cacheLength(cache)).toBe(3)
    const again = hidden(rowsOf(config, 2, 8))
    const outputs = (await stage.run([step(cache, 3, again), step(fresh, 3, again)])).map(valuesOf)
    same(outputs[0]!, outputs[1]!)
  })
}
