/**
 * Reader and Writer: the one binary encoding. Little-endian fixed-width integers and IEEE f32,
 * lengths as u32 before variable parts. A Reader never reads past its end and never allocates more than
 * the caller's bound; `finish` refuses trailing bytes, so that every value has exactly one encoding.
 * Spec: docs/spec/wire.md §1.
 * @module
 */
import { assert } from './assert.ts'
import { HouseError } from './error.ts'

export class CodecError extends HouseError<
  'CODEC_TRUNCATED' | 'CODEC_TRAILING' | 'CODEC_TOO_LONG' | 'CODEC_BAD_TEXT' | 'CODEC_BAD_VALUE'
> {}

const INITIAL_CAPACITY_BYTES = 256
/** The one NaN that is written and read, of the many that IEEE 754 has. */
const NAN_BITS_32 = 0x7fc0_0000
const NAN_BITS_64 = 0x7ff8_0000_0000_0000n

declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> }
declare const TextDecoder: new (
  label: string,
  options: { fatal: boolean; ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string }

/** A number that the field cannot hold is a bug of the caller: it would be written as another number. */
function assertInteger(value: number, max: number): void {
  assert(Number.isInteger(value) && value >= 0 && value <= max, 'an unsigned integer fits its field')
}

export class Writer {
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  #length = 0

  /** `capacityBytes` is a first guess; the buffer grows as needed. */
  constructor(capacityBytes: number = INITIAL_CAPACITY_BYTES) {
    this.#bytes = new Uint8Array(capacityBytes)
    this.#view = new DataView(this.#bytes.buffer)
  }

  u8(value: number): this {
    assertInteger(value, 0xff)
    const at = this.#reserve(1)
    this.#view.setUint8(at, value)
    return this
  }

  u16(value: number): this {
    assertInteger(value, 0xffff)
    const at = this.#reserve(2)
    this.#view.setUint16(at, value, true)
    return this
  }

  u32(value: number): this {
    assertInteger(value, 0xffff_ffff)
    const at = this.#reserve(4)
    this.#view.setUint32(at, value, true)
    return this
  }

  u64(value: bigint): this {
    const at = this.#reserve(8)
    this.#view.setBigUint64(at, value, true)
    return this
  }

  f32(value: number): this {
    if (Number.isNaN(value)) return this.u32(NAN_BITS_32)
    const at = this.#reserve(4)
    this.#view.setFloat32(at, value, true)
    return this
  }

  f64(value: number): this {
    if (Number.isNaN(value)) return this.u64(NAN_BITS_64)
    const at = this.#reserve(8)
    this.#view.setFloat64(at, value, true)
    return this
  }

  /** Bytes without a length: the reader knows how many. */
  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  /** u32 length, then the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes)
  }

  /** u32 byte length, then UTF-8. */
  text(text: string): this {
    return this.bytes(new TextEncoder().encode(text))
  }

  /** u32 count, then each item by `encode`. */
  list<Item>(items: readonly Item[], encode: (writer: Writer, item: Item) => void): this {
    this.u32(items.length)
    for (const item of items) encode(this, item)
    return this
  }

  /** What was written, as a view without copy; the writer must not be used afterwards. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length)
  }

  /** May replace the buffer and its view: call it before reading either. */
  #reserve(count: number): number {
    const start = this.#length
    const needed = start + count
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
      grown.set(this.#bytes)
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    this.#length = needed
    return start
  }
}

export class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.#bytes.length - this.#position
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true)
  }

  f32(): number {
    const at = this.#take(4)
    const value = this.#view.getFloat32(at, true)
    if (Number.isNaN(value) && this.#view.getUint32(at, true) !== NAN_BITS_32) throw otherNaN()
    return value
  }

  f64(): number {
    const at = this.#take(8)
    const value = this.#view.getFloat64(at, true)
    if (Number.isNaN(value) && this.#view.getBigUint64(at, true) !== NAN_BITS_64) throw otherNaN()
    return value
  }

  /** A boolean is one byte, 0 or 1; anything else is refused. */
  flag(): boolean {
    const value = this.u8()
    if (value > 1) throw new CodecError('CODEC_BAD_VALUE', 'A flag byte must be 0 or 1.', { details: { value } })
    return value === 1
  }

  /** A view of the next `count` bytes, without copy. */
  raw(count: number): Uint8Array {
    const start = this.#take(count)
    return this.#bytes.subarray(start, start + count)
  }

  /** Length-prefixed bytes of at most `maxLength`, as a view without copy. */
  bytes(maxLength: number): Uint8Array {
    return this.raw(this.#length(maxLength))
  }

  /** Length-prefixed UTF-8 of at most `maxLength` bytes. */
  text(maxLength: number): string {
    const bytes = this.bytes(maxLength)
    try {
      // With its byte order mark, if it begins with one: without it the text would have a second encoding.
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch (cause) {
      throw new CodecError('CODEC_BAD_TEXT', 'A text field is not valid UTF-8.', { cause })
    }
  }

  /** Count-prefixed list of at most `maxCount` items. */
  list<Item>(maxCount: number, decode: (reader: Reader) => Item): Item[] {
    const count = this.#length(maxCount)
    const items: Item[] = []
    for (let index = 0; index < count; index++) items.push(decode(this))
    return items
  }

  /** Refuses bytes after the last field. */
  finish(): void {
    if (this.remaining > 0) {
      throw new CodecError('CODEC_TRAILING', 'There are bytes after the end of the message.', {
        details: { remaining: this.remaining },
      })
    }
  }

  #length(max: number): number {
    const value = this.u32()
    if (value > max) {
      throw new CodecError('CODEC_TOO_LONG', 'A length field is over its limit.', { details: { value, max } })
    }
    return value
  }

  #take(count: number): number {
    const start = this.#position
    if (count > this.#bytes.length - start) {
      throw new CodecError('CODEC_TRUNCATED', 'The message ends too early.', {
        details: { needed: count, remaining: this.#bytes.length - start },
      })
    }
    this.#position = start + count
    return start
  }
}

function otherNaN(): CodecError {
  return new CodecError('CODEC_BAD_VALUE', 'A number that is none has another encoding than the one there is.')
}
