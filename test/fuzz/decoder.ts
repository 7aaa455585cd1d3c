/**
 * What a decoder promises, and whether it keeps it for some bytes: it reads them or refuses them with a code, leaves them as they
 * are, makes no more of them than they can hold, and what it reads has these bytes and no others.
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { HouseError } from '../../src/base/error.ts'

/** One row of the table. */
export interface DecoderParts<Value> {
  /** Folder of its corpus. */
  readonly name: string
  /** `path:function` below src of every decoder that this one runs. */
  readonly covers: readonly string[]
  /** Valid inputs, of more than one kind where there are kinds. */
  readonly samples: () => readonly Uint8Array[]
  /** Invalid ones that lead further into the decoder than chance would. */
  readonly near?: () => readonly Uint8Array[]
  readonly decode: (bytes: Uint8Array) => Value | Promise<Value>
  /** Where it is left out, the value has no encoding of its own. */
  readonly encode?: (value: Value) => Uint8Array
  /** Values over the whole range of each field. */
  readonly values?: fc.Arbitrary<Value>
  /** Text that people write has several encodings of one value; bytes have one. */
  readonly isText?: boolean
  /** Codes that it may throw; each stands for all that begin with it. */
  readonly codes: readonly string[]
  /** Whether input is believed: decoded, and its checksum, hash or signature holds. Then every changed byte must end that. */
  readonly believes?: (bytes: Uint8Array) => boolean
  /** Makes the checksum hold again, so that what is behind it is reached. */
  readonly reseal?: (bytes: Uint8Array) => Uint8Array
  /** What the caller of the decoder lets through to it. */
  readonly bytesMax: number
  /** How many times slower than most; it gets so many fewer cases. */
  readonly cost?: number
}

export interface Decoder extends Omit<DecoderParts<unknown>, 'encode' | 'values'> {
  /** The encoding of what was decoded; undefined where there is none. */
  readonly again: ((value: unknown) => Uint8Array) | undefined
  /** A property: values come back as they were. */
  readonly roundTrip: fc.IAsyncProperty<[unknown]> | undefined
}

/** A row without the type of its values. */
export function decoder<Value>(parts: DecoderParts<Value>): Decoder {
  const { encode, values, decode, ...rest } = parts
  return {
    ...rest,
    decode,
    again: encode && ((value) => encode(value as Value)),
    roundTrip:
      values &&
      fc.asyncProperty(values as fc.Arbitrary<unknown>, async (value) => {
        const found = await decode(encode!(value as Value))
        if (!isDeepStrictEqual(plain(found), plain(value))) throw new Error(`${parts.name}: decode(encode(x)) is not x`)
      }),
  }
}

/** A row whose input is text. */
export function textDecoder<Value>(
  parts: Omit<DecoderParts<Value>, 'decode' | 'samples' | 'near' | 'isText' | 'encode'> & {
    readonly samples: () => readonly string[]
    readonly near?: () => readonly string[]
    readonly decode: (text: string) => Value | Promise<Value>
    readonly encode?: (value: Value) => string
  },
): Decoder {
  const { samples, near, decode, encode, ...rest } = parts
  return decoder<Value>({
    ...rest,
    ...(encode === undefined ? {} : { encode: (value: Value) => utf8(encode(value)) }),
    isText: true,
    ...(near === undefined ? {} : { near: () => near().map(utf8) }),
    samples: () => samples().map(utf8),
    decode: (bytes) => decode(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)),
  })
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export type Verdict =
  | { readonly type: 'read' }
  | { readonly type: 'refused'; readonly code: string }
  /** A broken promise, as a sentence. */
  | { readonly type: 'fault'; readonly fault: string }

/** Bytes in memory that a decoder may make of each byte that it is given, and beside them. */
const GROWTH_MAX = 64
const GROWTH_ROOM = 64 * 1024

/** Runs the decoder on some bytes. Never throws. */
export async function judge(decoder: Decoder, bytes: Uint8Array): Promise<Verdict> {
  const given = bytes.slice()
  const outcome = await attempt(() => decoder.decode(given))
  const fault = (what: string): Verdict => ({ type: 'fault', fault: `${decoder.name} ${what}` })
  if (!isSame(given, bytes)) return fault('changed its input')
  if (outcome.type === 'thrown') return refusal(decoder, outcome.error, fault)
  const size = weightOf(outcome.value)
  if (size > GROWTH_MAX * bytes.length + GROWTH_ROOM) return fault(`made ${size} bytes of ${bytes.length}`)
  if (decoder.again === undefined) return { type: 'read' }
  const again = await attempt(() => decoder.again!(outcome.value))
  if (again.type === 'thrown') return fault(`read what cannot be written: ${told(again.error)}`)
  if (!decoder.isText) return isSame(again.value, bytes) ? { type: 'read' } : fault('read a second encoding of a value')
  const second = await attempt(() => decoder.decode(again.value))
  if (second.type === 'thrown') return fault(`refused what it made of its input: ${told(second.error)}`)
  return isDeepStrictEqual(second.value, outcome.value)
    ? { type: 'read' }
    : fault('read another value at the second time')
}

type Outcome<Value> =
  | { readonly type: 'done'; readonly value: Value }
  | { readonly type: 'thrown'; readonly error: unknown }

async function attempt<Value>(act: () => Value | Promise<Value>): Promise<Outcome<Value>> {
  try {
    return { type: 'done', value: await act() }
  } catch (error) {
    return { type: 'thrown', error }
  }
}

function refusal({ codes }: Decoder, error: unknown, fault: (what: string) => Verdict): Verdict {
  if (!(error instanceof HouseError)) return fault(`threw ${told(error)}`)
  const isListed = codes.some((code) => error.code.startsWith(code))
  return isListed ? { type: 'refused', code: error.code } : fault(`threw the code ${error.code}, which is not listed`)
}

function told(error: unknown): string {
  return error instanceof Error ? `${error.constructor.name}: ${error.message}\n${error.stack}` : String(error)
}

/** What a value takes in memory, about; shared buffers once. */
export function weightOf(value: unknown, seen: Set<unknown> = new Set()): number {
  // Not recursive: values may be deep.
  const waiting = [value]
  let bytes = 0
  while (waiting.length > 0) {
    const next = waiting.pop()
    bytes += 8
    if (typeof next === 'string') bytes += 16 + 2 * next.length
    else if (typeof next === 'bigint') bytes += 24
    if (typeof next !== 'object' || next === null || seen.has(next)) continue
    seen.add(next)
    bytes += 48
    if (ArrayBuffer.isView(next)) waiting.push(next.buffer)
    else if (next instanceof ArrayBuffer) bytes += next.byteLength
    else if (next instanceof Map || next instanceof Set) for (const item of next) waiting.push(item)
    else if (Array.isArray(next)) for (const item of next) waiting.push(item)
    else for (const item of Object.values(next)) waiting.push(item)
  }
  return bytes
}

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}

/** Without prototypes that do not matter: of fast-check's records, of a Buffer. */
function plain(value: unknown): unknown {
  return structuredClone(value)
}
