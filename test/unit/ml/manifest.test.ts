import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { ModelConfig } from '../../../src/ml/config.ts'
import { encodeManifest, type ModelManifest, modelHash, rangeOf } from '../../../src/ml/manifest.ts'
import { parseManifest } from '../../../src/ml/manifest-parse.ts'
import { shardLayout } from '../../../src/ml/shard-file.ts'

const bytes = readFileSync(new URL('../../../models/genesis/manifest.json', import.meta.url))
const genesis = parseManifest(bytes)

const LLAMA_3 = { type: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 64 }

/** The manifest of genesis with one value replaced, at a path such as `segments.1.shard.bytes`. */
function changed(path: string, value: unknown): Uint8Array {
  const json = JSON.parse(bytes.toString('utf8')) as unknown
  const keys = path.split('.')
  const last = keys.pop()!
  const target = keys.reduce((object, key) => (object as Record<string, unknown>)[key], json) as Record<string, unknown>
  target[last] = value
  return new TextEncoder().encode(`${JSON.stringify(json, undefined, 2)}\n`)
}

/** The manifest with a config whose shards may have other sizes. */
function segmentsOf(config: ModelConfig): ModelManifest {
  const segments = genesis.segments.map((segment) => {
    const bytes = shardLayout(config, segment, genesis.format).totalBytes
    return { ...segment, shard: { ...segment.shard, bytes } }
  })
  return { ...genesis, config, segments }
}

describe('a manifest', () => {
  test('is encoded as it was', () => {
    expect(Buffer.from(encodeManifest(genesis)).equals(bytes)).toBe(true)
  })

  test('of genesis has the hash that a change of numbers or layout would change', () => {
    expect(modelHash(genesis)).toBe('a57ba43526bdd6688a4f0fc2067ad6ca45e400a000e547bec9ca4a463d747613')
  })

  test('has another hash for another name', () => {
    expect(modelHash({ ...genesis, name: 'genesis2' })).not.toBe(modelHash(genesis))
  })

  test('keeps scaling, window and missing tokens', () => {
    const config = {
      ...genesis.config,
      ropeScaling: { type: 'linear', factor: 2.5 },
      slidingWindow: 64,
      beginToken: undefined,
      endTokens: [],
    } as const
    const manifest = { ...genesis, config, generation: {} }
    expect(parseManifest(encodeManifest(manifest))).toEqual(manifest)
  })

  const original = { originalContextLength: 128, attentionFactor: 1.25 }
  test.each<[string, Partial<ModelConfig>]>([
    ['yarn', { ropeScaling: { type: 'yarn', factor: 4, fastRotations: 32, slowRotations: 1, ...original } }],
    [
      'longrope',
      {
        ropeScaling: { type: 'longrope', shortFactors: [1, 2], longFactors: [3, 4], ...original },
        extras: { rotarySize: 4 },
      },
    ],
    [
      'every extra',
      {
        slidingWindow: 8,
        extras: {
          ...{ gate: 'gelu', outputNorms: true, embeddingFactor: 8, scoreSize: 24, scoreCap: 50, logitCap: 30 },
          ...{ rotarySize: 4, windowLayers: [0, 2], windowTheta: 500, unrotatedLayers: [1] },
        },
      },
    ],
  ])('keeps %s', (_case, change) => {
    const sized = segmentsOf({ ...genesis.config, ...change })
    expect(parseManifest(encodeManifest(sized))).toEqual(sized)
    expect(modelHash(sized)).not.toBe(modelHash(segmentsOf(genesis.config)))
  })

  test('does not tell of extras that are the default', () => {
    const config = { ...genesis.config, extras: { gate: 'silu', scoreSize: genesis.config.headSize } } as const
    expect(modelHash({ ...genesis, config })).toBe(modelHash(genesis))
  })

  test('gives the layers of neighbouring segments', () => {
    expect(rangeOf(genesis, 1, 3)).toEqual({ firstLayer: 1, lastLayer: 3, hasEmbedding: false, hasHead: false })
    expect(rangeOf(genesis, 0, 6)).toEqual({ firstLayer: 0, lastLayer: 6, hasEmbedding: true, hasHead: true })
  })

  test.each([
    ['another specification', 'spec', 'exact-2'],
    ['an unknown format', 'format', 'q5'],
    ['an unknown field', 'extra', 1],
    ['an unknown field inside', 'config.extra', 1],
    ['no config', 'config', null],
    ['too many layers', 'config.layerCount', 100_000],
    ['an end token outside the vocabulary', 'config.endTokens', [2048]],
    ['a window of zero', 'config.slidingWindow', 0],
    ['an unknown extra', 'config.extras', { gain: 1 }],
    ['angles beyond those that are computed', 'config.ropeScaling', { type: 'linear', factor: 0.5 }],
    ['factors of Llama 3 upside down', 'config.ropeScaling', { ...LLAMA_3, highFrequencyFactor: 1 }],
    ['no extras', 'config.extras', {}],
    ['an extra that is the default', 'config.extras', { gate: 'silu' }],
    ['an unknown gate', 'config.extras', { gate: 'relu' }],
    ['a negative cap', 'config.extras', { logitCap: -1 }],
    ['half a pair that is rotated', 'config.extras', { rotarySize: 3 }],
    ['more rotation than there is', 'config.extras', { rotarySize: 1_024 }],
    ['a layer that is not there', 'config.extras', { unrotatedLayers: [99] }],
    ['layers out of order', 'config.extras', { unrotatedLayers: [1, 0] }],
    ['layers with a window that is none', 'config.extras', { windowLayers: [0] }],
    [
      'factors for other frequencies',
      'config.ropeScaling',
      { type: 'longrope', shortFactors: [1], longFactors: [1], originalContextLength: 9, attentionFactor: 1 },
    ],
    [
      'factors below one',
      'config.ropeScaling',
      { type: 'yarn', factor: 0.5, originalContextLength: 9, fastRotations: 32, slowRotations: 1, attentionFactor: 1 },
    ],
    ['heads that do not divide', 'config.keyValueHeadCount', 4],
    ['a gap between segments', 'segments.1.firstLayer', 2],
    ['no segments', 'segments', []],
    ['a segment less', 'segments', genesis.segments.slice(0, -1)],
    ['a second head', 'segments.1.hasHead', true],
    ['a shard of another size', 'segments.1.shard.bytes', 1],
    ['a shard outside the folder', 'segments.1.shard.file', '../x'],
    ['a shard with a path', 'segments.1.shard.file', 'a/b'],
    ['a file called manifest.json', 'files.0.name', 'manifest.json'],
    ['one file twice', 'files.1.name', 'tokenizer.json'],
    ['a file above any tokenizer', 'files.0.bytes', 64 * 1_048_576 + 1],
    ['a shard of more chunks than a file has', 'segments.1.shard.bytes', 262_144 * 1_048_576 + 1],
    ['a hash that is none', 'files.0.root', 'x'.repeat(64)],
    ['a hash in capitals', 'files.0.root', 'A'.repeat(64)],
    ['a negative temperature', 'generation.temperature', -1],
  ])('with %s is refused', (_case, path, value) => {
    const act = () => parseManifest(changed(path, value))
    expect(act).toThrow(expect.objectContaining({ code: 'MODEL_BAD_MANIFEST' }))
  })

  test('with a name that is a path is refused', () => {
    const act = () => parseManifest(changed('name', '../genesis'))
    expect(act).toThrow(expect.objectContaining({ code: 'MODEL_BAD_NAME' }))
  })

  test.each([
    ['not JSON', new TextEncoder().encode('{')],
    ['in another layout of the same JSON', new TextEncoder().encode(JSON.stringify(JSON.parse(bytes.toString())))],
    ['with a field first that belongs elsewhere', new TextEncoder().encode(`{"files":[],${bytes.toString().slice(1)}`)],
    ['empty', new Uint8Array(0)],
  ])('that is %s is refused', (_case, encoded) => {
    expect(() => parseManifest(encoded)).toThrow(expect.objectContaining({ code: 'MODEL_BAD_MANIFEST' }))
  })
})
