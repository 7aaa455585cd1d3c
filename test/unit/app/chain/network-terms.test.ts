/** The parameters and the first price of a new network, as people type them. */
import { expect, test } from 'vitest'
import { termsFrom } from '../../../../src/app/chain/run-create-network.ts'
import { INITIAL_PARAMETERS } from '../../../../src/core/parameters.ts'

test.each([
  ['nothing: it runs for nothing', {}, 0n],
  ['a lowest price: that one', { parameter: ['priceMin=12'] }, 12n],
  ['a price', { price: '500' }, 500n],
  ['both', { parameter: ['priceMin=12'], price: '13' }, 13n],
])('with %s', (_case, typed, price) => {
  expect(termsFrom(typed).price).toBe(price)
})

test('parameters that are not named have their first values', () => {
  const parameter = ['auditors=2', 'auditorsMin=1', 'auditShare=100']
  expect(termsFrom({ parameter }).parameters).toEqual({
    ...INITIAL_PARAMETERS,
    // Nobody else may be there to serve a new version.
    ...{ readyOwners: 1n, auditors: 2n, auditorsMin: 1n, auditShare: 100n },
  })
})

test.each([
  [
    'a price below the lowest',
    { parameter: ['priceMin=12'], price: '11' },
    'USAGE',
    /--price: 11 is not between .* 12 /,
  ],
  ['a price above the highest', { price: '1000000001' }, 'USAGE', /--price: 1000000001 is not between/],
  ['a price in DLLM', { price: '0.5' }, 'AMOUNT_BAD', /not a whole number of grains/],
  ['a price below nothing', { price: '-1' }, 'AMOUNT_BAD', /not a whole number/],
  [
    'few auditors that see little, so that cheating would pay',
    { parameter: ['auditors=1', 'auditorsMin=1'] },
    'USAGE',
    /--parameter: auditShare and collateralMultiple are too small together: with 1 auditors/,
  ],
  ['a parameter that there is not', { parameter: ['priceLow=1'] }, 'PARAMETER_UNKNOWN', /priceLow/],
])('refused: %s', (_case, typed, code, sentence) => {
  const terms = () => termsFrom(typed)
  expect(terms).toThrow(expect.objectContaining({ code, message: expect.stringMatching(sentence) }))
})
