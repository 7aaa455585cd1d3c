/**
 * The decoder of canaries: files that a publisher made and any peer may have sent.
 * @module
 */
import { hash } from '../../src/base/brand.ts'
import { type Canary, canaryBytesMax, decodeCanary, encodeCanary } from '../../src/ml/canary.ts'
import { type Decoder, decoder } from './decoder.ts'

const SHAPE = { config: { hiddenSize: 2, vocabularySize: 40, contextLength: 128 }, segments: { length: 3 } }
const digest = hash('ab'.repeat(32))
const prompt = {
  tokens: Int32Array.of(0, 39),
  borders: [1, 2].map((value) => new Float32Array(4).fill(value)),
  logits: digest,
}
const canary: Canary = { model: digest, prompts: [prompt, { ...prompt, tokens: Int32Array.of(5, 6) }] }

export const CANARY_ROWS: readonly Decoder[] = [
  decoder({
    name: 'canary',
    covers: ['ml/canary.ts:decodeCanary'],
    samples: () => [encodeCanary(canary)],
    near: () => [
      encodeCanary({ ...canary, prompts: [{ ...prompt, tokens: Int32Array.of(0, 40) }] }),
      encodeCanary({ ...canary, prompts: [{ ...prompt, tokens: new Int32Array() }] }),
      encodeCanary({ ...canary, prompts: [] }),
    ],
    decode: (bytes) => decodeCanary(bytes, SHAPE),
    encode: encodeCanary,
    codes: ['CODEC_'],
    bytesMax: canaryBytesMax(SHAPE),
  }),
]
