import { describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { type Counters, ZERO_COUNTERS } from '../../../../src/core/market/counters.ts'
import { createPayer } from '../../../../src/core/market/payer.ts'
import { createPaymentMeter } from '../../../../src/core/market/payment-meter.ts'
import { addRows, unitsIn, unitsOfDecodeRow } from '../../../../src/core/market/payment-window.ts'
import { EMPTY_TRANSCRIPT, nextTranscript } from '../../../../src/core/market/transcript.ts'
import { voucherKeyOf } from '../../../../src/core/market/voucher-key.ts'

const START = { seq: 0n, counters: ZERO_COUNTERS, transcript: EMPTY_TRANSCRIPT }
const FREE = { charge: () => 0n, cap: 0n, decodeRowUnits: 16n }
const PER_ROW = { ...FREE, charge: ({ promptRows, decodeRows }: Counters) => promptRows + 4n * decodeRows, cap: 100n }

const decode = (position: number) => ({ kind: 'decode' as const, position, rows: 1 })
const prompt = (position: number, rows: number) => ({ kind: 'prompt' as const, position, rows })

test.each([
  [prompt(0, 4), { promptRows: 4n, promptPositions: 6n }],
  [prompt(10, 3), { promptRows: 3n, promptPositions: 33n }],
  [decode(7), { decodeRows: 1n, decodePositions: 7n }],
])('rows %o count with their positions', (step, counters) => {
  expect(addRows(ZERO_COUNTERS, step)).toEqual({ ...ZERO_COUNTERS, ...counters })
})

test.each([
  ['70 billion weights', [70_000_000_000n], 16],
  ['four billion weights and a bit', [(1n << 32n) + 1n], 16],
  ['four billion, in two lots', [1n << 31n, 1n << 31n], 32],
  ['two billion', [1n << 31n], 64],
  ['a billion and a bit', [1_100_000_000n], 64],
  ['a billion', [1n << 30n], 128],
  ['a million', [1_000_000n], 128],
  ['none', [0n], 128],
])('a window of a model of %s has rows worth as much', (_what, lots, rows) => {
  expect(unitsOfDecodeRow(lots.map((linear) => ({ linear, attention: 5n })))).toBe(256n / BigInt(rows))
})

describe('a stage works on trust', () => {
  test.each([
    [32, 16n],
    [256, 2n],
  ])('for %i rows of decoding of %i units each', (rows, decodeRowUnits) => {
    const meter = createPaymentMeter({ ...FREE, decodeRowUnits }, START)
    for (let row = 0; row < rows; row++) {
      expect(meter.admits(decode(row))).toBe('yes')
      meter.begin(decode(row))
    }
    expect(meter.admits(decode(rows))).toBe('unpaid')
  })

  test('for two chunks of a prompt', () => {
    const meter = createPaymentMeter(FREE, START)
    meter.begin(prompt(0, 256))
    meter.begin(prompt(256, 256))
    expect(meter.admits(prompt(512, 1))).toBe('unpaid')
  })

  test('never above the cap', () => {
    const meter = createPaymentMeter(PER_ROW, START)
    meter.begin(prompt(0, 97))
    expect(meter.admits(decode(97))).toBe('cap')
    expect(meter.admits(prompt(97, 3))).toBe('yes')
  })

  test('for less after a session that was not paid, and a sixteenth of what was paid is forgiven', () => {
    const meter = createPaymentMeter(FREE, START)
    for (let row = 0; row < 32; row++) meter.begin(decode(row))
    meter.writeOff(0)
    expect(unitsIn(meter.begun, 16n)).toBe(0n)
    expect(meter.admits(prompt(0, 256))).toBe('yes')
    expect(meter.admits(prompt(0, 257))).toBe('unpaid')
    let seq = 0n
    for (let chunk = 0; chunk < 32; chunk++) {
      const counters = meter.begin(prompt(chunk * 256, 256))
      meter.done()
      meter.accept({ seq: ++seq, counters })
    }
    expect(meter.admits(prompt(0, 512))).toBe('yes')
  })
})

describe('rows on trial', () => {
  test('count as unpaid until they are forgotten, and then for nothing', () => {
    const meter = createPaymentMeter(FREE, START)
    for (let row = 0; row < 32; row++) {
      meter.begin(decode(row))
      meter.done()
    }
    expect(meter.admits(decode(32))).toBe('unpaid')
    meter.forget(15)
    expect(meter.begun).toMatchObject({ decodeRows: 17n })
    expect(meter.admits(decode(17))).toBe('yes')
    const counters = meter.begin(decode(17))
    meter.done()
    expect(meter.fault({ seq: 1n, counters })).toBeUndefined()
    expect(meter.accept({ seq: 1n, counters })).toBe(18)
  })

  test('that are left when a session ends are nobody’s debt', () => {
    const meter = createPaymentMeter(FREE, START)
    for (let row = 0; row < 32; row++) meter.begin(decode(row))
    meter.writeOff(15)
    // Half of 17 rows is what is left of two windows less.
    expect(meter.admits(prompt(0, 376))).toBe('yes')
    expect(meter.admits(prompt(0, 377))).toBe('unpaid')
  })
})

test('a voucher for a step that has begun and is not done is too early', () => {
  const meter = createPaymentMeter(FREE, START)
  const counters = meter.begin(decode(0))
  expect(meter.fault({ seq: 1n, counters })).toBe('VOUCHER_TOO_EARLY')
  meter.done()
  expect(meter.fault({ seq: 1n, counters })).toBeUndefined()
})

describe('a client', () => {
  const seen = () => {
    const payer = createPayer(FREE, START)
    payer.prompt({ turn: 1, position: 0, tokens: [5, 6, 7] })
    return payer
  }

  test('pays for the rows before a token, and its transcript has their tokens', () => {
    const payer = seen()
    expect(payer.told({ turn: 1, position: 3, tokens: [8] })).toBe(true)
    expect(payer.told({ turn: 1, position: 4, tokens: [9] })).toBe(true)
    const transcript = nextTranscript(EMPTY_TRANSCRIPT, [5, 6, 7, 8])
    const counters = { promptRows: 3n, promptPositions: 3n, decodeRows: 1n, decodePositions: 3n }
    expect(payer.pay()).toEqual({ seq: 1n, counters, transcript })
    expect(payer.owes).toBe(false)
    payer.told({ turn: 1, position: 5 })
    expect(payer.pay()).toMatchObject({ seq: 2n, transcript: nextTranscript(transcript, [9]) })
  })

  test('pays for all tokens of a message but the last, as if each had come alone', () => {
    const [one, many] = [seen(), seen()]
    for (const [index, token] of [8, 9, 4].entries()) one.told({ turn: 1, position: 3 + index, tokens: [token] })
    expect(many.told({ turn: 1, position: 3, tokens: Int32Array.of(8, 9, 4) })).toBe(true)
    expect(many.pay()).toEqual(one.pay())
    expect(many.told({ turn: 1, position: 5, tokens: [1] })).toBe(false)
  })

  test.each([
    ['a turn that there is not', { turn: 2, position: 1 }],
    ['rows of tokens that nobody has heard of', { turn: 1, position: 4 }],
    ['a token that leaves one out', { turn: 1, position: 2, tokens: [8] }],
  ])('believes no word of %s', (_what, told) => {
    expect(seen().told(told)).toBe(false)
  })

  test('believes no word of fewer rows than before, and of no older turn', () => {
    const payer = seen()
    payer.told({ turn: 1, position: 2 })
    expect(payer.told({ turn: 1, position: 1 })).toBe(false)
    payer.prompt({ turn: 2, position: 0, tokens: [1] })
    expect(payer.told({ turn: 2, position: 1, tokens: [3] })).toBe(true)
    expect(payer.told({ turn: 1, position: 3 })).toBe(false)
  })

  test('knows what the cap still pays for', () => {
    const payer = createPayer(PER_ROW, START)
    expect(payer.affords({ turn: 1, position: 0, tokens: new Array<number>(101).fill(1) })).toBe(false)
    payer.prompt({ turn: 1, position: 0, tokens: new Array<number>(95).fill(1) })
    payer.told({ turn: 1, position: 95, tokens: [1] })
    expect(payer.isSpent).toBe(false)
    payer.told({ turn: 1, position: 96, tokens: [1] })
    expect(payer.isSpent).toBe(true)
  })
})

test('each lease of a payer has a voucher key of its own', () => {
  const secret = new Uint8Array(32).fill(1)
  const keys = [1n, 2n].flatMap((nonce) => ['11', '22'].map((id) => voucherKeyOf(secret, hash(id.repeat(32)), nonce)))
  expect(new Set(keys.map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))).size).toBe(4)
})
