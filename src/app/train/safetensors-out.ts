/**
 * Writes safetensors files of F32 tensors, and folders in Hugging Face's layout that `dllm model import` takes.
 * Spec: docs/spec/model.md §2, docs/spec/float.md §4.
 * @module
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ModelConfig } from '../../ml/config.ts'
import { floatBytes, floatsFromBytes } from '../../ml/digest.ts'
import { huggingFaceConfig, huggingFaceTensors, type NamedTensor } from '../../ml/huggingface-out.ts'
import { parseSafetensorsHeader, SAFETENSORS_PREFIX_BYTES, safetensorsHeaderBytes } from '../../ml/safetensors.ts'
import type { WeightSource } from '../../ml/tensors.ts'
import { writeFileAtomic } from '../home.ts'
import { TOKENIZER_FILES } from '../model-tokenizer.ts'
import { SINGLE_FILE } from '../weights-folder.ts'

const READABLE = { mode: 0o644 }

/** One whole file, in the order of the tensors. */
export function encodeSafetensors(tensors: readonly NamedTensor[]): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let end = 0
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + values.byteLength] }
    end += values.byteLength
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const bytes = new Uint8Array(SAFETENSORS_PREFIX_BYTES + text.length + end)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, SAFETENSORS_PREFIX_BYTES)
  let at = SAFETENSORS_PREFIX_BYTES + text.length
  for (const { values } of tensors) {
    bytes.set(floatBytes(values), at)
    at += values.byteLength
  }
  return bytes
}

/** The F32 tensors of a file of ours, by name. @throws ModelError with a WEIGHTS_ code. */
export function loadSafetensors(path: string): Map<string, Float32Array> {
  const bytes = readFileSync(path)
  const dataStart = SAFETENSORS_PREFIX_BYTES + safetensorsHeaderBytes(bytes, bytes.length)
  const header = bytes.subarray(SAFETENSORS_PREFIX_BYTES, dataStart)
  const tensors = parseSafetensorsHeader(header, bytes.length - dataStart)
  return new Map(
    tensors.map(({ name, start, end }) => [name, floatsFromBytes(bytes.subarray(dataStart + start, dataStart + end))]),
  )
}

/** config.json, model.safetensors, and copies of the tokenizer's files from `tokenizerFolder`. */
export async function writeHuggingFaceFolder(
  folder: string,
  { config, weights }: { config: ModelConfig; weights: WeightSource },
  tokenizerFolder: string,
): Promise<void> {
  mkdirSync(folder, { recursive: true })
  await writeFileAtomic(join(folder, SINGLE_FILE), encodeSafetensors(huggingFaceTensors(config, weights)), READABLE)
  const text = `${JSON.stringify(huggingFaceConfig(config), undefined, 2)}\n`
  await writeFileAtomic(join(folder, 'config.json'), text, READABLE)
  for (const name of TOKENIZER_FILES.filter((file) => existsSync(join(tokenizerFolder, file)))) {
    copyFileSync(join(tokenizerFolder, name), join(folder, name))
  }
}
