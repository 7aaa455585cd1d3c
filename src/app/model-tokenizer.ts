/**
 * The tokenizer of a stored model, from the files beside its manifest. Loads the tokenizer library only when it is
 * called. Spec: docs/spec/model.md §8.
 * @module
 */
import { MODEL_LIMITS } from '../base/limits.ts'
import { parseJson } from '../ml/json-fields.ts'
import { ModelError } from '../ml/model-error.ts'
import type { Tokenizer, TokenizerOptions } from '../ml/tokenizer.ts'
import { readBounded, type StoredModel } from './model-store.ts'
import { type ModelPlace, pathOfFile } from './shards/model-files.ts'

export const TOKENIZER_FILE = 'tokenizer.json'
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json'
export const CHAT_TEMPLATE_FILE = 'chat_template.jinja'

/** The files that an import keeps beside the shards, where the source has them. */
export const TOKENIZER_FILES: readonly string[] = [TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, CHAT_TEMPLATE_FILE]

/** Throws TOKENIZER_MISSING for a model that was imported without, and what createTokenizer throws. */
export async function loadTokenizer(model: Pick<StoredModel, 'manifest'> & ModelPlace): Promise<Tokenizer> {
  const { manifest } = model
  if (!manifest.files.some((file) => file.name === TOKENIZER_FILE)) {
    throw new ModelError(
      'TOKENIZER_MISSING',
      `The model ${manifest.name} was imported without a tokenizer, so it cannot chat; \`dllm model probe\` takes token ids. ` +
        'To chat, put tokenizer.json into its source folder and import it again with --force.',
    )
  }
  const read = (name: string): Uint8Array | undefined => {
    const file = manifest.files.find((entry) => entry.name === name)
    return file === undefined ? undefined : readBounded(pathOfFile(model, file), MODEL_LIMITS.jsonFileBytesMax)
  }
  return tokenizerFromFiles(read, manifest.config)
}

/** A tokenizer from files by name; `read` gives undefined for a file that is not there. */
export async function tokenizerFromFiles(
  read: (name: string) => Uint8Array | undefined,
  config: TokenizerOptions['config'],
): Promise<Tokenizer> {
  const { createTokenizer } = await import('../ml/tokenizer.ts')
  const template = read(CHAT_TEMPLATE_FILE)
  return createTokenizer({
    tokenizerJson: parsed(TOKENIZER_FILE, read),
    tokenizerConfig: parsed(TOKENIZER_CONFIG_FILE, read),
    chatTemplate: template === undefined ? undefined : new TextDecoder().decode(template),
    config,
  })
}

function parsed(name: string, read: (name: string) => Uint8Array | undefined): unknown {
  const bytes = read(name)
  if (bytes === undefined) return undefined
  return parseJson(bytes, (problem) => new ModelError('TOKENIZER_BAD', `${name} cannot be used: it ${problem}.`))
}
