import { describe, expect, test } from 'vitest'
import { configFromHuggingFace, generationFromHuggingFace } from '../../../src/ml/huggingface.ts'

const llama = {
  architectures: ['LlamaForCausalLM'],
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  vocab_size: 512,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  bos_token_id: 1,
  eos_token_id: 2,
}
const mistral = { ...llama, architectures: ['MistralForCausalLM'] }
const qwen2 = { ...llama, architectures: ['Qwen2ForCausalLM'] }
const qwen3 = { ...llama, architectures: ['Qwen3ForCausalLM'], head_dim: 32 }
const llama3Rope = {
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
}

describe('a Hugging Face config', () => {
  test('gives every field of a Llama model', () => {
    expect(configFromHuggingFace(llama)).toEqual({
      family: 'llama',
      hiddenSize: 64,
      layerCount: 5,
      headCount: 8,
      keyValueHeadCount: 4,
      headSize: 8,
      intermediateSize: 172,
      vocabularySize: 512,
      contextLength: 512,
      normEpsilon: 1e-5,
      ropeTheta: 10_000,
      ropeScaling: { type: 'none' },
      slidingWindow: undefined,
      queryKeyValueBias: false,
      queryKeyNorm: false,
      tiedHead: false,
      beginToken: 1,
      endTokens: [2],
    })
  })

  const none = { type: 'none' }
  const scaled = {
    type: 'llama3',
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalContextLength: 8192,
  }
  test.each([
    ['no heads of its own', { ...llama, num_key_value_heads: undefined }, { keyValueHeadCount: 8 }],
    ['a tied head', { ...llama, tie_word_embeddings: true }, { tiedHead: true }],
    [
      'an architecture by its type only',
      { ...llama, architectures: undefined, model_type: 'llama' },
      { family: 'llama' },
    ],
    [
      'linear scaling',
      { ...llama, rope_scaling: { type: 'linear', factor: 2 } },
      { ropeScaling: { type: 'linear', factor: 2 } },
    ],
    ['Llama 3 scaling', { ...llama, rope_scaling: { rope_type: 'llama3', ...llama3Rope } }, { ropeScaling: scaled }],
    [
      'rope parameters',
      { ...llama, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } },
      { ropeTheta: 5e5, ropeScaling: none },
    ],
    ['the new dtype key', { ...llama, dtype: 'bfloat16' }, { family: 'llama' }],
    ['several end tokens', { ...llama, eos_token_id: [2, 7] }, { endTokens: [2, 7] }],
    ['no begin token', { ...llama, bos_token_id: null }, { beginToken: undefined }],
    ['a Mistral window', { ...mistral, sliding_window: 256 }, { slidingWindow: 256 }],
    ['a Mistral window of null', { ...mistral, sliding_window: null }, { slidingWindow: undefined }],
    ['a Mistral window by default', mistral, { slidingWindow: 4096 }],
    ['Qwen2 biases', qwen2, { queryKeyValueBias: true, slidingWindow: undefined }],
    [
      'an unused Qwen2 window',
      { ...qwen2, use_sliding_window: false, sliding_window: 128 },
      { slidingWindow: undefined },
    ],
    [
      'a used Qwen2 window',
      { ...qwen2, use_sliding_window: true, sliding_window: 128, max_window_layers: 0 },
      { slidingWindow: 128 },
    ],
    [
      'a Qwen2 window after the last layer',
      { ...qwen2, use_sliding_window: true, sliding_window: 128, max_window_layers: 5 },
      { slidingWindow: undefined },
    ],
    [
      'layer types',
      { ...qwen2, sliding_window: 128, layer_types: ['full_attention', 'full_attention'] },
      { slidingWindow: undefined },
    ],
    ['Qwen3 norms and head size', qwen3, { queryKeyNorm: true, headSize: 32 }],
  ])('is read with %s', (_case, json, expected) => {
    expect(configFromHuggingFace(json)).toMatchObject(expected)
  })

  test('joins the end tokens of both files', () => {
    expect(configFromHuggingFace(llama, { eos_token_id: [3, 2] }).endTokens).toEqual([2, 3])
  })

  test.each([
    ['another architecture', { ...llama, architectures: ['GPT2LMHeadModel'] }, /GPT2LMHeadModel/],
    ['an architecture without name', { ...llama, architectures: undefined, model_type: 'mamba' }, /mamba/],
    ['attention biases of Llama', { ...llama, attention_bias: true }, /attention_bias/],
    ['feed-forward biases', { ...llama, mlp_bias: true }, /mlp_bias/],
    ['another activation', { ...llama, hidden_act: 'gelu' }, /gelu/],
    ['dynamic rope', { ...llama, rope_scaling: { type: 'dynamic', factor: 2 } }, /dynamic/],
    ['yarn', { ...llama, rope_scaling: { rope_type: 'yarn', factor: 2 } }, /yarn/],
    ['longrope', { ...llama, rope_parameters: { rope_type: 'longrope' } }, /longrope/],
    ['partial rotation', { ...llama, partial_rotary_factor: 0.5 }, /partial_rotary_factor/],
    ['quantised weights', { ...llama, quantization_config: { quant_method: 'gptq' } }, /quantised/],
    [
      'a window in some layers',
      { ...qwen2, use_sliding_window: true, sliding_window: 8, max_window_layers: 2 },
      /some layers/,
    ],
    ['mixed layers', { ...qwen3, layer_types: ['full_attention', 'sliding_attention'] }, /different kinds/],
  ])('with %s is refused by name', (_case, json, text) => {
    const act = () => configFromHuggingFace(json)
    expect(act).toThrow(expect.objectContaining({ code: 'MODEL_UNSUPPORTED' }))
    expect(act).toThrow(text)
  })

  test.each([
    ['that is a list', []],
    ['that is null', null],
    ['without hidden_size', { ...llama, hidden_size: undefined }],
    ['with a text for a number', { ...llama, hidden_size: '64' }],
    ['with half a layer', { ...llama, num_hidden_layers: 2.5 }],
    ['with a million layers', { ...llama, num_hidden_layers: 1_000_000 }],
    ['with a negative vocabulary', { ...llama, vocab_size: -1 }],
    ['with a vocabulary of billions', { ...llama, vocab_size: 4e9 }],
    ['with heads that do not divide', { ...llama, num_key_value_heads: 3 }],
    ['with more key than query heads', { ...llama, num_key_value_heads: 16 }],
    ['with an odd head size', { ...llama, head_dim: 7 }],
    ['with heads that do not fill the row', { ...llama, num_attention_heads: 7, num_key_value_heads: 7 }],
    ['with a context without end', { ...llama, max_position_embeddings: 1e12 }],
    ['with an end token outside the vocabulary', { ...llama, eos_token_id: 512 }],
    ['with an end token that is a text', { ...llama, eos_token_id: ['</s>'] }],
    ['with a begin token outside the vocabulary', { ...llama, bos_token_id: 512 }],
    ['with an epsilon of zero', { ...llama, rms_norm_eps: 0 }],
    ['with scaling without factor', { ...llama, rope_scaling: { type: 'linear' } }],
    [
      'with Llama 3 scaling upside down',
      { ...llama, rope_scaling: { rope_type: 'llama3', ...llama3Rope, high_freq_factor: 1 } },
    ],
  ])('%s is refused', (_case, json) => {
    expect(() => configFromHuggingFace(json)).toThrow(expect.objectContaining({ code: 'MODEL_BAD_CONFIG' }))
  })
})

describe('generation defaults', () => {
  test.each([
    [
      'all that there are',
      { temperature: 0.8, top_p: 0.9, top_k: 40, min_p: 0.1, repetition_penalty: 1.1 },
      { temperature: 0.8, topP: 0.9, topK: 40, minP: 0.1, repetitionPenalty: 1.1 },
    ],
    ['greedy decoding', { do_sample: false, temperature: 0.6 }, { temperature: 0 }],
    ['nothing', {}, {}],
  ])('are read: %s', (_case, json, expected) => {
    expect(generationFromHuggingFace(json)).toEqual(expected)
  })

  test.each([
    ['a negative temperature', { temperature: -1 }],
    ['a top_p above one', { top_p: 1.5 }],
    ['a top_k that is no number', { top_k: 'all' }],
  ])('are refused: %s', (_case, json) => {
    expect(() => generationFromHuggingFace(json)).toThrow(expect.objectContaining({ code: 'MODEL_BAD_CONFIG' }))
  })
})
