/** What a stage of the wasm engine does when its memory of 4 GiB is full. @module */
import { expect, test } from 'vitest'
import { createNodeWasmEngine } from '../../../src/app/wasm-engine.ts'
import { randomWeights, smallConfig, wholeRange } from '../../contract/random-model.ts'

const config = smallConfig()
const range = wholeRange(config)
/** Without layers a cache has no pages: scores of its positions are all that it wants. */
const part = { ...range, firstLayer: config.layerCount, hasEmbedding: false }

test('a session whose scores find no memory is refused again when it is asked for again', () => {
  const stage = createNodeWasmEngine({ threads: 1 }).createStage({
    ...{ config, range, cacheBytesMax: 1 << 22 },
    weights: randomWeights({ config, format: 'q4', seed: 1 }),
  })
  const tooLong = 2 ** 28
  for (const _time of ['first', 'second']) {
    expect(() => stage.openCache(tooLong, part)).toThrow(expect.objectContaining({ code: 'ENGINE_OUT_OF_MEMORY' }))
  }
  expect(stage.cacheLength(stage.openCache(1_024, part))).toBe(0)
  stage.close()
})
