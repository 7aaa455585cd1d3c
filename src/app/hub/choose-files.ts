/**
 * Which files of a repository make a model: safetensors with what belongs to them, or else one GGUF model. Pure.
 * Spec: docs/spec/model.md §11.
 * @module
 */

import { ggufParts, isGgufName } from '../import/gguf-files.ts'
import { CONFIG_FILE, GENERATION_FILE } from '../import/model-source.ts'
import { TOKENIZER_FILES } from '../model-tokenizer.ts'
import { INDEX_FILE, SINGLE_FILE } from '../weights-folder.ts'
import { HubError } from './hub-error.ts'
import type { RemoteFile } from './repository.ts'

export interface Choice {
  readonly type: 'folder' | 'gguf'
  /** Fetched first: they say whether the model can be imported. */
  readonly small: readonly RemoteFile[]
  /** Empty where `small` has the index that lists them. */
  readonly weights: readonly RemoteFile[]
}

const SMALL: readonly string[] = [CONFIG_FILE, GENERATION_FILE, ...TOKENIZER_FILES]

/** `wanted` names one GGUF file. Throws HUB_NO_MODEL. */
export function chooseFiles(files: readonly RemoteFile[], wanted?: string): Choice {
  const byName = new Map(files.map((file) => [file.name, file]))
  const present = (names: readonly string[]): RemoteFile[] =>
    names.flatMap((name) => {
      const file = byName.get(name)
      return file === undefined ? [] : [file]
    })
  const single = byName.get(SINGLE_FILE)
  if (wanted === undefined && (single !== undefined || byName.has(INDEX_FILE))) {
    if (!byName.has(CONFIG_FILE)) throw noModel(`The repository has weights but no ${CONFIG_FILE}. Choose another one.`)
    return single !== undefined
      ? { type: 'folder', small: present(SMALL), weights: [single] }
      : { type: 'folder', small: present([...SMALL, INDEX_FILE]), weights: [] }
  }
  const parts = ggufParts(wanted ?? onlyModel(files))
  const weights = present(parts)
  if (weights.length < parts.length) {
    throw noModel(`The repository has no ${parts.find((name) => !byName.has(name))}. ${listOf(modelsOf(files))}`)
  }
  return { type: 'gguf', small: present([GENERATION_FILE, ...TOKENIZER_FILES]), weights }
}

/** Files that the index lists. Throws HUB_NO_MODEL where the repository does not have one of them. */
export function chooseIndexed(files: readonly RemoteFile[], names: readonly string[]): RemoteFile[] {
  return names.map((name) => {
    const file = files.find((candidate) => candidate.name === name)
    if (file === undefined) throw noModel(`The repository has no ${name}, which its index lists. Choose another one.`)
    return file
  })
}

function onlyModel(files: readonly RemoteFile[]): string {
  const models = modelsOf(files)
  if (models.length === 1) return models[0]!
  throw noModel(
    `The repository has ${models.length === 0 ? 'no model' : 'several models'} in its top folder. ${listOf(models)}`,
  )
}

/** First files of GGUF models; `mmproj` files see pictures and are none. */
function modelsOf(files: readonly RemoteFile[]): string[] {
  const names = files.map(({ name }) => name).filter((name) => isGgufName(name) && !name.startsWith('mmproj'))
  return [...new Set(names.map((name) => ggufParts(name)[0]!))].sort()
}

function listOf(models: readonly string[]): string {
  if (models.length === 0) return 'Choose one with safetensors or GGUF files.'
  return `Name one with --file: ${models.slice(0, 24).join(', ')}.`
}

function noModel(sentence: string): HubError {
  return new HubError('HUB_NO_MODEL', sentence)
}
