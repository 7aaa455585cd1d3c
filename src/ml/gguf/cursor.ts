/**
 * Reads little-endian values from the first bytes of a file, one after the other. Knows how long the whole file is, so that a length
 * which cannot be true is found before its bytes are waited for.
 * @module
 */
import { ModelError } from '../model-error.ts'

/** The header goes on behind the bytes that are there; `neededBytes` is how far, at least. */
export class EndOfBytes extends Error {
  readonly neededBytes: number
  constructor(neededBytes: number) {
    super('the bytes end here')
    this.neededBytes = neededBytes
  }
}

/** Each of its functions throws EndOfBytes where the bytes do not reach. */
export interface Cursor {
  position(): number
  u8(): number
  u16(): number
  u32(): number
  u64(): bigint
  f32(): number
  f64(): number
  /** A number of items of at least `itemBytes` each, that the rest of the file can hold. */
  count(itemBytes: number): number
  /** UTF-8 after its length. Throws WEIGHTS_BAD_HEADER for other bytes, or more than `bytesMax`. */
  text(bytesMax: number): string
}

declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string }

export function createCursor(bytes: Uint8Array, fileBytes: number): Cursor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let position = 0
  /** Moves on by `length`; returns where that began. */
  const take = (length: number): number => {
    const start = position
    if (start + length > bytes.length) throw new EndOfBytes(start + length)
    position += length
    return start
  }
  const u64 = (): bigint => view.getBigUint64(take(8), true)
  return {
    position: () => position,
    u8: () => view.getUint8(take(1)),
    u16: () => view.getUint16(take(2), true),
    u32: () => view.getUint32(take(4), true),
    u64,
    f32: () => view.getFloat32(take(4), true),
    f64: () => view.getFloat64(take(8), true),
    count: (itemBytes) => {
      const count = Number(u64())
      if (count * itemBytes > fileBytes - position) throw new EndOfBytes(position + count * itemBytes)
      return count
    },
    text: (bytesMax) => {
      const length = Number(u64())
      if (length > fileBytes - position) throw new EndOfBytes(position + length)
      if (length > bytesMax) throw bad(`it has a name of ${length} bytes`)
      const start = take(length)
      try {
        return utf8.decode(bytes.subarray(start, start + length))
      } catch {
        throw bad('it has a text that is not UTF-8')
      }
    },
  }
}

function bad(what: string): ModelError {
  return new ModelError('WEIGHTS_BAD_HEADER', `The GGUF file cannot be used: ${what}.`)
}
