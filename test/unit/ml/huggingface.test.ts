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
const gemma = { ...llama, architectures: ['GemmaForCausalLM'], head_dim: 16 }
const gemma2 = { ...gemma, architectures: ['Gemma2ForCausalLM'] }
const gemma3 = { ...gemma, architectures: ['Gemma3ForCausalLM'], num_hidden_layers: 7 }
const phi3 = { ...llama, architectures: ['Phi3ForCausalLM'], max_position_embeddings: 512 }
const smollm3 = { ...llama, architectures: ['SmolLM3ForCausalLM'], eos_token_id: 2 }
const withImages = {
  architectures: ['Gemma3ForConditionalGeneration'],
  eos_token_id: [1, 106],
  text_config: { model_type: 'gemma3_text', hidden_size: 2_560, num_hidden_layers: 34, intermediate_size: 10_240 },
  vision_config: {},
}
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
      { ...qwen2, sliding_window: 128, layer_types: Array(5).fill('full_attention') },
      { slidingWindow: undefined },
    ],
    ['Qwen3 norms and head size', qwen3, { queryKeyNorm: true, headSize: 32 }],
    [
      'a Qwen2 window in its last layers',
      { ...qwen2, use_sliding_window: true, sliding_window: 128, max_window_layers: 3 },
      { slidingWindow: 128, extras: { windowLayers: [3, 4] } },
    ],
    [
      'windows of some layers of Ministral',
      {
        ...{ ...mistral, architectures: ['MinistralForCausalLM'], sliding_window: 64, num_hidden_layers: 3 },
        layer_types: ['full_attention', 'sliding_attention', 'sliding_attention'],
      },
      { family: 'mistral', slidingWindow: 64, extras: { windowLayers: [1, 2] } },
    ],
    [
      'yarn',
      { ...qwen3, rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 128 } },
      {
        ropeScaling: {
          ...{ type: 'yarn', factor: 4, originalContextLength: 128, fastRotations: 32, slowRotations: 1 },
          attentionFactor: 0.1 * Math.log(4) + 1,
        },
      },
    ],
    ['the gate and factor of Gemma', gemma, { extras: { gate: 'gelu', embeddingFactor: 8 } }],
    [
      'caps, norms and windows of Gemma 2',
      gemma2,
      {
        slidingWindow: 4096,
        tiedHead: true,
        extras: {
          ...{ gate: 'gelu', outputNorms: true, embeddingFactor: 8, scoreSize: 256, scoreCap: 50, logitCap: 30 },
          windowLayers: [0, 2, 4],
        },
      },
    ],
    [
      'the two thetas of Gemma 3',
      { ...gemma3, rope_scaling: { rope_type: 'linear', factor: 8 }, query_pre_attn_scalar: 16 },
      {
        ...{ ropeTheta: 1e6, ropeScaling: { type: 'linear', factor: 8 }, queryKeyNorm: true },
        extras: {
          ...{ gate: 'gelu', outputNorms: true, embeddingFactor: 8 },
          ...{ windowLayers: [0, 1, 2, 3, 4, 6], windowTheta: 10_000 },
        },
      },
    ],
    [
      'parameters by kind of layer',
      {
        ...gemma3,
        rope_parameters: {
          full_attention: { rope_type: 'linear', factor: 8, rope_theta: 2e6 },
          sliding_attention: { rope_type: 'default', rope_theta: 20_000 },
        },
      },
      { ropeTheta: 2e6, ropeScaling: { type: 'linear', factor: 8 }, extras: { windowTheta: 20_000 } },
    ],
    [
      'the text part of a model that sees images',
      withImages,
      {
        ...{ family: 'gemma3', headCount: 8, headSize: 256, vocabularySize: 262_208, endTokens: [1, 106] },
        ...{ beginToken: 2, extras: { embeddingFactor: 50.5 } },
      },
    ],
    [
      'the two lists of Phi-3',
      {
        ...{ ...phi3, original_max_position_embeddings: 128, sliding_window: 2_047, head_dim: 8 },
        ...{ partial_rotary_factor: 0.5, rope_scaling: { type: 'su', short_factor: [1, 1.5], long_factor: [2, 4] } },
      },
      {
        slidingWindow: undefined,
        ropeScaling: {
          ...{ type: 'longrope', shortFactors: [1, 1.5], longFactors: [2, 4], originalContextLength: 128 },
          attentionFactor: Math.sqrt(1 + Math.log(4) / Math.log(128)),
        },
        extras: { rotarySize: 4 },
      },
    ],
    ['layers of SmolLM3 without rotation', smollm3, { ropeTheta: 2e6, extras: { unrotatedLayers: [3] } }],
    [
      'a list of such layers',
      { ...smollm3, no_rope_layers: [0, 1, 1, 1, 0], tie_word_embeddings: false },
      { tiedHead: false, extras: { unrotatedLayers: [0, 4] } },
    ],
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
    ['yarn that scales twice', { ...llama, rope_scaling: { rope_type: 'yarn', factor: 2, mscale: 1 } }, /mscale/],
    ['yarn of Gemma', { ...gemma2, rope_scaling: { rope_type: 'yarn', factor: 2 } }, /yarn/],
    ['another scaling of Phi-3', { ...phi3, rope_scaling: { rope_type: 'llama3', ...llama3Rope } }, /llama3/],
    ['another activation of Gemma', { ...gemma2, hidden_activation: 'gelu' }, /gelu/],
    ['caps of another family', { ...llama, final_logit_softcapping: 30 }, /final_logit_softcapping/],
    ['experts', { ...qwen3, num_experts: 8 }, /num_experts/],
    ['attention in both directions', { ...gemma3, use_bidirectional_attention: true }, /bidirectional/],
    ['chunked attention', { ...qwen3, layer_types: Array(5).fill('chunked_attention') }, /chunked_attention/],
    ['a text part that is not known', { ...withImages, text_config: { model_type: 'ministral3' } }, /ministral3/],
    ['longrope', { ...llama, rope_parameters: { rope_type: 'longrope' } }, /longrope/],
    ['partial rotation', { ...llama, partial_rotary_factor: 0.5 }, /partial_rotary_factor/],
    ['quantised weights', { ...llama, quantization_config: { quant_method: 'gptq' } }, /quantised/],
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
    ['with heads that no engine has room for', { ...llama, head_dim: 1_026 }],
    ['with heads that do not fill the row', { ...llama, num_attention_heads: 7, num_key_value_heads: 7 }],
    ['with a context without end', { ...llama, max_position_embeddings: 1e12 }],
    ['with an end token outside the vocabulary', { ...llama, eos_token_id: 512 }],
    ['with an end token that is a text', { ...llama, eos_token_id: ['</s>'] }],
    ['with a begin token outside the vocabulary', { ...llama, bos_token_id: 512 }],
    ['with an epsilon of zero', { ...llama, rms_norm_eps: 0 }],
    [
      'with lists of factors that are too short',
      { ...phi3, rope_scaling: { type: 'su', short_factor: [1], long_factor: [1] } },
    ],
    ['with layer types that end early', { ...gemma3, layer_types: ['full_attention'] }],
    ['with odd flags of layers', { ...smollm3, no_rope_layers: [1, 1, 2, 1, 1] }],
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
