/**
 * Part of the engine suite: caches of a part of the stage's layers. Each computes what a stage of that part alone does.
 * Spec: docs/spec/numerics.md §10.
 * @module
 */
import { expect, test } from 'vitest'
import type { ModelConfig } from '../../src/ml/config.ts'
import { cacheBytesPerPosition, type Stage, type StepInput } from '../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import type { LayerRange } from '../../src/ml/tensors.ts'
import { bits, FORMATS, LENGTH, rowsOf, type SuiteContext, step, tokens, tokensOf, valuesOf } from './engine-case.ts'
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
  bitTests(context)
  memoryTests(context)
  refusedTests(context)
}

function bitTests({ create, stageOf }: SuiteContext): void {
  const config = smallConfig({ layerCount: LAYERS, queryKeyNorm: true, slidingWindow: 30 })
  /** What stages of exactly these parts give for all rows at once. */
  const expectedOf = (model: Parameters<typeof stageOf>[1]) =>
    PARTS.map(([, range]) => {
      const stage = stageOf(createReferenceEngine(), model, range)
      return valuesOf(stage.run([step(stage.openCache(LENGTH), 0, inputOf(config, range, LENGTH))])[0])
    })

  test.each(FORMATS)('a part of a stage in %s gives the bits of a stage of that part', (format) => {
    const model = { config, format }
    const stage = stageOf(create(), model)
    for (const [index, expected] of expectedOf(model).entries()) {
      const [name, range] = PARTS[index]!
      const input = inputOf(config, range, LENGTH)
      const cache = stage.openCache(LENGTH, range)
      const found: number[] = []
      for (let at = 0; at < LENGTH; at += 9) {
        found.push(...valuesOf(stage.run([step(cache, at, sliceOf(config, input, at, at + 9))])[0]))
      }
      expect(bits(Float32Array.from(found)), name).toEqual(bits(expected))
      stage.closeCache(cache)
    }
  })

  test.each(FORMATS)('parts of a stage in %s do not change each other in one batch', (format) => {
    const model = { config, format }
    const stage = stageOf(create(), model)
    const expected = expectedOf(model)
    // Each of them twice, in an order that puts equal parts apart, at two paces.
    const sessions = [...PARTS, ...PARTS].map(([name, range], index) => ({
      ...{ name, range, expected: expected[index % PARTS.length]!, pace: index < PARTS.length ? 1 : 11 },
      ...{ cache: stage.openCache(LENGTH, range), input: inputOf(config, range, LENGTH), found: [] as number[] },
    }))
    for (let round = 0; round < LENGTH; round++) {
      const running = sessions.filter(({ pace }) => round * pace < LENGTH)
      const steps = running.map(({ cache, input, pace }) =>
        step(cache, round * pace, sliceOf(config, input, round * pace, (round + 1) * pace)),
      )
      const outputs = stage.run(steps)
      for (const [index, { found }] of running.entries()) found.push(...valuesOf(outputs[index]))
    }
    for (const session of sessions) {
      expect(bits(Float32Array.from(session.found)), session.name).toEqual(bits(session.expected))
    }
  })

  test.each(FORMATS)('a part of a part of a model in %s goes back as a stage does', (format) => {
    const outer = segmentOf(1, LAYERS)
    const stage = stageOf(create(), { config, format }, outer)
    const alone = stageOf(createReferenceEngine(), { config, format }, segmentOf(2, 3))
    const run = (on: Stage, cache: number) => {
      const at = (position: number, rows: number, seed: number) =>
        valuesOf(on.run([step(cache, position, { type: 'hidden', values: rowsOf(config, rows, seed) })])[0])
      return [at(0, 20, 1), at(7, 3, 2), at(10, 30, 3), at(0, 2, 4)].map(bits)
    }
    const cache = stage.openCache(60, segmentOf(2, 3))
    valuesOf(stage.run([step(stage.openCache(9), 0, { type: 'hidden', values: rowsOf(config, 9, 8) })])[0])
    expect(run(stage, cache)).toEqual(run(alone, alone.openCache(60)))
    expect(stage.cacheLength(cache)).toBe(2)
  })

  test('a session of one part that overflows leaves the others of the batch alone', () => {
    const stage = stageOf(create(), { config, format: 'q8' })
    const open = (range: LayerRange) => stage.openCache(4, range)
    const good = [segmentOf(1, 2), segmentOf(0, 4), segmentOf(2, 4)]
    const steps = good.map((range) => step(open(range), 0, inputOf(config, range, 2)))
    const expected = stage.run(good.map((range) => step(open(range), 0, inputOf(config, range, 2)))).map(valuesOf)
    const huge = rowsOf(config, 1).fill(3e38)
    const bad = step(open(segmentOf(1, 3)), 0, { type: 'hidden', values: huge })
    const outputs = stage.run([steps[0]!, bad, steps[1]!, steps[2]!])
    expect(outputs[1]).toMatchObject({ type: 'failed', error: { code: 'ENGINE_NOT_FINITE' } })
    expect([0, 2, 3].map((at) => bits(valuesOf(outputs[at])))).toEqual(expected.map(bits))
  })
}

function memoryTests({ create }: SuiteContext): void {
  test('a cache takes memory for the layers of its part', () => {
    const config = smallConfig({ layerCount: LAYERS })
    const perLayer = cacheBytesPerPosition(config, segmentOf(1, 2))
    const weights = randomWeights({ config, format: 'q8', seed: 1 })
    const stage = create().createStage({ config, range: wholeRange(config), weights, cacheBytesMax: 80 * perLayer })
    const full = expect.objectContaining({ code: 'ENGINE_OUT_OF_MEMORY' })
    expect(() => stage.openCache(21)).toThrow(full)
    expect(() => stage.openCache(81, segmentOf(1, 2))).toThrow(full)
    const caches = [stage.openCache(10), stage.openCache(20, segmentOf(2, 4))]
    expect(() => stage.openCache(1, segmentOf(0, 1))).toThrow(full)
    // No layer, no memory: as many as there is room for elsewhere.
    const ends = [part(0, 0, 'embedding'), part(4, 4, 'head'), part(4, 4, 'head')].map((range) =>
      stage.openCache(1_000, range),
    )
    for (const cache of [...caches, ...ends]) stage.closeCache(cache)
    expect(stage.cacheLength(stage.openCache(80, segmentOf(3, 4)))).toBe(0)
    stage.close()
  })
}

function refusedTests({ create, stageOf }: SuiteContext): void {
  const config = smallConfig({ layerCount: LAYERS })
  test.each([
    ['before its own', part(0, 2, 'none')],
    ['after its own', part(2, 4, 'none')],
    ['the wrong way round', part(3, 2, 'none')],
    ['half a layer', part(1.5, 2, 'none')],
    ['and an embedding that it has not', part(1, 2, 'embedding')],
    ['and a head that it has not', part(1, 3, 'head')],
  ])('a stage opens no cache for layers %s', (_what, range) => {
    const stage = stageOf(create(), { config, format: 'q8' }, part(1, 3, 'none'))
    expect(() => stage.openCache(4, range)).toThrow('layers and ends that the stage has')
    stage.openCache(4, part(1, 3, 'none'))
  })

  test.each([
    ['an embedding that is not at its first layer', part(1, 4, 'both')],
    ['a head that is not after its last layer', part(0, 3, 'both')],
  ])('a whole model opens no cache with %s', (_what, range) => {
    const stage = stageOf(create(), { config, format: 'q8' })
    expect(() => stage.openCache(4, range)).toThrow('layers and ends that the stage has')
  })

  test.each<[string, LayerRange, StepInput['input']]>([
    ['tokens to a part without the embedding', segmentOf(1, 4), tokens(1)],
    ['rows to a part with it', segmentOf(0, 1), { type: 'hidden', values: rowsOf(config, 1) }],
  ])('a stage takes no %s', (_what, range, input) => {
    const stage = stageOf(create(), { config, format: 'q8' })
    const cache = stage.openCache(4, range)
    expect(() => stage.run([step(cache, 0, input)])).toThrow('tokens go to the part with the embedding')
  })
}
