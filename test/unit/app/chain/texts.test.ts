/** What the chain's commands print: whole addresses, 80 columns, and nothing of a stranger's that moves the cursor. */
import { bytesToHex } from '@noble/hashes/utils.js'
import { describe, expect, test } from 'vitest'
import type {
  AccountView,
  BlockView,
  HeadView,
  ParametersView,
  ProposalView,
  TransactionView,
  ValidatorView,
} from '../../../../src/app/chain/chain-access.ts'
import {
  accountText,
  bondsText,
  headLine,
  headText,
  ownValidatorText,
  parametersText,
  proposalsText,
  validatorsText,
} from '../../../../src/app/chain/state-text.ts'
import { viewParameterValues } from '../../../../src/app/chain/state-views.ts'
import { ageText, percent, timeText, wrapped } from '../../../../src/app/chain/text-parts.ts'
import { blockText, historyText, transactionText } from '../../../../src/app/chain/transaction-text.ts'
import { accountId, hash } from '../../../../src/base/brand.ts'
import { addressOfAccount } from '../../../../src/core/fields.ts'
import { PARAMETERS, type Parameters } from '../../../../src/core/parameters.ts'

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0)
const ALL = String(2n ** 64n - 1n)
const anna = addressOfAccount(accountId('11'.repeat(20)), 'testnet')
const bert = addressOfAccount(accountId('22'.repeat(20)), 'testnet')
const id = hash('ab'.repeat(32))

const validator: ValidatorView = {
  ...{ address: anna, name: 'N'.repeat(32), consensusKey: 'cd'.repeat(32), stake: ALL, status: 'tombstoned' },
  ...{ votes: false, signedBlocks: 99_999 },
}
const account: AccountView = {
  ...{ source: 'node', height: 1_204, address: anna, balance: '1500000000', nonce: '3', waiting: 1 },
  bonds: [{ validator: bert, validatorName: 'V'.repeat(32), amount: ALL }],
  unbondings: [{ validator: bert, amount: ALL, dueHeight: 281_474_976_710_656 }],
  validator,
}
const head: HeadView = {
  ...{ networkId: id, name: 'n'.repeat(32), kind: 'testnet', source: 'node', height: 281_474_976_710_656, hash: id },
  ...{ timeMs: NOW - 42_000, baseFee: '1000000000', epoch: 468_750_000, validators: 256 },
  supply: { genesis: ALL, issued: ALL, burnt: ALL, total: ALL, rewardPool: ALL },
}
const transaction: TransactionView = {
  ...{ id, type: 'transfer', sender: anna, nonce: '3', maxFee: '21', tip: '1', fee: '110' },
  ...{ height: 1_204, timeMs: NOW - 125_000, body: { to: bert, amount: '12500000000', memo: '72656e74' } },
}
const block: BlockView = {
  ...{ height: 1_204, hash: id, parentHash: id, round: 1, timeMs: NOW, proposer: anna, stateRoot: id, baseFee: '1' },
  ...{ units: 10, bytes: 600, transactions: [transaction], commit: { round: 1, signedStake: '2', totalStake: '3' } },
}
const parameters: ParametersView = {
  values: viewParameterValues(
    Object.fromEntries(Object.entries(PARAMETERS).map(([name, { max }]) => [name, max])) as Parameters,
  ),
  nextProposalDeposit: ALL,
  proposals: [
    {
      ...{
        number: 3,
        proposer: anna,
        deposit: ALL,
        endHeight: 1_300,
        kind: 'parameters',
        changes: { commitMs: '500', voteMs: ALL },
      },
      ...{ votes: [{ voter: anna, yes: true }], yesStake: ALL, noStake: '0', totalStake: ALL },
    },
  ],
}
const withBody = (type: string, body: TransactionView['body']): TransactionView => ({ ...transaction, type, body })
const memo = (text: string) =>
  withBody('transfer', { to: bert, amount: '1', memo: bytesToHex(new TextEncoder().encode(text)) })
const view = { nowMs: NOW }

const everything: Record<string, string> = {
  account: accountText(account),
  bonds: bondsText(account),
  validators: validatorsText([validator, validator]),
  own: ownValidatorText(account),
  nothing: bondsText({ ...account, bonds: [], unbondings: [] }) + proposalsText([], 1),
  head: headText(head, NOW),
  watched: headLine(head),
  parameters: parametersText(parameters),
  proposals: proposalsText(parameters.proposals, 1_204) + proposalsText(undefined, 1),
  light: accountText({ ...account, source: 'light' }) + bondsText({ ...account, source: 'light' }),
  lightNothing: bondsText({ ...account, source: 'light', bonds: [], unbondings: [] }),
  transaction: transactionText(memo('m'.repeat(128)), view),
  block: blockText(block, view),
  history: historyText([transaction, memo('\u0000'.repeat(128))], { address: bert, nowMs: NOW }),
  register: historyText([withBody('register-validator', { name: 'N'.repeat(32) })], view),
  reported: transactionText(withBody('report-double-sign', { height: 3, consensusKey: 'cd'.repeat(32) }), view),
  report: historyText([withBody('report-double-sign', { height: 3, consensusKey: 'cd'.repeat(32) })], view),
}

test.each(Object.entries(everything))('%s fits 80 columns, with whole addresses', (_name, text) => {
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  for (const word of text.match(/\btdllm1\w*/g) ?? []) expect([anna, bert]).toContain(word)
  expect(text).not.toMatch(/undefined|NaN|\[object/)
})

test('a history says who sent and who received', () => {
  const told = (address: string) =>
    historyText([transaction], { address, nowMs: NOW }).replace(anna, 'ANNA').replace(bert, 'BERT')
  expect(told(anna)).toMatchInlineSnapshot(`
    "#1204  2 min ago  sent 12.5 DLLM
      to BERT
      memo “rent”
      fee 0.00000011 DLLM
      id abababababababababababababababababababababababababababababababab
    "
  `)
  expect(told(bert)).toMatchInlineSnapshot(`
    "#1204  2 min ago  received 12.5 DLLM
      from ANNA
      memo “rent”
      id abababababababababababababababababababababababababababababababab
    "
  `)
})

test('a transaction that waits says so', () => {
  const { height: _height, timeMs: _timeMs, fee: _fee, ...waiting } = transaction
  expect(transactionText(waiting, view)).toContain('Block        waits for a block')
  expect(transactionText(waiting, view)).toContain('not yet paid')
})

test.each([
  ['bond', { validator: bert, amount: '1000000000' }, `bonded 1 DLLM\n  by ${anna}\n  to ${bert}`],
  ['unbond', { validator: bert, amount: '1000000000' }, `unbonded 1 DLLM\n  by ${anna}\n  from ${bert}`],
  ['vote-parameters', { proposal: 3, yes: false }, 'voted no on proposal 3'],
  ['propose-parameters', { changes: [{ name: 'commitMs', value: '5' }] }, 'parameters\n  by'],
  [
    'register-model',
    { model: id, name: 'm'.repeat(64) },
    `registered a model\n  by ${anna}\n  ${'m'.repeat(64)}\n  ${id}`,
  ],
  [
    'register-model',
    { model: id, name: 'm', predecessor: id, canary: { root: id, bytes: 9 } },
    `  m\n  ${id}\n  to take the place of\n  ${id}\n  with a canary\n`,
  ],
  [
    'propose-model',
    { model: id, activationHeight: 0 },
    `activate a model\n  by ${anna}\n  ${id}\n  as early as can be\n`,
  ],
  ['propose-model', { model: id, activationHeight: 2 ** 40 }, '  at block 1099511627776 or later\n'],
  ['report-canary', { model: id, passed: true }, `reported that a canary passed\n  by ${anna}\n  ${id}\n`],
  ['report-canary', { model: id, passed: false }, 'reported that a canary failed\n'],
  ['retire-model', { model: id }, `retired a model\n  by ${anna}\n  ${id}`],
  [
    'register-miner',
    { payout: bert, deposit: ALL, device: 'gpu' },
    `miner (gpu)\n  by ${anna}\n  deposit 18446744073.709551615 DLLM\n  payout  ${bert}`,
  ],
  ['withdraw-deposit', { amount: '5000000000' }, "withdrew 5 DLLM of a miner's deposit"],
  ['place', { model: id, first: 0, end: 64, slots: 1 }, 'serves segments 1 to 64, 1 lease at once\n'],
  ['place', { model: id, first: 0, end: 1, slots: 0 }, 'ended a placement\n'],
  [
    'place',
    { model: id, first: 0, end: 1, slots: 1, displaces: true },
    `${id}\n  instead of the lowest deposit, if no place was left\n`,
  ],
  ['open-lease', { model: id, cap: '1000000000' }, `opened a lease for at most 1 DLLM\n  by ${anna}\n  of ${id}`],
  ['close-lease', { lease: id }, `closed a lease\n  by ${anna}\n  ${id}`],
  ['claim-lease', { lease: id, lot: 15, rows: 4_294_967_295 }, 'claimed 4294967295 rows of lot 16\n'],
  ['commit-verdict', { lease: id, lot: 0 }, `committed to a finding of an audit\n  by ${anna}\n  lot 1 of\n  ${id}`],
  ['open-receipt', { lease: id, lot: 0 }, 'opened a receipt for an audit\n'],
  ['reveal-verdict', { lease: id, lot: 0 }, 'revealed its finding of an audit\n'],
  ['type 99', {}, 'type 99'],
])('a block tells of %s', (type, body, expected) => {
  const text = blockText({ ...block, transactions: [withBody(type, body)] }, view)
  expect(text).toContain(expected)
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
})

test('a large block shows some of its transactions and how many more there are', () => {
  const text = blockText({ ...block, transactions: Array.from({ length: 25 }, () => transaction) }, view)
  expect(text.match(/sent 12.5 DLLM/g)).toHaveLength(20)
  expect(text).toContain('… and 5 more')
})

describe('a memo', () => {
  test.each([
    ['plain text as it is', 'Möbel, März', '“Möbel, März”'],
    ['an escape sequence as digits', '\u001b[2Jhello', '0x1b5b324a68656c6c6f'],
    ['a line break as digits', 'a\nb', '0x610a62'],
    ['a change of the direction of writing as digits', 'a\u202eb', '0x61e280ae62'],
  ])('shows %s', (_case, text, shown) => {
    expect(historyText([memo(text)], view)).toContain(`memo ${shown}`)
  })

  test('that is no UTF-8 is shown as digits', () => {
    expect(historyText([withBody('transfer', { to: bert, amount: '1', memo: 'ff00' })], view)).toContain('memo 0xff00')
  })
})

test.each<[string, Partial<NonNullable<ProposalView['model']>>, string]>([
  ['becomes active', { name: 'm'.repeat(64), status: 'published' }, 'becomes active at block 1099511627776'],
  [
    'comes back',
    { name: 'm', status: 'superseded', takes: id },
    `  m\n  comes back at block 1099511627776 or later\n  model  ${id}\n  for    ${id}\n`,
  ],
  ['is gone', {}, 'which is gone: the vote decides nothing\n'],
])('a proposal says that a model %s', (_case, change, expected) => {
  const [proposal] = parameters.proposals ?? []
  const model = { model: id, activationHeight: 2 ** 40, ...change }
  const text = proposalsText([{ ...proposal!, kind: 'model', changes: {}, model }], 1)
  expect(text).toContain(expected)
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
})

test('empty lists say what to do next', () => {
  expect(proposalsText([], 1)).toContain('`dllm param propose NAME=VALUE`')
  expect(bondsText({ ...account, bonds: [], unbondings: [] })).toContain('`dllm chain validators`')
})

test('what a light client cannot know is said, and not taken for nothing', () => {
  const light: AccountView = { ...account, source: 'light', unbondings: [] }
  for (const text of [accountText(light), bondsText(light), bondsText({ ...light, bonds: [] })]) {
    expect(text.replace(/\s+/g, ' ')).toMatch(/nown from a light client: without what is unbonding/)
    expect(text).not.toContain('Nothing is bonded')
  }
  expect(proposalsText(undefined, 1)).toContain('`dllm node`')
  expect(proposalsText(undefined, 1)).not.toContain('No proposal is open')
})

test.each([
  [0, 'now'],
  [-5_000, 'now'],
  [42_000, '42 s ago'],
  [89_999, '89 s ago'],
  [120_000, '2 min ago'],
  [5_400_000, '2 h ago'],
  [10 * 86_400_000, '10 days ago'],
])('%d ms are %s', (elapsed, text) => {
  expect(ageText(NOW - elapsed, NOW)).toBe(text)
})

test('sentences are broken between words, and words never', () => {
  const long = 'x'.repeat(90)
  const words = `${'word '.repeat(40)}${long} end`
  const lines = wrapped(words, 10).split('\n')
  expect(lines.join(' ').replace(/\s+/g, ' ')).toBe(words)
  expect(lines.filter((line) => line.length > 80)).toEqual([`${' '.repeat(10)}${long}`])
})

test('times are told in UTC, shares with a decimal', () => {
  expect(timeText(NOW)).toBe('2026-11-21 12:00:00 UTC')
  expect([percent('2', '3'), percent('3', '3'), percent('0', '0')]).toEqual(['66.6 %', '100 %', '0 %'])
})
