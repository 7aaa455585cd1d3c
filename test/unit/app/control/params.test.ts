/**
 * Reading parameters: what passes, what is refused, and that no value is ever repeated in an error.
 * @module
 */
import { describe, expect, test } from 'vitest'
import {
  type Params,
  readAddress,
  readAddresses,
  readBytes,
  readFlag,
  readGrains,
  readHash,
  readHeight,
  readInteger,
  readNumbers,
  readOptional,
  readParams,
  readText,
} from '../../../../src/app/control/params.ts'
import { addressOf } from '../../../../src/core/address.ts'

const key = new Uint8Array(32).fill(7)
const local = addressOf(key, 'local')
const digest = 'ab'.repeat(32)

const readers = {
  grains: (params: Params, name: string) => readGrains(params, name),
  height: (params: Params, name: string) => readHeight(params, name),
  integer: (params: Params, name: string) => readInteger(params, name, { min: -2, max: 9 }),
  address: (params: Params, name: string) => readAddress(params, name, 'local'),
  hash: (params: Params, name: string) => readHash(params, name),
  bytes: (params: Params, name: string) => readBytes(params, name, 3),
  text: (params: Params, name: string) => readText(params, name, 3),
  flag: (params: Params, name: string) => readFlag(params, name),
  numbers: (params: Params, name: string) => readNumbers(params, name, { count: 2, max: 9 }),
  addresses: (params: Params, name: string) => readAddresses(params, name, { count: 2, network: 'local' }),
} as const satisfies Record<string, (params: Params, name: string) => unknown>

type Kind = keyof typeof readers

test.each<[Kind, unknown, unknown]>([
  ['grains', '0', 0n],
  ['grains', '18446744073709551615', 2n ** 64n - 1n],
  ['height', 0, 0],
  ['height', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ['integer', -2, -2],
  ['address', local, local],
  ['address', local.toUpperCase(), local],
  ['hash', digest, digest],
  ['bytes', '', new Uint8Array(0)],
  ['bytes', '00ff10', Uint8Array.of(0, 255, 16)],
  ['text', '', ''],
  ['text', 'é😀', 'é😀'],
  ['flag', false, false],
  ['numbers', [], []],
  ['numbers', [9, 0], [9, 0]],
  ['addresses', [], []],
  ['addresses', [local.toUpperCase(), local], [local, local]],
])('%s is read from %j', (kind, value, expected) => {
  expect(readers[kind](new Map([['field', value]]), 'field')).toEqual(expected)
})

test.each<[Kind, unknown]>([
  ['grains', 5],
  ['grains', ''],
  ['grains', '-5'],
  ['grains', '+5'],
  ['grains', '05'],
  ['grains', '5.0'],
  ['grains', '5e3'],
  ['grains', '0x10'],
  ['grains', ' 5'],
  ['grains', '5\n'],
  ['grains', '١'],
  ['grains', '18446744073709551616'],
  ['grains', '9'.repeat(100_000)],
  ['grains', ['5']],
  ['height', -1],
  ['height', 1.5],
  ['height', '7'],
  ['height', 2 ** 53],
  ['height', Number.NaN],
  ['integer', 10],
  ['integer', -3],
  ['address', 7],
  ['address', ''],
  ['address', `${local}q`],
  ['address', addressOf(key, 'mainnet')],
  ['hash', digest.toUpperCase()],
  ['hash', `0x${digest}`],
  ['hash', digest.slice(1)],
  ['hash', `${digest}\n`],
  ['bytes', '0'],
  ['bytes', '00000000'],
  ['bytes', 'FF'],
  ['bytes', 'zz'],
  ['bytes', [0]],
  ['text', 'four'],
  ['text', '\ud800'],
  ['text', 1],
  ['flag', 'true'],
  ['flag', 1],
  ['numbers', 1],
  ['addresses', local],
  ['addresses', [local, 7]],
  ['addresses', [addressOf(key, 'mainnet')]],
  ['addresses', [local, local, local]],
  ['numbers', '1,2'],
  ['numbers', [1, 2, 3]],
  ['numbers', [10]],
  ['numbers', [-1]],
  ['numbers', ['1']],
  ['numbers', [1.5]],
  ['numbers', { length: 1 }],
])('%s is refused: %j', (kind, value) => {
  const read = (): unknown => readers[kind](new Map([['field', value]]), 'field')
  expect(read).toThrow(
    expect.objectContaining({ code: 'PARAM_BAD', details: expect.objectContaining({ param: 'field' }) }),
  )
})

test.each(Object.keys(readers) as Kind[])('%s that is absent or null is missing', (kind) => {
  const missing = expect.objectContaining({ code: 'PARAM_MISSING', details: { param: 'field' } })
  expect(() => readers[kind](new Map(), 'field')).toThrow(missing)
  expect(() => readers[kind](new Map([['field', null]]), 'field')).toThrow(missing)
  expect(readOptional<unknown>(new Map([['field', null]]), 'field', readers[kind])).toBeUndefined()
})

test('an optional field that is there is read', () => {
  expect(readOptional(new Map([['height', 7]]), 'height', readHeight)).toBe(7)
})

test('an address of another network is named as such', () => {
  const details = { param: 'to', reason: 'ADDRESS_WRONG_NETWORK' }
  const read = (): unknown => readAddress(new Map([['to', addressOf(key, 'mainnet')]]), 'to', 'testnet')
  expect(read).toThrow(expect.objectContaining({ code: 'PARAM_BAD', details }))
})

test.each(Object.keys(readers) as Kind[])('%s never repeats what it refuses', (kind) => {
  const secret = 'abandon ability able about'
  const refusal = errorOf(() => readers[kind](new Map([['field', secret]]), 'field'))
  expect(`${refusal.message}${JSON.stringify(refusal)}`).not.toMatch(/abandon|ability/)
})

describe('fields', () => {
  test('come by position in their order', () => {
    expect([...readParams([1, 2], ['a', 'b', 'c'])]).toEqual([
      ['a', 1],
      ['b', 2],
    ])
  })

  test.each([
    ['another name', { c: 1 }],
    ['a name of every object', JSON.parse('{"__proto__": {"a": 1}}')],
    ['one too many', [1, 2, 3]],
  ])('are refused: %s', (_case, value) => {
    expect(() => readParams(value, ['a', 'b'])).toThrow(expect.objectContaining({ code: 'PARAM_UNKNOWN' }))
  })

  test('that are no names are not repeated', () => {
    const refusal = errorOf(() => readParams({ 'abandon ability': 1 }, ['a']))
    expect(`${refusal.message}${JSON.stringify(refusal)}`).not.toContain('abandon')
  })
})

function errorOf(act: () => unknown): Error {
  try {
    act()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was refused')
}
