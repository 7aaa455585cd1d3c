import { describe, expect, test } from 'vitest'
import { configFromGguf } from '../../../../src/ml/gguf/config.ts'
import { decimal, readGgufFields } from '../../../../src/ml/gguf/fields.ts'
import { type GgufHeader, parseGgufHeader } from '../../../../src/ml/gguf/header.ts'
import { permutedRow } from '../../../../src/ml/gguf/tensors.ts'
import { type Entry, ggufBytes, ggufMetadata, ggufTensors, ropeFactors } from '../../app/gguf-file.ts'
import { TINY_CONFIG, tinyTensors } from '../../app/hugging-face-folder.ts'

type Config = Readonly<Record<string, unknown>>

function header(more: readonly (readonly [string, Entry])[] = [], config: Config = TINY_CONFIG): GgufHeader {
  const bytes = ggufBytes({ metadata: ggufMetadata(config, more), tensors: ggufTensors(config, tinyTensors()) })
  return parseGgufHeader(bytes, bytes.length)!
}

function read({ metadata, tensors }: GgufHeader, factors?: Float32Array): ReturnType<typeof configFromGguf> {
  return configFromGguf(readGgufFields(metadata), {
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    ropeFactors: factors,
    beginToken: undefined,
    endTokens: [],
  })
}

const LLAMA31 = {
  ...{ ...TINY_CONFIG, rope_theta: 500_000, head_dim: 128 },
  rope_scaling: { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8_192 },
}
const factorsOf = (config: Config): Float32Array => new Float32Array(ropeFactors(config).data.slice().buffer)

describe('metadata', () => {
  test.each<[string, readonly (readonly [string, Entry])[], object]>([
    ['plain', [], { family: 'llama', ropeTheta: 10_000, ropeScaling: { type: 'none' }, slidingWindow: undefined }],
    [
      'with linear scaling',
      [
        ['llama.rope.scaling.type', ['text', 'linear']],
        ['llama.rope.scaling.factor', ['f32', 2.5]],
      ],
      { ropeScaling: { type: 'linear', factor: 2.5 } },
    ],
    [
      'with linear scaling of old',
      [['llama.rope.scale_linear', ['f32', 4]]],
      { ropeScaling: { type: 'linear', factor: 4 } },
    ],
    ['with a window', [['llama.attention.sliding_window', ['u32', 16]]], { family: 'mistral', slidingWindow: 16 }],
    [
      'with a window of all',
      [['llama.attention.sliding_window', ['u32', 4_096]]],
      { family: 'llama', slidingWindow: undefined },
    ],
    ['with no experts', [['llama.expert_count', ['u32', 0]]], { headSize: 4, vocabularySize: 16, normEpsilon: 1e-5 }],
  ])('%s are read', (_case, more, expected) => {
    expect(read(header(more))).toMatchObject(expected)
  })

  test.each<[string, readonly (readonly [string, Entry])[], string]>([
    ['another architecture', [['general.architecture', ['text', 'mamba']]], 'MODEL_UNSUPPORTED'],
    ['no architecture', [['general.architecture', ['u32', 1]]], 'MODEL_BAD_CONFIG'],
    ['experts', [['llama.expert_count', ['u32', 8]]], 'MODEL_UNSUPPORTED'],
    ['attention to later positions', [['llama.attention.causal', ['flag', false]]], 'MODEL_UNSUPPORTED'],
    ['a key that may change the numbers', [['llama.logit_scale', ['f32', 2]]], 'MODEL_UNSUPPORTED'],
    ['rope scaling of type dynamic', [['llama.rope.scaling.type', ['text', 'dynamic']]], 'MODEL_UNSUPPORTED'],
    ['rotation of a part of a head', [['llama.rope.dimension_count', ['u32', 2]]], 'MODEL_UNSUPPORTED'],
    ['values of another length', [['llama.attention.value_length', ['u32', 8]]], 'MODEL_UNSUPPORTED'],
    ['an odd head', [['llama.attention.key_length', ['u32', 3]]], 'MODEL_BAD_CONFIG'],
    [
      'heads that are no multiple',
      [
        ['llama.attention.head_count', ['u32', 3]],
        ['llama.attention.head_count_kv', ['u32', 2]],
      ],
      'MODEL_BAD_CONFIG',
    ],
    ['a list of heads', [['llama.attention.head_count', ['list', 'u32', [2, 2]]]], 'MODEL_BAD_CONFIG'],
    ['layers over the bound', [['llama.block_count', ['u32', 10_000]]], 'MODEL_BAD_CONFIG'],
    ['no layers', [['llama.block_count', ['u32', 0]]], 'MODEL_BAD_CONFIG'],
    ['a negative width', [['llama.feed_forward_length', ['i32', -1]]], 'MODEL_BAD_CONFIG'],
    ['an endless width', [['llama.feed_forward_length', ['u64', 2n ** 64n - 1n]]], 'MODEL_BAD_CONFIG'],
    ['a context that is no number', [['llama.context_length', ['text', '32']]], 'MODEL_BAD_CONFIG'],
    ['no epsilon', [['llama.attention.layer_norm_rms_epsilon', ['f32', 0]]], 'MODEL_BAD_CONFIG'],
    ['a theta that is no number', [['llama.rope.freq_base', ['f32', Number.NaN]]], 'MODEL_BAD_CONFIG'],
  ])('are refused for %s', (_case, more, code) => {
    expect(() => read(header(more))).toThrow(expect.objectContaining({ code }))
  })

  test('are refused without an embedding', () => {
    const { metadata } = header()
    expect(() => read({ metadata, tensors: [] })).toThrow(expect.objectContaining({ code: 'WEIGHTS_MISSING_TENSOR' }))
  })

  test('of Qwen are refused with a window', () => {
    const config = { ...TINY_CONFIG, architectures: ['Qwen2ForCausalLM'] }
    const act = (): unknown => read(header([['qwen2.attention.sliding_window', ['u32', 16]]], config))
    expect(act).toThrow(expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }))
  })
})

describe('rotary factors', () => {
  test.each([
    ['Llama 3.1', LLAMA31, 8, 8_192],
    ['Llama 3.2', { ...LLAMA31, rope_scaling: { ...LLAMA31.rope_scaling, factor: 32 } }, 32, 8_192],
    [
      'a small context',
      { ...LLAMA31, rope_scaling: { ...LLAMA31.rope_scaling, original_max_position_embeddings: 256 } },
      8,
      256,
    ],
  ])('of %s give its scaling', (_case, config, factor, originalContextLength) => {
    const found = read(header([], config), factorsOf(config)).ropeScaling
    expect(found).toEqual({
      type: 'llama3',
      factor,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalContextLength,
    })
  })

  test('that are all 1 are none', () => {
    expect(read(header([], LLAMA31), new Float32Array(64).fill(1)).ropeScaling).toEqual({ type: 'none' })
  })

  test.each([
    ['of another number', new Float32Array(3).fill(2)],
    ['of another rule', Float32Array.from({ length: 64 }, (_, index) => 1 + index)],
    ['that are no numbers', new Float32Array(64).fill(Number.NaN)],
    ['that are infinite', new Float32Array(64).fill(Number.POSITIVE_INFINITY)],
  ])('%s are refused', (_case, factors) => {
    expect(() => read(header([], LLAMA31), factors)).toThrow(expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }))
  })
})

test.each([1e-5, 1e-6, 10_000, 500_000, 1_000_000, 0.1, 2.5])('the f32 of %d stands for it', (value) => {
  expect(decimal(Math.fround(value))).toBe(value)
})

test('rows of a head are interleaved, as llama.cpp rotates neighbours', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7].map((row) => permutedRow(row, 4))).toEqual([0, 2, 1, 3, 4, 6, 5, 7])
})
