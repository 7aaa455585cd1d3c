/** What people type about the chain. */
import { describe, expect, test } from 'vitest'
import {
  checkChanges,
  parseBlockName,
  parseChanges,
  parseCuts,
  parseLeaseId,
  parseMemo,
  parseProposalNumber,
  parseTransactionId,
} from '../../../../src/app/chain/arguments.ts'
import { bondCall, transferCall, unbondCall } from '../../../../src/app/chain/calls.ts'
import { parseFeeWish } from '../../../../src/app/chain/send-transaction.ts'
import { exitCodeOf } from '../../../../src/app/exit-codes.ts'
import { accountId } from '../../../../src/base/brand.ts'
import { codeOf } from '../../../../src/base/error.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'

const DIGEST = 'ab'.repeat(32)
const id = accountId('11'.repeat(20))
const caller = { kind: 'local', id } as const
const local = addressOfAccount(id, 'local')
const mainnet = addressOfAccount(id, 'mainnet')

test.each([
  ['a height', '1204', 1204],
  ['height 0', '0', 0],
  ['a hash', DIGEST, DIGEST],
  ['a hash in upper case', DIGEST.toUpperCase(), DIGEST],
  ['a hash of decimal digits only', '12'.repeat(32), '12'.repeat(32)],
])('a block is named by %s', (_case, text, expected) => {
  expect(parseBlockName(text)).toBe(expected)
})

test.each([
  ['', []],
  ['2', [1]],
  ['2,4,64', [1, 3, 63]],
])('the cuts %j are read', (text, expected) => {
  expect(parseCuts(text)).toEqual(expected)
})

test('a lease is named by its id, in any case', () => {
  expect(parseLeaseId(DIGEST.toUpperCase())).toBe(DIGEST)
})

test.each(['-1', '1.5', '', '1s'])('the value %j of a parameter is refused with its bounds and their unit', (value) => {
  expect(() => parseChanges([`commitMs=${value}`])).toThrow(
    `commitMs takes a whole number from 10 to 60000 (milliseconds), not ${JSON.stringify(value)}.`,
  )
})

test('changes are brought into the order of the parameters', () => {
  expect(parseChanges(['stakeWeight=5', 'commitMs=007', 'voteMs=1'])).toEqual([
    { name: 'voteMs', value: 1n },
    { name: 'commitMs', value: 7n },
    { name: 'stakeWeight', value: 5n },
  ])
})

test('without a validator, stake is that of the sender', () => {
  expect(bondCall({ amount: '1' }, caller)).toMatchObject({ body: { validator: id }, spends: 10n ** 9n })
  expect(unbondCall({ amount: '1' }, caller, '4')).toMatchObject({ body: { validator: id }, spends: 0n })
})

describe('refused as a wrong command line', () => {
  const send = (amount: string, address: string = local, memo = '') => transferCall({ amount, address, memo }, 'local')
  test.each([
    ['a part of the id of a lease', () => parseLeaseId(DIGEST.slice(1)), 'LEASE_ID_BAD'],
    ['a height for a lease', () => parseLeaseId('1204'), 'LEASE_ID_BAD'],
    ['cuts with a word', () => parseCuts('2,x'), 'CUTS_BAD'],
    ['cuts with a space', () => parseCuts('2, 4'), 'CUTS_BAD'],
    ['a cut before the first segment', () => parseCuts('0'), 'CUTS_BAD'],
    ['a cut at the first segment', () => parseCuts('1,3'), 'CUTS_BAD'],
    ['a negative cut', () => parseCuts('-2'), 'CUTS_BAD'],
    ['sixteen cuts', () => parseCuts(Array.from({ length: 16 }, (_, cut) => cut + 2).join(',')), 'CUTS_BAD'],
    ['a negative height', () => parseBlockName('-1'), 'BLOCK_NAME_BAD'],
    ['a height beyond all heights', () => parseBlockName('999999999999999'), 'BLOCK_NAME_BAD'],
    ['a height with an exponent', () => parseBlockName('1e3'), 'BLOCK_NAME_BAD'],
    ['a part of a hash', () => parseBlockName(DIGEST.slice(1)), 'BLOCK_NAME_BAD'],
    ['an empty block name', () => parseBlockName(''), 'BLOCK_NAME_BAD'],
    ['a part of an id', () => parseTransactionId(DIGEST.slice(2)), 'TRANSACTION_ID_BAD'],
    ['an id that is no number', () => parseTransactionId('x'.repeat(64)), 'TRANSACTION_ID_BAD'],
    ['a memo of 129 bytes', () => parseMemo(`${'ö'.repeat(64)}!`), 'MEMO_TOO_LONG'],
    ['a proposal by name', () => parseProposalNumber('first'), 'PROPOSAL_NUMBER_BAD'],
    ['no change', () => parseChanges([]), 'PARAMETER_CHANGE_BAD'],
    ['a change without a value', () => parseChanges(['commitMs']), 'PARAMETER_CHANGE_BAD'],
    ['a value with decimals', () => parseChanges(['commitMs=1.5']), 'PARAMETER_CHANGE_BAD'],
    ['a value below nothing', () => parseChanges(['commitMs=-1']), 'PARAMETER_CHANGE_BAD'],
    ['a parameter twice', () => parseChanges(['commitMs=1', 'commitMs=2']), 'PARAMETER_CHANGE_BAD'],
    ['an unknown parameter', () => parseChanges(['commitms=1']), 'PARAMETER_UNKNOWN'],
    ['a name that objects inherit', () => parseChanges(['constructor=1']), 'PARAMETER_UNKNOWN'],
    ['a value over 64 bits', () => parseChanges(['commitMs=18446744073709551616']), 'AMOUNT_TOO_LARGE'],
    [
      'a value beyond the bounds of its parameter',
      () => checkChanges(['voteMs=500', 'commitMs=9']),
      'PARAMETER_CHANGE_BAD',
    ],
    ['ten decimals', () => send('0.0000000001'), 'AMOUNT_TOO_PRECISE'],
    ['a negative amount', () => send('-1'), 'AMOUNT_BAD'],
    ['an amount with a comma', () => send('1,5'), 'AMOUNT_BAD'],
    ['more than there can be', () => send('99999999999'), 'AMOUNT_TOO_LARGE'],
    ['an address of another network', () => send('1', mainnet), 'ADDRESS_WRONG_NETWORK'],
    [
      'a mistyped address',
      () =>
        send(
          '1',
          local.replace(/.$/, (last) => (last === 'q' ? 'p' : 'q')),
        ),
      'ADDRESS_BAD_CHECKSUM',
    ],
    ['an address cut off', () => send('1', local.slice(0, -3)), 'ADDRESS_BAD_CHECKSUM'],
    ['a fee with decimals', () => parseFeeWish({ tip: '0.5', 'max-fee': undefined, nonce: undefined }), 'AMOUNT_BAD'],
    [
      'a nonce that is a word',
      () => parseFeeWish({ tip: undefined, 'max-fee': undefined, nonce: 'next' }),
      'AMOUNT_BAD',
    ],
  ])('%s', (_case, parse, code) => {
    expect(parse).toThrow(expect.objectContaining({ code }))
    expect(exitCodeOf(code)).toBe(2)
  })

  test('nothing is not sent either', () => {
    let thrown: unknown
    try {
      send('0')
    } catch (error) {
      thrown = error
    }
    expect(codeOf(thrown)).toBe('ZERO_AMOUNT')
  })
})
