/**
 * Amounts: DLLM for people, grains for the chain. 1 DLLM = 10⁹ grains. Decimal text and bigint only, so that no
 * amount is ever rounded. Spec: docs/spec/keys.md §7.
 * @module
 */
import { assert } from '../base/assert.ts'
import { type Grains, grains } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'

export class AmountError extends HouseError<'AMOUNT_BAD' | 'AMOUNT_TOO_PRECISE' | 'AMOUNT_TOO_LARGE'> {}

const DECIMALS = 9
const GRAINS_PER_DLLM = 10n ** BigInt(DECIMALS)
/** Amounts travel as u64. */
const GRAINS_MAX = 2n ** 64n - 1n
/** Digits of GRAINS_MAX; longer texts are refused before they become a number. */
const DIGITS_MAX = 20

/**
 * Reads an amount of DLLM such as `12`, `0.5` or `1.000000001`.
 * @throws AmountError for anything else: signs, exponents, commas, more than nine decimals, 2⁶⁴ grains or more.
 */
export function parseDllm(text: string): Grains {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text)
  const whole = match?.[1]
  if (whole === undefined) {
    throw new AmountError('AMOUNT_BAD', `${quote(text)} is not an amount. Write it like 12 or 0.25, in DLLM.`)
  }
  const fraction = match?.[2] ?? ''
  if (fraction.length > DECIMALS) {
    throw new AmountError(
      'AMOUNT_TOO_PRECISE',
      `${quote(text)} has more than ${DECIMALS} decimals. 0.000000001 is the least.`,
    )
  }
  return bounded(whole + fraction.padEnd(DECIMALS, '0'), text)
}

/**
 * Reads a decimal string of grains, as JSON carries it.
 * @throws AmountError when it is not a whole number below 2⁶⁴.
 */
export function parseGrains(text: string): Grains {
  if (!/^\d+$/.test(text)) throw new AmountError('AMOUNT_BAD', `${quote(text)} is not a whole number of grains.`)
  return bounded(text, text)
}

/** Exact decimal text without trailing zeros: 1500000000 grains is `1.5`. */
export function formatDllm(amount: Grains): string {
  assert(amount >= 0n, 'amounts are not negative')
  const fraction = (amount % GRAINS_PER_DLLM).toString().padStart(DECIMALS, '0').replace(/0+$/, '')
  const whole = (amount / GRAINS_PER_DLLM).toString()
  return fraction === '' ? whole : `${whole}.${fraction}`
}

function bounded(digits: string, text: string): Grains {
  const significant = digits.replace(/^0+(?=\d)/, '')
  const value = significant.length <= DIGITS_MAX ? BigInt(significant) : undefined
  if (value === undefined || value > GRAINS_MAX) {
    throw new AmountError('AMOUNT_TOO_LARGE', `${quote(text)} is more than there can ever be.`)
  }
  return grains(value)
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
