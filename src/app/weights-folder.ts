/**
 * The safetensors files of a Hugging Face folder, single or sharded, opened for reading in blocks of rows. Nothing is
 * read but headers until rows are asked for. Spec: docs/spec/model.md §2.
 * @module
 */
import { type FileHandle, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MODEL_LIMITS } from '../base/limits.ts'
import type { ModelConfig } from '../ml/config.ts'
import { decodeElements, dtypeBytes } from '../ml/float-formats.ts'
import { checkSourceTensor, isIgnorable, sourceTensor, textName } from '../ml/huggingface-tensors.ts'
import { parseJson, readFields } from '../ml/json-fields.ts'
import { ModelError } from '../ml/model-error.ts'
import { isPlainFileName } from '../ml/model-names.ts'
import {
  parseSafetensorsHeader,
  SAFETENSORS_PREFIX_BYTES,
  type SafetensorsTensor,
  safetensorsHeaderBytes,
  type WeightDtype,
} from '../ml/safetensors.ts'
import type { TensorPlan } from '../ml/tensors.ts'
import { asReadError } from './file-errors.ts'
import {
  bytesAt,
  checkFinite,
  missingTensor,
  openForReading,
  type RowBlock,
  type SourceWeights,
  unknownTensor,
} from './import/source-weights.ts'
import { readBounded } from './model-store.ts'

export const SINGLE_FILE = 'model.safetensors'
export const INDEX_FILE = 'model.safetensors.index.json'

interface LocatedTensor {
  readonly tensor: SafetensorsTensor
  readonly file: FileHandle
  /** Where the data part of its file starts. */
  readonly dataOffset: number
}

/** Opens every weight file of `folder` and reads its header. Throws MODEL_UNREADABLE or a WEIGHTS_ code. */
export async function openWeightsFolder(folder: string): Promise<SourceWeights> {
  const names = await weightFiles(folder)
  const tensors = new Map<string, LocatedTensor>()
  const files: FileHandle[] = []
  const close = async (): Promise<void> => {
    await Promise.all(files.splice(0).map((file) => file.close()))
  }
  try {
    for (const name of names) {
      const path = join(folder, name)
      const file = await openForReading(path)
      files.push(file)
      for (const located of await readHeader(file, path)) {
        const name = textName(located.tensor.name)
        if (tensors.has(name)) throw bad(path, `tensor ${located.tensor.name} is in two files`)
        tensors.set(name, located)
      }
    }
  } catch (error) {
    await close()
    throw error
  }
  return {
    close,
    check: (config, plan) => checkTensors(tensors, config, plan),
    bytesOf: (config, plan) => {
      const { tensor } = locate(tensors, config, plan)
      return (tensor.end - tensor.start) * (plan.rows / sourceTensor(plan, config).rows)
    },
    readRows: (config, plan, block) => readRows(locate(tensors, config, plan), { config, plan, block }),
  }
}

async function weightFiles(folder: string): Promise<string[]> {
  if (await exists(join(folder, SINGLE_FILE))) return [SINGLE_FILE]
  const path = join(folder, INDEX_FILE)
  if (!(await exists(path))) {
    throw new ModelError(
      'MODEL_UNREADABLE',
      `${folder} has neither ${SINGLE_FILE} nor ${INDEX_FILE}. Name the folder of a model in safetensors format.`,
    )
  }
  return readIndex(path)
}

/** Names of the files that an index lists, sorted. Throws MODEL_UNREADABLE or WEIGHTS_BAD_HEADER. */
export function readIndex(path: string): string[] {
  const fail = (problem: string): ModelError => bad(path, problem)
  const map = readFields(parseJson(readBounded(path, MODEL_LIMITS.jsonFileBytesMax), fail), fail).object('weight_map')
  const names = new Set(map.keys().map((tensor) => map.text(tensor)))
  for (const name of names) {
    if (!isPlainFileName(name)) throw fail('it names a file outside the folder')
  }
  if (names.size === 0) throw fail('it lists no files')
  if (names.size > MODEL_LIMITS.weightFilesMax) throw fail(`it lists ${names.size} files`)
  return [...names].sort()
}

async function readHeader(file: FileHandle, path: string): Promise<LocatedTensor[]> {
  const { size } = await file.stat()
  try {
    const headerBytes = safetensorsHeaderBytes(await bytesAt(file, 0, Math.min(SAFETENSORS_PREFIX_BYTES, size)), size)
    const header = await bytesAt(file, SAFETENSORS_PREFIX_BYTES, headerBytes)
    const dataOffset = SAFETENSORS_PREFIX_BYTES + headerBytes
    return parseSafetensorsHeader(header, size - dataOffset).map((tensor) => ({ tensor, file, dataOffset }))
  } catch (error) {
    // The header's own sentence does not know which of several files it is about.
    if (!(error instanceof ModelError)) throw asReadError(error, path)
    throw new ModelError(error.code, `${path}: ${error.message}`, { cause: error })
  }
}

function checkTensors(
  tensors: ReadonlyMap<string, LocatedTensor>,
  config: ModelConfig,
  plan: readonly TensorPlan[],
): void {
  const wanted = new Set<string>()
  for (const item of plan) {
    const { name, rows } = sourceTensor(item, config)
    checkSourceTensor(item, locate(tensors, config, item).tensor, rows)
    wanted.add(name)
  }
  const stranger = [...tensors.keys()].find((name) => !wanted.has(name) && !isIgnorable(name, config))
  if (stranger !== undefined) throw unknownTensor(stranger)
}

function locate(tensors: ReadonlyMap<string, LocatedTensor>, config: ModelConfig, plan: TensorPlan): LocatedTensor {
  const { name } = sourceTensor(plan, config)
  const found = tensors.get(name)
  if (found !== undefined) return found
  throw missingTensor(name)
}

interface Wanted {
  readonly config: ModelConfig
  readonly plan: TensorPlan
  readonly block: RowBlock
}

async function readRows(located: LocatedTensor, { config, plan, block }: Wanted): Promise<Float32Array> {
  const { tensor, file, dataOffset } = located
  const { rows, firstRow, offset } = sourceTensor(plan, config)
  const dtype: WeightDtype = checkSourceTensor(plan, tensor, rows)
  const rowBytes = plan.columns * dtypeBytes(dtype)
  const start = dataOffset + tensor.start + (firstRow + block.firstRow) * rowBytes
  const values = decodeElements(dtype, await bytesAt(file, start, block.rows * rowBytes))
  checkFinite(tensor.name, values, plan, block.firstRow)
  return offset === 0 ? values : values.map((value) => value + offset)
}

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

function bad(path: string, problem: string): ModelError {
  return new ModelError('WEIGHTS_BAD_HEADER', `${path} cannot be used: ${problem}.`)
}
