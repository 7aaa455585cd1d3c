/**
 * Reading the parameters of a call: each reader takes one field, checks kind and bounds, and refuses with a code that
 * names the field. Values are never repeated in errors, since somebody may have put a secret in the wrong place.
 * Spec: docs/spec/control.md §4.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { type Address, address, type Grains, grains, type Hash, hash } from '../../base/brand.ts'
import { type AddressError, decodeAddressOn } from '../../core/address.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { ParamError } from './control-errors.ts'

/** The fields of one call by name; a field that is null counts as absent. */
export type Params = ReadonlyMap<string, unknown>

const HASH_PATTERN = /^[0-9a-f]{64}$/
const HEX_PATTERN = /^(?:[0-9a-f]{2})*$/
/** Amounts travel as u64. */
const GRAINS_MAX = 2n ** 64n - 1n
const GRAINS_DIGITS_MAX = 20
const NAME_PATTERN = /^[A-Za-z]\w{0,39}$/

/**
 * The parameters of a request, by name or by position, as fields.
 * @throws ParamError PARAM_UNKNOWN for a field that the method does not have, or too many by position.
 */
export function readParams(value: unknown, fields: readonly string[]): Params {
  if (Array.isArray(value)) {
    if (value.length > fields.length) throw unknownParam(fields)
    return new Map(value.map((item, index) => [fields[index] as string, item]))
  }
  const entries = Object.entries((value ?? {}) as object)
  const stranger = entries.find(([name]) => !fields.includes(name))
  if (stranger !== undefined) throw unknownParam(fields, stranger[0])
  return new Map(entries)
}

/** The field by `read`, or undefined when it is absent. */
export function readOptional<Value>(
  params: Params,
  name: string,
  read: (params: Params, name: string) => Value,
): Value | undefined {
  return isAbsent(params, name) ? undefined : read(params, name)
}

/** An amount: a decimal string of grains below 2⁶⁴, without sign, spaces or leading zeros. */
export function readGrains(params: Params, name: string): Grains {
  const text = required(params, name)
  const isDecimal = typeof text === 'string' && text.length <= GRAINS_DIGITS_MAX && /^(?:0|[1-9]\d*)$/.test(text)
  const sentence = 'a decimal string of grains below 2^64, such as "1500000000"'
  if (!isDecimal) throw badParam(name, sentence)
  const amount = BigInt(text)
  if (amount > GRAINS_MAX) throw badParam(name, sentence)
  return grains(amount)
}

/** A whole number from `min` to `max`, which are safe integers. */
export function readInteger(
  params: Params,
  name: string,
  range: { readonly min: number; readonly max: number },
): number {
  const value = required(params, name)
  if (!Number.isSafeInteger(value) || (value as number) < range.min || (value as number) > range.max) {
    throw badParam(name, `a whole number from ${range.min} to ${range.max}`)
  }
  return value as number
}

/** A list of whole numbers from 0 to `max`, at most `count` of them. */
export function readNumbers(
  params: Params,
  name: string,
  bounds: { readonly count: number; readonly max: number },
): readonly number[] {
  const values = required(params, name)
  const isNumber = (value: unknown): boolean =>
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= bounds.max
  if (!Array.isArray(values) || values.length > bounds.count || !values.every(isNumber)) {
    throw badParam(name, `a list of at most ${bounds.count} whole numbers from 0 to ${bounds.max}`)
  }
  return values
}

/** A block height or another count: a whole number from 0. */
export function readHeight(params: Params, name: string): number {
  return readInteger(params, name, { min: 0, max: Number.MAX_SAFE_INTEGER })
}

/** An address of the network's kind, in lower case. */
export function readAddress(params: Params, name: string, network: NetworkKind): Address {
  const text = required(params, name)
  if (typeof text !== 'string') throw badParam(name, 'an address')
  try {
    decodeAddressOn(text, network)
  } catch (cause) {
    const { code, message } = cause as AddressError
    throw new ParamError('PARAM_BAD', `The parameter ${name} is no address here. ${message}`, {
      details: { param: name, reason: code },
      cause,
    })
  }
  return address(text.toLowerCase())
}

/** A list of addresses of the network's kind, at most `count` of them, in lower case. */
export function readAddresses(
  params: Params,
  name: string,
  { count, network }: { readonly count: number; readonly network: NetworkKind },
): readonly Address[] {
  const values = required(params, name)
  if (!Array.isArray(values) || values.length > count) throw badParam(name, `a list of at most ${count} addresses`)
  return values.map((value) => readAddress(new Map([[name, value]]), name, network))
}

/** A SHA-256 digest: 64 lower-case hexadecimal digits. */
export function readHash(params: Params, name: string): Hash {
  const text = required(params, name)
  if (typeof text !== 'string' || !HASH_PATTERN.test(text)) throw badParam(name, '64 lower-case hexadecimal digits')
  return hash(text)
}

/** Bytes as lower-case hexadecimal digits, at most `bytesMax` bytes. */
export function readBytes(params: Params, name: string, bytesMax: number): Uint8Array {
  const text = required(params, name)
  if (typeof text !== 'string' || text.length > 2 * bytesMax || !HEX_PATTERN.test(text)) {
    throw badParam(name, `lower-case hexadecimal digits of at most ${bytesMax} bytes`)
  }
  return hexToBytes(text)
}

/** A text of at most `charactersMax` UTF-16 units, without unpaired surrogates. */
export function readText(params: Params, name: string, charactersMax: number): string {
  const text = required(params, name)
  if (typeof text !== 'string' || text.length > charactersMax || !text.isWellFormed()) {
    throw badParam(name, `a text of at most ${charactersMax} characters`)
  }
  return text
}

/** true or false. */
export function readFlag(params: Params, name: string): boolean {
  const value = required(params, name)
  if (typeof value !== 'boolean') throw badParam(name, 'true or false')
  return value
}

function isAbsent(params: Params, name: string): boolean {
  return (params.get(name) ?? undefined) === undefined
}

function required(params: Params, name: string): unknown {
  if (isAbsent(params, name)) {
    throw new ParamError('PARAM_MISSING', `The parameter ${name} is missing.`, { details: { param: name } })
  }
  return params.get(name)
}

function badParam(name: string, what: string): ParamError {
  return new ParamError('PARAM_BAD', `The parameter ${name} must be ${what}.`, { details: { param: name } })
}

function unknownParam(fields: readonly string[], name = ''): ParamError {
  const known = fields.length === 0 ? 'It takes none.' : `It takes ${fields.join(', ')}.`
  const shown = NAME_PATTERN.test(name) ? name : undefined
  return new ParamError('PARAM_UNKNOWN', `The method does not have ${shown ?? 'one of these parameters'}. ${known}`, {
    details: { param: shown },
  })
}
