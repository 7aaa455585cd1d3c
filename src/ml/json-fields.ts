/**
 * Typed reading of JSON that others wrote: each field has a kind and bounds, and a failure names the field.
 * Knows nothing of models; the caller makes the error.
 * @module
 */
import { shown } from '../base/error.ts'

/** Makes the error to throw from a sentence such as `hidden_size must be …`. */
export type Fail = (problem: string) => Error

export interface Range {
  readonly min: number
  readonly max: number
}

/** Fields of one JSON object. A field that is null counts as absent. */
export interface JsonFields {
  keys(): string[]
  has(key: string): boolean
  /** The value as parsed; undefined when absent. */
  raw(key: string): unknown
  text(key: string): string
  integer(key: string, range: Range): number
  number(key: string, range: Range): number
  flag(key: string): boolean
  object(key: string): JsonFields
  /** The items of an array of at most `max` items. */
  list(key: string, max: number): unknown[]
  /** Refuses fields other than these. */
  only(keys: readonly string[]): void
}

declare const TextDecoder: new (label: string, options: { fatal: boolean }) => { decode(bytes: Uint8Array): string }

/** Parses UTF-8 JSON; throws `fail(…)` where the bytes are neither. */
export function parseJson(bytes: Uint8Array, fail: Fail): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw fail('is not valid JSON in UTF-8')
  }
}

/** The fields of a JSON value; throws `fail(…)` unless it is an object. */
export function readFields(value: unknown, fail: Fail): JsonFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fail('must be a JSON object')
  const entries = new Map<string, unknown>(Object.entries(value))
  const raw = (key: string): unknown => entries.get(key) ?? undefined
  const required = (key: string): unknown => {
    const found = raw(key)
    if (found === undefined) throw fail(`${key} is missing`)
    return found
  }
  const number = (key: string, range: Range): number => {
    const found = required(key)
    if (typeof found !== 'number' || !(found >= range.min && found <= range.max)) {
      throw fail(`${key} must be a number from ${range.min} to ${range.max}, not ${shown(found)}`)
    }
    return found
  }
  return {
    keys: () => [...entries.keys()],
    has: (key) => raw(key) !== undefined,
    raw,
    text: (key) => expect(required(key), 'string', () => fail(`${key} must be a text`)),
    flag: (key) => expect(required(key), 'boolean', () => fail(`${key} must be true or false`)),
    number,
    integer: (key, range) => {
      const found = number(key, range)
      if (!Number.isInteger(found)) throw fail(`${key} must be a whole number, not ${shown(found)}`)
      return found
    },
    object: (key) => readFields(required(key), (problem) => fail(`${key} ${problem}`)),
    list: (key, max) => {
      const found = required(key)
      if (!Array.isArray(found)) throw fail(`${key} must be a list`)
      if (found.length > max) throw fail(`${key} has ${found.length} items, more than ${max}`)
      return found
    },
    only: (keys) => {
      const stranger = [...entries.keys()].find((key) => !keys.includes(key))
      if (stranger !== undefined) throw fail(`${stranger} is not a known field`)
    },
  }
}

function expect<Kind extends 'string' | 'boolean'>(
  value: unknown,
  kind: Kind,
  fail: () => Error,
): Kind extends 'string' ? string : boolean {
  if (typeof value !== kind) throw fail()
  return value as Kind extends 'string' ? string : boolean
}
