import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { peerId } from '../../../src/base/brand.ts'
import { Writer } from '../../../src/base/codec.ts'
import { WIRE_LIMITS } from '../../../src/base/limits.ts'
import {
  decodeStatus,
  encodeOffer,
  encodeStatus,
  type Status,
  type ToldOffer,
} from '../../../src/net/protocols/status.ts'
import { decodesOrRefuses, offer, status } from './messages.ts'

const codec = { decode: decodeStatus, encode: encodeStatus }
const [example] = fc.sample(status, { numRuns: 1, seed: 1 }) as [Status]
const [exampleOffer] = fc.sample(offer, { numRuns: 1, seed: 1 })

test('a status comes back as it was', () => {
  fc.assert(
    fc.property(status, (one) => {
      expect(decodeStatus(encodeStatus(one))).toEqual(one)
    }),
  )
})

test('each field of an offer changes the bytes that are signed', () => {
  fc.assert(
    fc.property(offer, offer, (one, two) => {
      for (const key of Object.keys(one) as (keyof typeof one)[]) {
        const changed = { ...one, [key]: two[key] }
        const isSame = Buffer.compare(encodeOffer(one), encodeOffer(changed)) === 0
        expect(isSame).toBe(JSON.stringify(one, asText) === JSON.stringify(changed, asText))
      }
    }),
    { numRuns: 30 },
  )
})

const asText = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)

describe('bytes from anywhere are one status or refused with a code:', () => {
  test('random ones', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => decodesOrRefuses(bytes, codec)))
  })

  test('a status cut anywhere', () => {
    fc.assert(
      fc.property(status, fc.nat(), (one, at) => {
        const bytes = encodeStatus(one)
        const cut = bytes.subarray(0, at % bytes.length)
        expect(() => decodeStatus(cut)).toThrow(expect.objectContaining({ code: 'CODEC_TRUNCATED' }))
      }),
    )
  })

  test('a status with a byte changed', () => {
    fc.assert(
      fc.property(status, fc.nat(), fc.integer({ min: 0, max: 255 }), (one, at, value) => {
        const bytes = encodeStatus(one).slice()
        bytes[at % bytes.length] = value
        decodesOrRefuses(bytes, codec)
      }),
      { numRuns: 500 },
    )
  })
})

const begin = () => new Writer().text('net').text('1').u32(0)
const offerUpTo = () => begin().u32(1).text('peer').u32(0).raw(new Uint8Array(32))

describe('a field over its bound is refused before anything is set aside for it:', () => {
  test.each<[string, Uint8Array]>([
    ['the network', new Writer().u32(129).finish()],
    ['the version', new Writer().text('net').u32(129).finish()],
    [
      'offers',
      begin()
        .u32(WIRE_LIMITS.offersMax + 1)
        .finish(),
    ],
    ['the id of a peer', begin().u32(1).u32(129).finish()],
    [
      'addresses',
      begin()
        .u32(1)
        .text('peer')
        .u32(WIRE_LIMITS.addressesPerPeerMax + 1)
        .finish(),
    ],
    [
      'an address',
      begin()
        .u32(1)
        .text('peer')
        .u32(1)
        .u32(WIRE_LIMITS.addressCharactersMax + 1)
        .finish(),
    ],
    ['the name of a model', offerUpTo().u32(65).finish()],
    ['a device', offerUpTo().text('m').raw(new Uint8Array(24)).u32(129).finish()],
    ['round trips', offerUpTo().text('m').raw(new Uint8Array(24)).text('d').u32(33).finish()],
  ])('%s', (_case, bytes) => {
    expect(() => decodeStatus(bytes)).toThrow(expect.objectContaining({ code: 'CODEC_TOO_LONG' }))
  })
})

test('a status fits its message, whatever the offers are: the last ones are left out', () => {
  const long = 'x'.repeat(WIRE_LIMITS.addressCharactersMax)
  const roundTrips = Array.from({ length: WIRE_LIMITS.roundTripsMax }, () => ({
    peer: peerId('y'.repeat(128)),
    micros: 1,
  }))
  const fat = (sequence: number): ToldOffer => ({
    offer: { ...exampleOffer!, addresses: Array(WIRE_LIMITS.addressesPerPeerMax).fill(long), roundTrips, sequence },
    signature: new Uint8Array(64),
    ageMs: 0,
  })
  const offers = Array.from({ length: WIRE_LIMITS.offersMax + 10 }, (_, index) => fat(index))
  const bytes = encodeStatus({ ...example, offers })
  expect(bytes.length).toBeLessThanOrEqual(WIRE_LIMITS.statusMessageBytesMax)
  const told = decodeStatus(bytes).offers.map(({ offer: { sequence } }) => sequence)
  expect(told.length).toBeGreaterThan(20)
  expect(told).toEqual(told.map((_, index) => index))
})
