/**
 * Arbitrary fields of the chain's encodings, each over its whole range.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import fc from 'fast-check'
import { type AccountId, accountId, type Hash, hash, type Milliseconds, milliseconds } from '../../src/base/brand.ts'
import { CHAIN_LIMITS } from '../../src/base/chain-limits.ts'
import { Reader, Writer } from '../../src/base/codec.ts'

export const CODEC = ['CODEC_']

export const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })
export const anyHash: fc.Arbitrary<Hash> = bytesOf(32).map((bytes) => hash(bytesToHex(bytes)))
export const anyAccount: fc.Arbitrary<AccountId> = bytesOf(20).map((bytes) => accountId(bytesToHex(bytes)))
export const anyCount: fc.Arbitrary<number> = fc.oneof(
  fc.nat({ max: 1_000 }),
  fc.maxSafeNat().map((value) => value % (CHAIN_LIMITS.heightMax + 1)),
  fc.constantFrom(CHAIN_LIMITS.heightMax, CHAIN_LIMITS.heightMax - 1),
)
export const anyTime: fc.Arbitrary<Milliseconds> = anyCount.map(milliseconds)
export const anyRound: fc.Arbitrary<number> = fc.nat({ max: CHAIN_LIMITS.roundMax })
export const anyU32: fc.Arbitrary<number> = fc.nat({ max: 0xffff_ffff })
export const anyU64: fc.Arbitrary<bigint> = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
export const anySignature: fc.Arbitrary<Uint8Array> = bytesOf(64)

/** Text of at most so many bytes, sometimes with a byte order mark in front. */
export const textOf = (bytesMax: number): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom('', '', '\ufeff'), fc.string({ unit: 'binary', maxLength: Math.floor((bytesMax - 3) / 4) }))
    .map(([mark, text]) => mark + text)

export const orNothing = <Value>(values: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(values, { nil: undefined })

/** Reads all of the bytes. */
export function whole<Value>(bytes: Uint8Array, read: (reader: Reader) => Value): Value {
  const reader = new Reader(bytes)
  const value = read(reader)
  reader.finish()
  return value
}

export function written(write: (writer: Writer) => unknown): Uint8Array {
  const writer = new Writer()
  write(writer)
  return writer.finish().slice()
}
