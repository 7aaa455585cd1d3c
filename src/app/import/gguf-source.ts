/**
 * Config and tokenizer of opened GGUF files. Spec: docs/spec/model.md §10.
 * @module
 */
import type { ModelConfig } from '../../ml/config.ts'
import { blockNameOf, decodeBlocks } from '../../ml/gguf/blocks.ts'
import { configFromGguf, readVocabularySize } from '../../ml/gguf/config.ts'
import { readGgufFields } from '../../ml/gguf/fields.ts'
import { LONG_FACTORS_NAME, ROPE_FACTORS_NAME, SHORT_FACTORS_NAME } from '../../ml/gguf/tensors.ts'
import { readGgufTokenizer } from '../../ml/gguf/tokenizer.ts'
import { ModelError } from '../../ml/model-error.ts'
import { TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from '../model-tokenizer.ts'
import type { GgufFiles } from './gguf-files.ts'
import { bytesAt } from './source-weights.ts'

/** Half of the largest head. */
const FACTORS_MAX = 16_384

export interface GgufDescription {
  readonly config: ModelConfig
  readonly tokenizer: {
    /** tokenizer.json and tokenizer_config.json, made from the metadata; none where that is not possible. */
    readonly files: ReadonlyMap<string, Uint8Array>
    /** Why it is not, as part of a sentence. */
    readonly reason: string
  }
}

/** Throws MODEL_UNSUPPORTED, MODEL_BAD_CONFIG, TOKENIZER_BAD or a WEIGHTS_ code. */
export async function describeGguf({ metadata, tensors }: GgufFiles): Promise<GgufDescription> {
  const fields = readGgufFields(metadata)
  const shapes = new Map([...tensors].map(([name, { tensor }]) => [name, tensor]))
  const { files, beginToken, endTokens } = readGgufTokenizer(metadata, readVocabularySize(shapes))
  const [ropeFactors, short, long] = [
    await readRopeFactors(tensors, ROPE_FACTORS_NAME),
    await readRopeFactors(tensors, SHORT_FACTORS_NAME),
    await readRopeFactors(tensors, LONG_FACTORS_NAME),
  ]
  const longFactors = short === undefined || long === undefined ? undefined : { short, long }
  return {
    config: configFromGguf(fields, { tensors: shapes, ropeFactors, longFactors, beginToken, endTokens }),
    tokenizer: {
      files:
        files.type === 'unknown'
          ? new Map()
          : new Map([
              [TOKENIZER_FILE, encoded(files.json)],
              [TOKENIZER_CONFIG_FILE, encoded(files.config)],
            ]),
      reason: files.type === 'unknown' ? files.reason : '',
    },
  }
}

async function readRopeFactors(tensors: GgufFiles['tensors'], name: string): Promise<Float32Array | undefined> {
  const located = tensors.get(name)
  if (located === undefined) return undefined
  const { tensor, file } = located
  const form = blockNameOf(tensor.type)
  if (form !== 'F32' || tensor.shape.length !== 1 || tensor.shape[0]! > FACTORS_MAX) {
    throw new ModelError('WEIGHTS_BAD_SHAPE', `Tensor ${name} is no list of F32 factors. Download the file again.`)
  }
  return decodeBlocks(form, await bytesAt(file, tensor.start, tensor.end - tensor.start))
}

function encoded(json: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json))
}
