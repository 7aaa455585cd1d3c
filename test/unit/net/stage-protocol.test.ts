import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Writer } from '../../../src/base/codec.ts'
import { MODEL_LIMITS, SESSION_LIMITS, WIRE_LIMITS } from '../../../src/base/limits.ts'
import {
  decodeStageMessage,
  encodeStageMessage,
  type StageMessage,
  type StageMessageType,
} from '../../../src/net/protocols/stage.ts'
import { anyStageMessage, decodesOrRefuses, stageMessages } from './messages.ts'

const codec = { decode: decodeStageMessage, encode: encodeStageMessage }
const TYPES = Object.keys(stageMessages) as StageMessageType[]

test.each(TYPES)('"%s" comes back as it was', (type) => {
  fc.assert(
    fc.property(stageMessages[type] as fc.Arbitrary<StageMessage>, (message) => {
      expect(decodeStageMessage(encodeStageMessage(message))).toEqual(message)
    }),
  )
})

test('the first byte is the type, in the order of the specification', () => {
  const first = TYPES.map((type) => [type, encodeStageMessage(fc.sample<StageMessage>(stageMessages[type], 1)[0]!)[0]])
  expect(Object.fromEntries(first)).toEqual({
    open: 0,
    prompt: 1,
    cancel: 2,
    'ask-statistics': 3,
    ready: 4,
    statistics: 5,
    failed: 6,
    link: 7,
    step: 8,
    acknowledge: 9,
    token: 10,
    end: 11,
    voucher: 12,
    progress: 13,
    countersignature: 14,
    keep: 15,
  })
})

describe('bytes from anywhere are one message or refused with a code:', () => {
  test('random ones', () => {
    const type = fc.integer({ min: 0, max: 16 })
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 300 }), (first, bytes) => {
        decodesOrRefuses(Uint8Array.of(first, ...bytes), codec)
      }),
      { numRuns: 1_000 },
    )
  })

  test('messages cut anywhere', () => {
    fc.assert(
      fc.property(anyStageMessage, fc.nat(), (message, at) => {
        const bytes = encodeStageMessage(message)
        const cut = bytes.subarray(0, at % bytes.length)
        expect(() => decodeStageMessage(cut)).toThrow(expect.objectContaining({ code: 'CODEC_TRUNCATED' }))
      }),
    )
  })

  test('messages with something after them', () => {
    fc.assert(
      fc.property(anyStageMessage, fc.uint8Array({ minLength: 1, maxLength: 9 }), (message, more) => {
        const bytes = Uint8Array.of(...encodeStageMessage(message), ...more)
        expect(() => decodeStageMessage(bytes)).toThrow(expect.objectContaining({ code: 'CODEC_TRAILING' }))
      }),
    )
  })

  test('messages with a byte changed', () => {
    fc.assert(
      fc.property(anyStageMessage, fc.nat(), fc.integer({ min: 0, max: 255 }), (message, at, value) => {
        const bytes = encodeStageMessage(message).slice()
        bytes[at % bytes.length] = value
        decodesOrRefuses(bytes, codec)
      }),
      { numRuns: 1_000 },
    )
  })
})

/** A message up to a field that is over its bound; what would follow is missing on purpose. */
function begin(type: number, write: (writer: Writer) => Writer): Uint8Array {
  return write(new Writer().u8(type)).finish()
}

const zeros = (count: number) => new Uint8Array(count)
const settings = (writer: Writer) => writer.u32(1).f64(0).u32(0).f64(1).f64(0).f64(1).u64(0n).u8(0)

describe('a field over its bound is refused before anything is set aside for it:', () => {
  test.each<[string, Uint8Array, string]>([
    ['stages', begin(0, (w) => w.raw(zeros(56)).u32(WIRE_LIMITS.routeStagesMax + 1)), 'CODEC_TOO_LONG'],
    ['the id of a peer', begin(0, (w) => w.raw(zeros(56)).u32(1).u32(257)), 'CODEC_TOO_LONG'],
    [
      'addresses',
      begin(0, (w) =>
        w
          .raw(zeros(56))
          .u32(1)
          .text('peer')
          .u32(0)
          .u32(1)
          .u32(WIRE_LIMITS.addressesPerPeerMax + 1),
      ),
      'CODEC_TOO_LONG',
    ],
    [
      'an address',
      begin(0, (w) => w.raw(zeros(56)).u32(1).text('peer').u32(0).u32(1).u32(1).u32(257)),
      'CODEC_TOO_LONG',
    ],
    [
      'tokens of a prompt',
      begin(1, (w) => settings(w.raw(zeros(16))).u32(SESSION_LIMITS.promptTokensMax + 1)),
      'CODEC_TOO_LONG',
    ],
    [
      'tokens of a prompt that are not there',
      begin(1, (w) => settings(w.raw(zeros(16))).u32(131_072)),
      'CODEC_TRUNCATED',
    ],
    [
      'tokens of a step',
      begin(8, (w) => w.raw(zeros(9)).u32(SESSION_LIMITS.prefillChunkTokensMax + 1)),
      'CODEC_TOO_LONG',
    ],
    [
      'rows',
      begin(8, (w) =>
        w
          .raw(zeros(9))
          .u32(0)
          .u32(WIRE_LIMITS.stageMessageBytesMax + 1),
      ),
      'CODEC_TOO_LONG',
    ],
    ['a code', begin(6, (w) => w.u32(65)), 'CODEC_TOO_LONG'],
    ['a sentence', begin(6, (w) => w.text('CODE').u32(WIRE_LIMITS.errorTextBytesMax + 1)), 'CODEC_TOO_LONG'],
    ['a code that is no text', begin(6, (w) => w.bytes(Uint8Array.of(0xff)).text('')), 'CODEC_BAD_TEXT'],
    ['flags of a step', begin(8, (w) => w.u8(8).raw(zeros(16))), 'CODEC_BAD_VALUE'],
    [
      'a flag of the settings',
      begin(1, (w) => w.raw(zeros(16)).u32(1).f64(0).u32(0).f64(1).f64(0).f64(1).u64(0n).u8(2)),
      'CODEC_BAD_VALUE',
    ],
    ['a token', begin(10, (w) => w.raw(zeros(8)).u32(1).u32(MODEL_LIMITS.vocabularyMax).u32(0)), 'CODEC_BAD_VALUE'],
    ['no token', begin(10, (w) => w.raw(zeros(8)).u32(0).u32(0)), 'CODEC_BAD_VALUE'],
    ['tokens of a step', begin(10, (w) => w.raw(zeros(8)).u32(SESSION_LIMITS.windowRowsMax + 1)), 'CODEC_TOO_LONG'],
    [
      'digests',
      begin(10, (w) =>
        w
          .raw(zeros(8))
          .u32(1)
          .u32(0)
          .u32(SESSION_LIMITS.windowRowsMax + 1),
      ),
      'CODEC_TOO_LONG',
    ],
    ['a digest too many', begin(10, (w) => w.raw(zeros(8)).u32(1).u32(0).u32(2).raw(zeros(64))), 'CODEC_BAD_VALUE'],
    [
      'a digest that is too short',
      begin(10, (w) => w.raw(zeros(8)).u32(1).u32(0).u32(1).raw(zeros(31))),
      'CODEC_TRUNCATED',
    ],
    ['a reason', begin(11, (w) => w.u32(1).u8(3).u32(0)), 'CODEC_BAD_VALUE'],
    ['a type', Uint8Array.of(16), 'CODEC_BAD_VALUE'],
    ['a flag for the lease', begin(0, (w) => w.raw(zeros(56)).u32(0).u8(2)), 'CODEC_BAD_VALUE'],
    ['a lease without its proof', begin(0, (w) => w.raw(zeros(56)).u32(0).u8(1).raw(zeros(90))), 'CODEC_TRUNCATED'],
    [
      'a flag for the voucher of a lease',
      begin(0, (w) => w.raw(zeros(56)).u32(0).u8(1).raw(zeros(96)).u8(3)),
      'CODEC_BAD_VALUE',
    ],
    ['a voucher that is too long', begin(12, (w) => w.raw(zeros(169))), 'CODEC_TRAILING'],
    ['nothing at all', zeros(0), 'CODEC_TRUNCATED'],
  ])('%s', (_case, bytes, code) => {
    expect(() => decodeStageMessage(bytes)).toThrow(expect.objectContaining({ code }))
  })
})
