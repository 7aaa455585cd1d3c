import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { acceptMarker, createFrameDecoder, encodeFrame, endMarker } from '../../../src/net/frame.ts'

type Found = Uint8Array | 'accept' | 'end'

function collect(messageBytesMax: number): { found: Found[]; push: (chunk: Uint8Array) => void } {
  const found: Found[] = []
  const push = createFrameDecoder(messageBytesMax, {
    message: (message) => found.push(message),
    accept: () => found.push('accept'),
    end: () => found.push('end'),
  })
  return { found, push }
}

function encode(item: Found): Uint8Array {
  if (item === 'accept') return acceptMarker()
  return item === 'end' ? endMarker() : encodeFrame(item)
}

const MAX = 200_000
const item: fc.Arbitrary<Found> = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: MAX }).map((length) => new Uint8Array(length).fill(length)) },
  { weight: 1, arbitrary: fc.constantFrom<Found>('accept', 'end') },
)

describe('frames', () => {
  test('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 70_000 })), (items, cuts) => {
        const stream = Buffer.concat(items.map(encode))
        const { found, push } = collect(MAX)
        let position = 0
        for (const cut of cuts) {
          push(stream.subarray(position, position + cut))
          position = Math.min(position + cut, stream.length)
        }
        push(stream.subarray(position))
        expect(found.length).toBe(items.length)
        for (const [index, got] of found.entries()) {
          const sent = items[index]!
          if (typeof sent === 'string' || typeof got === 'string') expect(got).toBe(sent)
          else expect(Buffer.compare(got, sent)).toBe(0)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('come out byte by byte too', () => {
    const { found, push } = collect(100)
    for (const byte of [...encodeFrame(new Uint8Array([1, 2])), ...encodeFrame(new Uint8Array(0)), ...endMarker()]) {
      push(new Uint8Array([byte]))
    }
    expect(found).toEqual([new Uint8Array([1, 2]), new Uint8Array(0), 'end'])
  })

  test('are one buffer with a little-endian length', () => {
    expect([...encodeFrame(new Uint8Array([7, 8, 9]))]).toEqual([3, 0, 0, 0, 7, 8, 9])
    expect([...endMarker()]).toEqual([255, 255, 255, 255])
    expect([...acceptMarker()]).toEqual([254, 255, 255, 255])
  })

  test.each([[101], [0x1000_0000], [0xffff_fffd]])(
    'of %i bytes are refused at their header when 100 is the limit',
    (length) => {
      const { found, push } = collect(100)
      const header = new Uint8Array(new Uint32Array([length]).buffer)
      push(header.subarray(0, 3))
      expect(() => push(header.subarray(3))).toThrowError(expect.objectContaining({ code: 'WIRE_MESSAGE_TOO_LONG' }))
      expect(found).toEqual([])
    },
  )

  test('share no memory with the stream or with each other', () => {
    const { found, push } = collect(100)
    const stream = Buffer.concat([encodeFrame(new Uint8Array([1])), encodeFrame(new Uint8Array([2]))])
    push(stream)
    stream.fill(0)
    const [first, second] = found as Uint8Array[]
    expect([first![0], second![0]]).toEqual([1, 2])
    expect([first!.buffer.byteLength, second!.buffer.byteLength]).toEqual([1, 1])
  })
})
