/** Engines of the processor say the largest logit where no more is asked of them, and give no logits then: 128 KB a token of a vocabulary of 32,000. */
import { expect, test } from 'vitest'
import { createNodeNativeEngine } from '../../../src/app/native-engine.ts'
import { createNodeWasmEngine } from '../../../src/app/wasm-engine.ts'
import { largestIndex } from '../../../src/ml/sampler.ts'
import { step, tokensOf, valuesOf } from '../../contract/engine-case.ts'
import { hasNativeEngine } from '../../contract/native-binding.ts'
import { randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'

const config = smallConfig({ layerCount: 1 })
const weights = randomWeights({ config, format: 'q8', seed: 3 })
const input = { type: 'tokens', tokens: tokensOf(config, 3) } as const

const ENGINES = [
  ['wasm', true, () => createNodeWasmEngine({ threads: 1 })],
  ['native', hasNativeEngine, () => createNodeNativeEngine({ threads: 1 })],
] as const

for (const [name, isHere, create] of ENGINES) {
  test.skipIf(!isHere)(name, async () => {
    const stage = await (await create()).createStage({
      config,
      range: wholeRange(config),
      weights,
      cacheBytesMax: 1 << 24,
    })
    const all = valuesOf((await stage.run([step(stage.openCache(3), 0, input)]))[0])
    const size = config.vocabularySize
    const largest = [0, 1, 2].map((row) => largestIndex(all.slice(row * size, (row + 1) * size)))
    for (const [logits, expected] of [
      ['all', largest],
      ['last', largest.slice(-1)],
      ['none', []],
    ] as const) {
      const [output] = await stage.run([{ ...step(stage.openCache(3), 0, input, logits), largestOnly: true }])
      expect(output).toEqual({ type: 'logits', values: new Float32Array(0), largest: Int32Array.from(expected) })
    }
    await stage.close()
  })
}
