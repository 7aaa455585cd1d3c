/** The work of a model's segments, as the market counts it: against the spec's formulas, for the model that comes with the program. */
import { describe, expect, test } from 'vitest'
import { networkModels } from '../../../src/app/chain/network-models.ts'
import { openModelStore } from '../../../src/app/model-store.ts'
import { genesisModel, modelWork } from '../../../src/app/model-work.ts'
import { modelFault } from '../../../src/core/market/model-fault.ts'
import { splitIntoSegments } from '../../../src/ml/segments.ts'

const home = { path: '/nowhere' } as Parameters<typeof networkModels>[0]
const stored = openModelStore({ home: home.path }).find('genesis')
const { config } = stored.manifest

test('the genesis model: one layer per segment, the head in the last', () => {
  const layer = { linear: 393_216n, attention: 384n }
  const last = { ...layer, linear: 393_216n + 2_048n * 192n }
  expect(modelWork(stored.manifest)).toEqual([layer, layer, layer, layer, layer, last])
})

test('the shards hold these weights: one byte each in this format, but for scales, vectors and the embedding', () => {
  const works = modelWork(stored.manifest)
  for (const [index, { hasEmbedding, shard }] of stored.manifest.segments.entries()) {
    const embedding = hasEmbedding ? config.vocabularySize * config.hiddenSize : 0
    const rest = shard.bytes - embedding - Number(works[index]!.linear)
    expect(rest).toBeGreaterThan(0)
    expect(rest / shard.bytes).toBeLessThan(0.04)
  }
})

describe('however a model is cut', () => {
  test.each([1, 2, 3, 6])('into %i segments, the sum is the same', (count) => {
    const segments = splitIntoSegments(config, count)
    const works = modelWork({ config, segments: segments as never })
    const sum = works.reduce((all, { linear, attention }) => [all[0]! + linear, all[1]! + attention], [0n, 0n])
    expect(sum).toEqual([6n * 393_216n + 393_216n, 6n * 384n])
  })
})

test('the embedding counts nothing, also where the head is the same matrix', () => {
  const segments = splitIntoSegments(config, 1)
  const [tied] = modelWork({ config: { ...config, tiedHead: true }, segments: segments as never })
  const [loose] = modelWork({ config: { ...config, tiedHead: false }, segments: segments as never })
  expect(tied).toEqual(loose)
})

test('grouped heads: keys and values are narrower, scores are not', () => {
  const segments = splitIntoSegments(config, 6)
  const [work] = modelWork({ config: { ...config, keyValueHeadCount: 6 }, segments: segments as never })
  expect(work).toEqual({ linear: 393_216n + 2n * 4n * 32n * 192n, attention: 384n })
})

test('a network begins with the model that comes with the program, as the chain can name it', () => {
  const [model, ...others] = networkModels(home, undefined, 7n)
  expect(others).toEqual([])
  expect(model).toEqual(genesisModel(stored, 7n))
  expect(model).toMatchObject({ model: stored.hash, name: 'genesis', context: 512, price: 7n })
  expect(modelFault(model!)).toBeUndefined()
})

test('a network begins with the models that are named, each once', () => {
  expect(networkModels(home, ['genesis', 'genesis'], 0n)).toHaveLength(1)
  expect(networkModels(home, [], 0n)).toEqual([])
  expect(() => networkModels(home, ['no-such'], 0n)).toThrow(expect.objectContaining({ code: 'MODEL_NOT_FOUND' }))
})
