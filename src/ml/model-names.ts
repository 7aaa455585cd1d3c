/**
 * What a model and a file beside its manifest may be called. Both become parts of paths, so neither may
 * hold a separator, start with a dot or be empty. Spec: docs/spec/model.md §6.
 * @module
 */
import { MODEL_LIMITS } from '../base/limits.ts'
import { ModelError } from './model-error.ts'

const PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const FILE_NAME_CHARACTERS_MAX = 128
/** Names that some file systems take for devices. */
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i

/** Throws MODEL_BAD_NAME unless `name` can name a model. */
export function checkModelName(name: string): void {
  if (isPlainName(name) && name.length <= MODEL_LIMITS.modelNameCharactersMax) return
  throw new ModelError(
    'MODEL_BAD_NAME',
    `A model's name has 1 to ${MODEL_LIMITS.modelNameCharactersMax} letters, digits, dots, dashes or underscores and starts ` +
      'with a letter or digit. Give another one, at an import with --name; `dllm model list` shows those that are here.',
  )
}

/** Whether `name` may be a file beside a manifest or beside config.json. */
export function isPlainFileName(name: string): boolean {
  return isPlainName(name) && name.length <= FILE_NAME_CHARACTERS_MAX
}

function isPlainName(name: string): boolean {
  return PATTERN.test(name) && !RESERVED.test(name) && !name.endsWith('.')
}
