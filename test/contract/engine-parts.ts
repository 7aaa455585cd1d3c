/**
 * Part of the engine suite: caches of a part of the stage's layers. Each computes what a stage of that part alone does.
 * Spec: docs/spec/numerics.md §10.
 * @module
 */
import { expect, test } from 'vitest'
import type { ModelConfig } from '../../src/ml/config.ts'
import { cacheBytes, type StepInput } from '../../src/ml/engine/engine.ts'
import type { LayerRange } from '../../src/ml/tensors.ts'
import { rowsOf, type SuiteContext, type SuiteStage, step, tokens, tokensOf, valuesOf } from './engine-case.ts'
import { randomWeights, smallConfig, wholeRange } from './random-model.ts'

const LAYERS = 4
const part = (firstLayer: number, lastLayer: number, ends: 'embedding' | 'head' | 'both' | 'none'): LayerRange => {
  const hasEmbedding = ends === 'embedding' || ends === 'both'
  return { firstLayer, lastLayer, hasEmbedding, hasHead: ends === 'head' || ends === 'both' }
}

/** Every run of one layer or more, with the ends that a segment there has; hidden rows at the first layer; no layer. */
const PARTS: readonly (readonly [string, LayerRange])[] = [
  ...[0, 1, 2, 3].flatMap((first) =>
    [1, 2, 3, 4].filter((last) => last > first).map((last): LayerRange => segmentOf(first, last)),
  ),
  part(0, 2, 'none'),
  part(2, 4, 'none'),
  part(0, 0, 'embedding'),
  part(2, 2, 'none'),
  part(4, 4, 'head'),
].map((range) => [nameOf(range), range])

function segmentOf(first: number, last: number): LayerRange {
  return { firstLayer: first, lastLayer: last, hasEmbedding: first === 0, hasHead: last === LAYERS }
}

function nameOf({ firstLayer, lastLayer, hasEmbedding, hasHead }: LayerRange): string {
  return `${hasEmbedding ? 'embedding, ' : ''}layers ${firstLayer} to ${lastLayer}${hasHead ? ', head' : ''}`
}

function inputOf(config: ModelConfig, range: LayerRange, rows: number): StepInput['input'] {
  return range.hasEmbedding
    ? { type: 'tokens', tokens: tokensOf(config, rows, 3) }
    : { type: 'hidden', values: rowsOf(config, rows, 4 + range.firstLayer) }
}

function sliceOf(config: ModelConfig, input: StepInput['input'], from: number, to: number): StepInput['input'] {
  if (input.type === 'tokens') return { type: 'tokens', tokens: input.tokens.slice(from, to) }
  return { type: 'hidden', values: input.values.slice(from * config.hiddenSize, to * config.hiddenSize) }
}

/** Registers its tests. */
export function partTests(context: SuiteContext): void {
  numberTests(context)
  memoryTests(context)
  refusedTests(context)
}

function numberTests({ stageOf, oracleOf, same, length, format, formats }: SuiteContext): void {
  const config = smallConfig({ layerCount: LAYERS, queryKeyNorm: true, slidingWindow: 30 })
  /** What stages of exactly these parts give for all rows at once. */
  const expectedOf = async (model: Parameters<typeof stageOf>[0]) => {
    const expected: Float32Array[] = []
    for (const [, range] of PARTS) {
      const stage = oracleOf(model, range)
      const outputs = await stage.run([step(stage.openCache(length), 0, inputOf(config, range, length))])
      expected.push(valuesOf(outputs[0]))
    }
    return expected
  }

  test.each(formats)('a part of a stage in %s gives the numbers of a stage of that part', async (format) => {
    const model = { config, format }
    const stage = await stageOf(model)
    for (const [index, expected] of (await expectedOf(model)).entries()) {
      const [name, range] = PARTS[index]!
      const input = inputOf(config, range, length)
      const cache = stage.openCache(length, range)
      const found: number[] = []
      for (let at = 0; at < length; at += 9) {
        found.push(...valuesOf((await stage.run([step(cache, at, sliceOf(config, input, at, at + 9))]))[0]))
      }
      same(Float32Array.from(found), expected, name)
      stage.closeCache(cache)
    }
  })

  test.each(formats)('parts of a stage in %s do not change each other in one batch', async (format) => {
    const model = { config, format }
    const stage = await stageOf(model)
    const expected = await expectedOf(model)
    // Each of them twice, in an order that puts equal parts apart, at two paces.
    const sessions = [...PARTS, ...PARTS].map(([name, range], index) => ({
      ...{ name, range, expected: expected[index % PARTS.length]!, pace: index < PARTS.length ? 1 : 11 },
      ...{ cache: stage.openCache(length, range), input: inputOf(config, range, length), found: [] as number[] },
    }))
    for (let round = 0; round < length; round++) {
      const running = sessions.filter(({ pace }) => round * pace < length)
      const steps = running.map(({ cache, input, pace }) =>
        step(cache, round * pace, sliceOf(config, input, round * pace, (round + 1) * pace)),
      )
      const outputs = await stage.run(steps)
      for (const [index, { found }] of running.entries()) found.push(...valuesOf(outputs[index]))
    }
    for (const session of sessions) same(Float32Array.from(session.found), session.expected, session.name)
  })

  test.each(formats)('a part of a part of a model in %s goes back as a stage does', async (format) => {
    const outer = segmentOf(1, LAYERS)
    const stage = await stageOf({ config, format }, outer)
    const alone = oracleOf({ config, format }, segmentOf(2, 3))
    const run = async (on: SuiteStage, cache: number) => {
      const at = async (position: number, rows: number, seed: number) =>
        valuesOf((await on.run([step(cache, position, { type: 'hidden', values: rowsOf(config, rows, seed) })]))[0])
      return [await at(0, 20, 1), await at(7, 3, 2), await at(10, 30, 3), await at(0, 2, 4)]
    }
    const cache = stage.openCache(60, segmentOf(2, 3))
    valuesOf((await stage.run([step(stage.openCache(9), 0, { type: 'hidden', values: rowsOf(config, 9, 8) })]))[0])
    const expected = await run(alone, alone.openCache(60))
    for (const [index, found] of (await run(stage, cache)).entries()) same(found, expected[index]!)
    expect(stage.cacheLength(cache)).toBe(2)
  })

  test('a session of one part that overflows leaves the others of the batch alone', async () => {
    const stage = await stageOf({ config, format })
    const open = (range: LayerRange) => stage.openCache(4, range)
    const good = [segmentOf(1, 2), segmentOf(0, 4), segmentOf(2, 4)]
    const steps = good.map((range) => step(open(range), 0, inputOf(config, range, 2)))
    const others = await stage.run(good.map((range) => step(open(range), 0, inputOf(config, range, 2))))
    const expected = others.map(valuesOf)
    const huge = rowsOf(config, 1).fill(3e38)
    const bad = step(open(segmentOf(1, 3)), 0, { type: 'hidden', values: huge })
    const outputs = await stage.run([steps[0]!, bad, steps[1]!, steps[2]!])
    expect(outputs[1]).toMatchObject({ type: 'failed', error: { code: 'ENGINE_NOT_FINITE' } })
    for (const [index, at] of [0, 2, 3].entries()) same(valuesOf(outputs[at]), expected[index]!)
  })
}

function memoryTests({ create, format }: SuiteContext): void {
  test('a cache takes memory for the layers of its part', async () => {
    const config = smallConfig({ layerCount: LAYERS })
    const perLayer = cacheBytes(config, segmentOf(1, 2), 64)
    const weights = randomWeights({ config, format, seed: 1 })
    const options = { config, range: wholeRange(config), weights, cacheBytesMax: 8 * perLayer }
    const stage = await (await create()).createStage(options)
    const full = expect.objectContaining({ code: 'ENGINE_OUT_OF_MEMORY' })
    expect(() => stage.openCache(129)).toThrow(full)
    expect(() => stage.openCache(513, segmentOf(1, 2))).toThrow(full)
    const caches = [stage.openCache(10), stage.openCache(120, segmentOf(2, 4))]
    expect(() => stage.openCache(1, segmentOf(0, 1))).toThrow(full)
    // No layer, no memory: as many as there is room for elsewhere.
    const ends = [part(0, 0, 'embedding'), part(4, 4, 'head'), part(4, 4, 'head')].map((range) =>
      stage.openCache(1_000, range),
    )
    for (const cache of [...caches, ...ends]) stage.closeCache(cache)
    expect(stage.cacheLength(stage.openCache(512, segmentOf(3, 4)))).toBe(0)
    await stage.close()
  })
}

function refusedTests({ stageOf, format }: SuiteContext): void {
  const config = smallConfig({ layerCount: LAYERS })
  test.each([
    ['before its own', part(0, 2, 'none')],
    ['after its own', part(2, 4, 'none')],
    ['the wrong way round', part(3, 2, 'none')],
    ['half a layer', part(1.5, 2, 'none')],
    ['and an embedding that it has not', part(1, 2, 'embedding')],
    ['and a head that it has not', part(1, 3, 'head')],
  ])('a stage opens no cache for layers %s', async (_what, range) => {
    const stage = await stageOf({ config, format }, part(1, 3, 'none'))
    expect(() => stage.openCache(4, range)).toThrow('layers and ends that the stage has')
    stage.openCache(4, part(1, 3, 'none'))
  })

  test.each([
    ['an embedding that is not at its first layer', part(1, 4, 'both')],
    ['a head that is not after its last layer', part(0, 3, 'both')],
  ])('a whole model opens no cache with %s', async (_what, range) => {
    const stage = await stageOf({ config, format })
    expect(() => stage.openCache(4, range)).toThrow('layers and ends that the stage has')
  })

  test.each<[string, LayerRange, StepInput['input']]>([
    ['tokens to a part without the embedding', segmentOf(1, 4), tokens(1)],
    ['rows to a part with it', segmentOf(0, 1), { type: 'hidden', values: rowsOf(config, 1) }],
  ])('a stage takes no %s', async (_what, range, input) => {
    const stage = await stageOf({ config, format })
    const cache = stage.openCache(4, range)
    // Synchronous engines throw, the others reject.
    await expect((async () => stage.run([step(cache, 0, input)]))()).rejects.toThrow(
      'tokens go to the part with the embedding',
    )
  })
}
