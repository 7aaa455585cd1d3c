import { expect, test } from 'vitest'
import { createSplitRunner } from '../../../../src/app/gpu/split-runner.ts'
import { createInlineRunner } from '../../../../src/app/inline-runner.ts'
import { createSystem } from '../../../../src/app/system.ts'
import type { StepInput } from '../../../../src/ml/engine/engine.ts'
import { createReferenceEngine } from '../../../../src/ml/engine/reference.ts'
import type { LayerRange } from '../../../../src/ml/tensors.ts'
import { bits, rangesOf } from '../../../contract/engine-case.ts'
import { randomWeights, smallConfig, wholeRange } from '../../../contract/random-model.ts'

const { clock } = createSystem()
const config = smallConfig({ layerCount: 4 })
const weights = randomWeights({ config, format: 'q8', seed: 1 })
const perPosition = config.keyValueHeadCount * config.headSize * 8

function inline(range: LayerRange, cacheBytesMax = 1 << 24) {
  const stage = createReferenceEngine().createStage({ config, range, weights, cacheBytesMax })
  return createInlineRunner('reference', stage, { clock })
}

function split(cuts: readonly number[], cacheBytesMax?: number) {
  return createSplitRunner(rangesOf(config, cuts).map((range) => ({ range, runner: inline(range, cacheBytesMax) })))
}

/** Sessions of these parts in one batch, one of them with a step that is refused. */
async function outputsOf(runner: ReturnType<typeof inline>): Promise<unknown[]> {
  const whole = wholeRange(config)
  const layers = (firstLayer: number, lastLayer: number): LayerRange => {
    return { firstLayer, lastLayer, hasEmbedding: false, hasHead: false }
  }
  const parts = [undefined, layers(0, 2), layers(1, 4), layers(3, 4), { ...whole, hasHead: false }, layers(1, 3)]
  const caches = await Promise.all(parts.map((part) => runner.openCache(8, part)))
  const found: unknown[] = []
  for (const position of [0, 3]) {
    const batch = caches.map((cache, index): StepInput => {
      const hasTokens = index === 0 || index === 4
      const values = new Float32Array(3 * config.hiddenSize).fill(0.1 * (index + 1))
      const input: StepInput['input'] = hasTokens
        ? { type: 'tokens', tokens: Int32Array.of(3, 1, 4) }
        : { type: 'hidden', values }
      return { cache, position: index === 5 ? 6 : position, input, logits: 'last' }
    })
    for (const output of (await runner.run(batch)).outputs) {
      found.push(output.type === 'failed' ? output.error.code : [output.type, [...bits(output.values)]])
    }
  }
  for (const cache of caches) await runner.closeCache(cache)
  return found
}

test('runners with parts of the layers compute what one with all of them computes', async () => {
  const expected = await outputsOf(inline(wholeRange(config)))
  expect(expected).toContain('ENGINE_BAD_POSITION')
  for (const cuts of [[2], [1, 3], [1, 2, 3]]) {
    const runner = split(cuts)
    expect(await outputsOf(runner)).toEqual(expected)
    await runner.close()
  }
})

test('a cache that does not fit everywhere is left nowhere', async () => {
  const runner = split([1], 3 * 64 * perPosition)
  await expect(runner.openCache(65)).rejects.toMatchObject({ code: 'ENGINE_OUT_OF_MEMORY' })
  await runner.openCache(64)
  await runner.close()
})
