/**
 * Fields of encodings as docs/spec/wire.md has them, in hexadecimal texts and with nothing of the program.
 * @module
 */

export type Fields = Record<string, unknown>

/** u32 length, then ASCII. */
export function text(value: string): string {
  return u32(value.length) + Buffer.from(value, 'ascii').toString('hex')
}

export function u8(value: number): string {
  return value.toString(16).padStart(2, '0')
}

export function u16(value: number): string {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes.toString('hex')
}

export function u32(value: number): string {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes.toString('hex')
}

export function u64(value: string): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes.toString('hex')
}
