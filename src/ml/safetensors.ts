/**
 * The safetensors format: 8 bytes of header length, a JSON header, then the data. Checks what a header may
 * claim before anybody allocates for it. Knows no files: the caller reads the bytes.
 * Format: https://huggingface.co/docs/safetensors; its rule that the data has no holes and no overlaps is enforced.
 * Spec: docs/spec/model.md §2.
 * @module
 */
import { MODEL_LIMITS } from '../base/limits.ts'
import { type JsonFields, parseJson, readFields } from './json-fields.ts'
import { ModelError, type ModelErrorCode } from './model-error.ts'

/** Bytes before the JSON header: its length as u64, little-endian. */
export const SAFETENSORS_PREFIX_BYTES = 8

/** Types of elements that can become weights. */
export const WEIGHT_DTYPES = ['F32', 'F16', 'BF16'] as const
export type WeightDtype = (typeof WEIGHT_DTYPES)[number]

const BITS_PER_ELEMENT: ReadonlyMap<string, number> = new Map([
  ...['F64', 'I64', 'U64', 'C64'].map((name) => [name, 64] as const),
  ...['F32', 'I32', 'U32'].map((name) => [name, 32] as const),
  ...['F16', 'BF16', 'I16', 'U16'].map((name) => [name, 16] as const),
  ...['I8', 'U8', 'BOOL', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'].map((n) => [n, 8] as const),
])

const DIMENSIONS_MAX = 8

export interface SafetensorsTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  /** Bytes of the data, counted from the start of the data part. */
  readonly start: number
  readonly end: number
}

/**
 * Length of the JSON header in bytes, from the first 8 bytes of a file of `fileBytes`.
 * Throws WEIGHTS_TRUNCATED or WEIGHTS_BAD_HEADER.
 */
export function safetensorsHeaderBytes(prefix: Uint8Array, fileBytes: number): number {
  if (prefix.length < SAFETENSORS_PREFIX_BYTES) {
    throw problem('WEIGHTS_TRUNCATED', 'the file is shorter than 8 bytes; download it again')
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, SAFETENSORS_PREFIX_BYTES).getBigUint64(0, true)
  if (length > BigInt(MODEL_LIMITS.safetensorsHeaderBytesMax)) {
    throw problem('WEIGHTS_BAD_HEADER', `its header claims ${length} bytes, more than the limit of the format`)
  }
  if (Number(length) > fileBytes - SAFETENSORS_PREFIX_BYTES) {
    throw problem('WEIGHTS_TRUNCATED', `its header claims ${length} bytes but the file has ${fileBytes}`)
  }
  return Number(length)
}

/**
 * Every tensor that the JSON header lists, in the order of the data; `dataBytes` is what follows the header.
 * Throws ModelError with a WEIGHTS_ code for anything that the format forbids.
 */
export function parseSafetensorsHeader(header: Uint8Array, dataBytes: number): SafetensorsTensor[] {
  const bad = (what: string): ModelError => problem('WEIGHTS_BAD_HEADER', `its header ${what}`)
  const fields = readFields(parseJson(header, bad), bad)
  const names = fields.keys().filter((name) => name !== '__metadata__')
  if (names.length > MODEL_LIMITS.tensorsMax) throw bad(`lists ${names.length} tensors, more than this program takes`)
  const tensors = names.map((name) => parseTensor(name, fields)).sort((a, b) => a.start - b.start || a.end - b.end)
  checkCoverage(tensors, dataBytes)
  return tensors
}

function parseTensor(name: string, header: JsonFields): SafetensorsTensor {
  const bad = (what: string): ModelError => problem('WEIGHTS_BAD_HEADER', `tensor ${name}: ${what}`)
  const fields = readFields(header.raw(name), bad)
  const dtype = fields.text('dtype')
  const bits = BITS_PER_ELEMENT.get(dtype)
  if (bits === undefined) throw problem('WEIGHTS_BAD_DTYPE', `tensor ${name} has the unknown dtype ${dtype}`)
  const shape = fields.list('shape', DIMENSIONS_MAX).map((size) => count(size, () => bad('its shape is not a shape')))
  const offsets = fields.list('data_offsets', 2)
  const wrong = (): ModelError => problem('WEIGHTS_BAD_OFFSETS', `tensor ${name} has offsets that are not offsets`)
  if (offsets.length !== 2) throw wrong()
  const start = count(offsets[0], wrong)
  const end = count(offsets[1], wrong)
  const bytes = (shape.reduce((product, size) => product * size, 1) * bits) / 8
  if (end - start !== bytes) {
    const text = `tensor ${name} of shape [${shape.join(', ')}] in ${dtype} takes ${bytes} bytes, not ${end - start}`
    throw problem('WEIGHTS_BAD_OFFSETS', text)
  }
  return { name, dtype, shape, start, end }
}

/** The tensors, in order of their start, tile [0, dataBytes) exactly. */
function checkCoverage(tensors: readonly SafetensorsTensor[], dataBytes: number): void {
  const last = tensors.reduce((end, tensor) => Math.max(end, tensor.end), 0)
  if (last > dataBytes) {
    const text = `its tensors take ${last} bytes but only ${dataBytes} follow the header; download it again`
    throw problem('WEIGHTS_TRUNCATED', text)
  }
  let position = 0
  for (const tensor of tensors) {
    if (tensor.start < position) throw problem('WEIGHTS_BAD_OFFSETS', `tensor ${tensor.name} overlaps another one`)
    if (tensor.start > position) throw problem('WEIGHTS_BAD_OFFSETS', `there is a hole before tensor ${tensor.name}`)
    position = tensor.end
  }
  if (position !== dataBytes) {
    throw problem('WEIGHTS_BAD_OFFSETS', `${dataBytes - position} bytes after the last tensor belong to none`)
  }
}

function count(value: unknown, fail: () => ModelError): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw fail()
  return value
}

function problem(code: ModelErrorCode, what: string): ModelError {
  return new ModelError(code, `The safetensors file cannot be used: ${what}.`)
}
