/** Amounts keep every grain between text and number. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { grains } from '../../../src/base/brand.ts'
import { formatDllm, parseDllm, parseGrains } from '../../../src/core/units.ts'

const MAX = 2n ** 64n - 1n
const amounts = fc.bigInt({ min: 0n, max: MAX }).map(grains)

test('every amount survives being written in DLLM and read again', () => {
  fc.assert(fc.property(amounts, (amount) => parseDllm(formatDllm(amount)) === amount))
})

test('every amount survives being written in grains and read again', () => {
  fc.assert(fc.property(amounts, (amount) => parseGrains(amount.toString()) === amount))
})

test('reading adds up: a whole part and nine decimals', () => {
  const whole = fc.integer({ min: 0, max: 1_000_000_000 })
  fc.assert(
    fc.property(whole, fc.integer({ min: 0, max: 999_999_999 }), (units, rest) => {
      const text = `${units}.${rest.toString().padStart(9, '0')}`
      return parseDllm(text) === BigInt(units) * 1_000_000_000n + BigInt(rest)
    }),
  )
})

test.each([
  ['0', 0n, '0'],
  ['1', 1_000_000_000n, '1'],
  ['1.50', 1_500_000_000n, '1.5'],
  ['0.000000001', 1n, '0.000000001'],
  ['007', 7_000_000_000n, '7'],
  ['18446744073.709551615', MAX, '18446744073.709551615'],
])('%s DLLM is %d grains and is written %s', (text, amount, written) => {
  expect(parseDllm(text)).toBe(amount)
  expect(formatDllm(grains(amount))).toBe(written)
})

test.each([
  ['', 'AMOUNT_BAD'],
  ['-1', 'AMOUNT_BAD'],
  ['+1', 'AMOUNT_BAD'],
  ['1e9', 'AMOUNT_BAD'],
  ['1,5', 'AMOUNT_BAD'],
  ['1.', 'AMOUNT_BAD'],
  ['.5', 'AMOUNT_BAD'],
  ['0x10', 'AMOUNT_BAD'],
  ['1 000', 'AMOUNT_BAD'],
  ['١', 'AMOUNT_BAD'],
  ['Infinity', 'AMOUNT_BAD'],
  ['0.0000000001', 'AMOUNT_TOO_PRECISE'],
  ['18446744073.709551616', 'AMOUNT_TOO_LARGE'],
  ['9'.repeat(100_000), 'AMOUNT_TOO_LARGE'],
])('refuses the amount %s', (text, code) => {
  expect(() => parseDllm(text)).toThrow(expect.objectContaining({ code }))
})

test('refuses grains that are no whole number', () => {
  expect(() => parseGrains('1.5')).toThrow(expect.objectContaining({ code: 'AMOUNT_BAD' }))
})
