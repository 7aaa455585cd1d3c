/**
 * GGUF files on disk: which of them are one model, and their headers. A header says nowhere how long it is, so that more of the file is
 * read until it ends, up to a bound. Spec: docs/spec/model.md §10.
 * @module
 */
import { type FileHandle, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { MODEL_LIMITS } from '../../base/limits.ts'
import { type GgufHeader, type GgufTensor, parseGgufHeader } from '../../ml/gguf/header.ts'
import { ModelError } from '../../ml/model-error.ts'
import { asReadError } from '../file-errors.ts'
import { bytesAt, openForReading } from './source-weights.ts'

const FIRST_BYTES = 2 * 1024 * 1024
const GROWTH = 4
const PART = /^(?<stem>.*)-(?<part>\d{5})-of-(?<count>\d{5})\.gguf$/
const COUNT_KEY = 'split.count'
const PART_KEY = 'split.no'

export interface LocatedGgufTensor {
  readonly tensor: GgufTensor
  readonly file: FileHandle
}

export interface GgufFiles {
  /** Metadata of the first file: the others have only their number. */
  readonly metadata: GgufHeader['metadata']
  readonly tensors: ReadonlyMap<string, LocatedGgufTensor>
  close(): Promise<void>
}

export function isGgufName(name: string): boolean {
  return name.toLowerCase().endsWith('.gguf')
}

/** Name of the model in a GGUF file, from the file's. */
export function ggufStem(name: string): string {
  return PART.exec(name)?.groups?.['stem'] ?? name.slice(0, -'.gguf'.length)
}

/** The names of all files of the model of which `name` is one. Throws WEIGHTS_BAD_HEADER for a part of none, or of too many. */
export function ggufParts(name: string): string[] {
  const { stem, count = '' } = PART.exec(name)?.groups ?? {}
  if (stem === undefined) return [name]
  const total = Number(count)
  const part = Number(PART.exec(name)?.groups?.['part'])
  if (total < 1 || total > MODEL_LIMITS.weightFilesMax || part < 1 || part > total) {
    throw new ModelError('WEIGHTS_BAD_HEADER', `${name} is no part of a model: its number does not fit.`)
  }
  return Array.from({ length: total }, (_, index) => `${stem}-${String(index + 1).padStart(5, '0')}-of-${count}.gguf`)
}

/** First files of the GGUF models in a folder, by name. Throws MODEL_UNREADABLE. */
export async function ggufModelsIn(folder: string): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => isGgufName(name) && !name.startsWith('.'))
    return [...new Set(names.map((name) => ggufParts(name)[0]!))].sort()
  } catch (error) {
    throw asReadError(error, folder)
  }
}

/** Opens the file at `path` and the others of its model. Throws MODEL_UNREADABLE or a WEIGHTS_ code. */
export async function openGgufFiles(path: string): Promise<GgufFiles> {
  const names = ggufParts(basename(path))
  const files: FileHandle[] = []
  const tensors = new Map<string, LocatedGgufTensor>()
  let metadata: GgufHeader['metadata'] | undefined
  const close = async (): Promise<void> => {
    await Promise.all(files.splice(0).map((file) => file.close()))
  }
  try {
    for (const [index, name] of names.entries()) {
      const part = join(dirname(path), name)
      const file = await openForReading(part)
      files.push(file)
      const header = await readHeader(file, part)
      checkPart(header, part, { index, count: names.length })
      for (const tensor of header.tensors) {
        if (tensors.has(tensor.name)) throw bad(part, `tensor ${tensor.name} is in two files`)
        tensors.set(tensor.name, { tensor, file })
      }
      metadata ??= header.metadata
    }
  } catch (error) {
    await close()
    throw error
  }
  return { metadata: metadata ?? new Map(), tensors, close }
}

async function readHeader(file: FileHandle, path: string): Promise<GgufHeader> {
  try {
    const { size } = await file.stat()
    for (let length = FIRST_BYTES; ; length *= GROWTH) {
      const bytes = await bytesAt(file, 0, Math.min(length, size, MODEL_LIMITS.ggufHeaderBytesMax))
      const header = parseGgufHeader(bytes, size)
      if (header !== undefined) return header
      if (bytes.length === MODEL_LIMITS.ggufHeaderBytesMax)
        throw bad(path, 'its header is longer than that of any model')
    }
  } catch (error) {
    // The header's own sentence does not know which of several files it is about.
    if (!(error instanceof ModelError)) throw asReadError(error, path)
    throw new ModelError(error.code, `${path}: ${error.message}`, { cause: error })
  }
}

function checkPart({ metadata }: GgufHeader, path: string, { index, count }: { index: number; count: number }): void {
  if ((metadata.get(COUNT_KEY) ?? 1) !== (metadata.has(COUNT_KEY) ? count : 1)) {
    throw bad(path, `it is one of ${String(metadata.get(COUNT_KEY))} files; keep their names, and name the first`)
  }
  if (metadata.has(PART_KEY) && metadata.get(PART_KEY) !== index) throw bad(path, 'its number is not that of its name')
}

function bad(path: string, problem: string): ModelError {
  return new ModelError('WEIGHTS_BAD_HEADER', `${path} cannot be used: ${problem}.`)
}
