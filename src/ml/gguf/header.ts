/**
 * The header of a GGUF file: metadata and the places of its tensors. Every count, length and offset is compared with what the
 * file can hold before anything is allocated for it. Knows no files: the caller reads the bytes.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian. Spec: docs/spec/model.md §10.
 * @module
 */
import { MODEL_LIMITS } from '../../base/limits.ts'
import { ModelError, type ModelErrorCode } from '../model-error.ts'
import { type BlockType, blockTypeOf } from './blocks.ts'
import { type Cursor, createCursor, EndOfBytes } from './cursor.ts'

export type GgufScalar = number | bigint | boolean | string
/** Whole numbers beyond 2^53 stay bigint, which no field takes. */
export type GgufValue = GgufScalar | readonly GgufScalar[]

export interface GgufTensor {
  readonly name: string
  /** Its form in the file. */
  readonly type: BlockType
  /** Fastest dimension first, as in the file: of a matrix, columns before rows. */
  readonly shape: readonly number[]
  /** Bytes of the data, counted from the start of the file. */
  readonly start: number
  readonly end: number
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>
  /** In the order of the data. */
  readonly tensors: readonly GgufTensor[]
}

const MAGIC = 0x4655_4747 // "GGUF"
const VERSIONS: readonly number[] = [2, 3]
const DIMENSIONS_MAX = 4
const NAME_BYTES_MAX = 256
const ALIGNMENT_KEY = 'general.alignment'
const DEFAULT_ALIGNMENT = 32
const ALIGNMENT_MAX = 65_536
/** A key's length, its type and the shortest value; a name's length, dimensions, type and offset. */
const ENTRY_BYTES_MIN = 13
const TENSOR_BYTES_MIN = 32

const ARRAY = 9
/** Bytes of the shortest value of each type. */
const VALUE_BYTES_MIN: readonly number[] = [1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8]

/**
 * The header at the start of a file of `fileBytes`, of which `bytes` are the first; undefined where it goes on behind them.
 * Throws ModelError with a WEIGHTS_ code for anything that the format forbids or that cannot be in this file.
 */
export function parseGgufHeader(bytes: Uint8Array, fileBytes: number): GgufHeader | undefined {
  const cursor = createCursor(bytes, fileBytes)
  try {
    const { tensorCount, entryCount } = readCounts(cursor)
    const metadata = readMetadata(cursor, entryCount)
    const tensors = readTensors(cursor, tensorCount)
    const alignment = readAlignment(metadata)
    const dataStart = aligned(cursor.position(), alignment)
    return { metadata, tensors: placed(tensors, { dataStart, alignment, fileBytes }) }
  } catch (error) {
    if (!(error instanceof EndOfBytes)) throw error
    if (error.neededBytes > fileBytes)
      throw problem('WEIGHTS_TRUNCATED', 'it ends within its header; download it again')
    if (error.neededBytes > MODEL_LIMITS.ggufHeaderBytesMax) throw bad('its header is longer than that of any model')
    return undefined
  }
}

function readCounts(cursor: Cursor): { tensorCount: number; entryCount: number } {
  if (cursor.u32() !== MAGIC) throw bad('it does not start like one')
  const version = cursor.u32()
  if (version !== 0 && (version & 0xffff) === 0) throw bad('its numbers are big-endian; take a little-endian copy')
  if (!VERSIONS.includes(version)) throw bad(`its version is ${version}; this program takes 2 and 3`)
  const tensorCount = cursor.count(TENSOR_BYTES_MIN)
  const entryCount = cursor.count(ENTRY_BYTES_MIN)
  if (tensorCount > MODEL_LIMITS.tensorsMax) throw bad(`it lists ${tensorCount} tensors, more than this program takes`)
  if (entryCount > MODEL_LIMITS.ggufEntriesMax) throw bad(`it has ${entryCount} metadata, more than this program takes`)
  return { tensorCount, entryCount }
}

function readMetadata(cursor: Cursor, count: number): Map<string, GgufValue> {
  const metadata = new Map<string, GgufValue>()
  for (let index = 0; index < count; index++) {
    const key = cursor.text(NAME_BYTES_MAX)
    if (metadata.has(key)) throw bad(`${key} is in its metadata twice`)
    metadata.set(key, readValue(cursor, cursor.u32()))
  }
  return metadata
}

function readValue(cursor: Cursor, type: number): GgufValue {
  if (type !== ARRAY) return readScalar(cursor, type)
  const itemType = cursor.u32()
  if (itemType === ARRAY) throw bad('it has lists within lists')
  const length = cursor.count(VALUE_BYTES_MIN[itemType] ?? 1)
  if (length > MODEL_LIMITS.ggufListItemsMax) throw bad(`it has a list of ${length} items`)
  return Array.from({ length }, () => readScalar(cursor, itemType))
}

function readScalar(cursor: Cursor, type: number): GgufScalar {
  switch (type) {
    case 0:
      return cursor.u8()
    case 1:
      return (cursor.u8() << 24) >> 24
    case 2:
      return cursor.u16()
    case 3:
      return (cursor.u16() << 16) >> 16
    case 4:
      return cursor.u32()
    case 5:
      return cursor.u32() | 0
    case 6:
      return cursor.f32()
    case 7:
      return readFlag(cursor)
    case 8:
      return cursor.text(MODEL_LIMITS.ggufHeaderBytesMax)
    case 10:
      return exact(cursor.u64())
    case 11:
      return exact(BigInt.asIntN(64, cursor.u64()))
    case 12:
      return cursor.f64()
    default:
      throw bad(`it has metadata of the unknown type ${type}`)
  }
}

function readFlag(cursor: Cursor): boolean {
  const byte = cursor.u8()
  if (byte > 1) throw bad('it has a truth value that is neither 0 nor 1')
  return byte === 1
}

function exact(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

interface RawTensor {
  readonly name: string
  readonly type: BlockType
  readonly shape: readonly number[]
  readonly offset: number
  readonly bytes: number
}

function readTensors(cursor: Cursor, count: number): RawTensor[] {
  const names = new Set<string>()
  return Array.from({ length: count }, () => {
    const tensor = readTensor(cursor)
    if (names.has(tensor.name)) throw bad(`tensor ${tensor.name} is in it twice`)
    names.add(tensor.name)
    return tensor
  })
}

function readTensor(cursor: Cursor): RawTensor {
  const name = cursor.text(NAME_BYTES_MAX)
  const dimensions = cursor.u32()
  if (dimensions < 1 || dimensions > DIMENSIONS_MAX) throw bad(`tensor ${name} has ${dimensions} dimensions`)
  const shape = Array.from({ length: dimensions }, () => Number(cursor.u64()))
  const elements = shape.reduce((product, size) => product * size, 1)
  if (elements < 1 || !Number.isSafeInteger(elements)) throw bad(`the shape of tensor ${name} is no shape`)
  const typeId = cursor.u32()
  const type = blockTypeOf(typeId)
  if (type === undefined) throw problem('WEIGHTS_BAD_DTYPE', `tensor ${name} has the unknown type ${typeId}`)
  if (shape[0]! % type.elements !== 0) throw bad(`the rows of tensor ${name} are no whole blocks of ${type.name}`)
  const offset = Number(cursor.u64())
  return { name, type, shape, offset, bytes: (elements / type.elements) * type.bytes }
}

function readAlignment(metadata: ReadonlyMap<string, GgufValue>): number {
  const value = metadata.get(ALIGNMENT_KEY) ?? DEFAULT_ALIGNMENT
  if (typeof value === 'number' && value >= 1 && value <= ALIGNMENT_MAX && Number.isInteger(Math.log2(value)))
    return value
  throw bad(`${ALIGNMENT_KEY} is no power of two up to ${ALIGNMENT_MAX}`)
}

interface Room {
  readonly dataStart: number
  readonly alignment: number
  readonly fileBytes: number
}

/** The tensors by offset. They follow each other with no more than padding between them, and end with the file. */
function placed(tensors: readonly RawTensor[], { dataStart, alignment, fileBytes }: Room): GgufTensor[] {
  let position = dataStart
  const found = [...tensors]
    .sort((a, b) => a.offset - b.offset)
    .map(({ name, type, shape, offset, bytes }) => {
      const start = dataStart + offset
      if (start < position) throw problem('WEIGHTS_BAD_OFFSETS', `tensor ${name} overlaps another one`)
      if (start > position) throw problem('WEIGHTS_BAD_OFFSETS', `there is a hole before tensor ${name}`)
      const end = start + bytes
      if (end > fileBytes) {
        throw problem('WEIGHTS_TRUNCATED', `tensor ${name} ends at byte ${end} of ${fileBytes}; download it again`)
      }
      position = aligned(end, alignment)
      return { name, type, shape, start, end }
    })
  if (found.length > 0 && fileBytes > position) {
    throw problem('WEIGHTS_BAD_OFFSETS', `${fileBytes - position} bytes after the last tensor belong to none`)
  }
  return found
}

function aligned(position: number, alignment: number): number {
  return Math.ceil(position / alignment) * alignment
}

function bad(what: string): ModelError {
  return problem('WEIGHTS_BAD_HEADER', what)
}

function problem(code: ModelErrorCode, what: string): ModelError {
  return new ModelError(code, `The GGUF file cannot be used: ${what}.`)
}
