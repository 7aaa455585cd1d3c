import { describe, expect, test } from 'vitest'
import { makeCanary, type OpenSegment, runCanary } from '../../../../src/app/canary/canary-run.ts'
import { createEngineHost } from '../../../../src/app/engine-host.ts'
import { createEngine } from '../../../../src/app/engines.ts'
import { createInlineRunner } from '../../../../src/app/inline-runner.ts'
import { createSystem } from '../../../../src/app/system.ts'
import { hash } from '../../../../src/base/brand.ts'
import { CodecError } from '../../../../src/base/codec.ts'
import { canaryBytesMax, decodeCanary, encodeCanary } from '../../../../src/ml/canary.ts'
import type { ModelConfig } from '../../../../src/ml/config.ts'
import type { EngineName } from '../../../../src/ml/engine/engine.ts'
import { splitIntoSegments } from '../../../../src/ml/segments.ts'
import { randomWeights, smallConfig } from '../../../contract/random-model.ts'

const CONFIG: ModelConfig = smallConfig({ layerCount: 4, contextLength: 48 })
const SEGMENTS = splitIntoSegments(CONFIG, 3)
const MODEL = { hash: hash('5a'.repeat(32)), manifest: { config: CONFIG, segments: SEGMENTS } }
const signal = new AbortController().signal
const system = createSystem()

/** Segments [first, end) of a model whose weights follow from the seed. */
async function open(first: number, end: number, { seed = 1, engine = 'wasm' as EngineName } = {}) {
  const range = {
    ...{ firstLayer: SEGMENTS[first]!.firstLayer, lastLayer: SEGMENTS[end - 1]!.lastLayer },
    ...{ hasEmbedding: first === 0, hasHead: end === SEGMENTS.length },
  }
  const stage = (await createEngine(engine)).createStage({
    ...{
      config: CONFIG,
      range,
      weights: randomWeights({ config: CONFIG, format: 'q8', seed }),
      cacheBytesMax: 1 << 24,
    },
  })
  return createEngineHost(createInlineRunner(engine, stage, system), system)
}

const canary = await makeCanary(MODEL, ((segment) => open(segment, segment + 1)) satisfies OpenSegment, signal)

describe('the canary of a model', () => {
  const runs = SEGMENTS.flatMap((_, first) =>
    SEGMENTS.slice(first).map((_, more) => [first, first + more + 1] as const),
  )

  test.each(runs)('is met by segments %i to %i in either engine', async (first, end) => {
    for (const engine of ['wasm', 'reference'] as const) {
      const stage = await open(first, end, { engine })
      expect(await runCanary(canary, { first, end, stage }, signal)).toBeUndefined()
      await stage.close()
    }
  })

  test('is met by a part of what an engine holds', async () => {
    const stage = await open(0, 3)
    expect(await runCanary(canary, { first: 1, end: 2, stage, part: SEGMENTS[1]! }, signal)).toBeUndefined()
    await stage.close()
  })

  test.each(runs)('is not met by other weights in segments %i to %i', async (first, end) => {
    const stage = await open(first, end, { seed: 2 })
    expect(await runCanary(canary, { first, end, stage }, signal)).toEqual({ prompt: 0, way: 'whole' })
    await stage.close()
  })

  test('tells an engine that computes single rows otherwise', async () => {
    const stage = await open(1, 3)
    const odd: typeof stage = {
      ...stage,
      run: (step) => {
        if (step.input.type === 'hidden' && step.input.values.length === CONFIG.hiddenSize) step.input.values[0]! += 1
        return stage.run(step)
      },
    }
    expect(await runCanary(canary, { first: 1, end: 3, stage: odd }, signal)).toEqual({ prompt: 0, way: 'rows' })
    await stage.close()
  })

  test('is the same when it was written and read, within its bound', () => {
    const bytes = encodeCanary(canary)
    expect(decodeCanary(bytes, MODEL.manifest)).toEqual(canary)
    expect(bytes.length).toBeLessThanOrEqual(canaryBytesMax(MODEL.manifest))
  })

  const { borders, ...first } = canary.prompts[0]!
  test.each([
    ['of another version', () => encodeCanary(canary).fill(0x32, 16, 17)],
    ['without prompts', () => encodeCanary({ ...canary, prompts: [] })],
    [
      'with a prompt of no rows',
      () => encodeCanary({ ...canary, prompts: [{ ...first, tokens: new Int32Array(), borders }] }),
    ],
    [
      'with a token beyond the vocabulary',
      () =>
        encodeCanary({
          ...canary,
          prompts: [{ ...first, borders, tokens: first.tokens.with(0, CONFIG.vocabularySize) }],
        }),
    ],
    ['with a border too few', () => encodeCanary({ ...canary, prompts: [{ ...first, borders: borders.slice(1) }] })],
    ['with more behind its end', () => new Uint8Array([...encodeCanary(canary), 0])],
  ])('%s is refused', (_, bytes) => {
    expect(() => decodeCanary(bytes(), MODEL.manifest)).toThrow(CodecError)
  })
})
