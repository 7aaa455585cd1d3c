/** Whether a validator's operator could pay for the report of a double sign, and what its node says when it could not. */
import { expect, test } from 'vitest'
import { reportShortage } from '../../../../src/app/node/evidence-report.ts'
import { shortageLines } from '../../../../src/app/node/node-text.ts'
import { accountOf, addressOfAccount } from '../../../../src/core/fields.ts'
import { putAccount } from '../../../../src/core/state/accounts.ts'
import { overlayOn } from '../../../../src/core/state/state.ts'
import { REPORT_UNITS } from '../../../../src/core/transaction/report-double-sign.ts'
import { person, testGenesis, testNetwork } from '../../../chain-accounts.ts'

const operator = person(1).consensus
const account = accountOf(operator.publicKey)
const baseFee = 10_000n
/** Four times the price of now: what a report offers. */
const NEEDED = BigInt(REPORT_UNITS) * baseFee * 4n

test.each([
  ['nothing', 0n, { account, balance: 0n, needed: NEEDED }],
  ['a grain too little', NEEDED - 1n, { account, balance: NEEDED - 1n, needed: NEEDED }],
  ['enough', NEEDED, undefined],
])('an operator with %s', (_what, balance, expected) => {
  const state = overlayOn(testNetwork(testGenesis()).state)
  putAccount(state, account, { balance, nonce: 0n, bonded: 0n })
  expect(reportShortage({ state, baseFee }, operator)).toEqual(expected)
})

test('is told what is missing, and how to send it', () => {
  const text = shortageLines({ account, balance: 0n, needed: NEEDED }, 'local').join(' ')
  expect(text).toContain('holds 0 DLLM, and one report takes up to 0.08 DLLM')
  expect(text).toContain(`dllm wallet send 1 ${addressOfAccount(account, 'local')}`)
})
