/** The envelope's checks: each refusal has its code, comes in its order, and changes nothing. */
import { beforeAll, describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { Writer } from '../../../../src/base/codec.ts'
import { getAccount, TREASURY } from '../../../../src/core/state/accounts.ts'
import { conservationFault } from '../../../../src/core/state/conservation.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { overlayOn } from '../../../../src/core/state/state.ts'
import { getSupply } from '../../../../src/core/state/supply.ts'
import { applyTransaction, checkTransaction } from '../../../../src/core/transaction/check.ts'
import { CONTRACTS } from '../../../../src/core/transaction/contracts.ts'
import { decodeTransaction, signTransaction } from '../../../../src/core/transaction/transaction.ts'
import {
  type CallDraft,
  DLLM,
  person,
  signCall,
  signedCall,
  type TestNetwork,
  testGenesis,
  testNetwork,
} from '../../../chain-accounts.ts'

const [ann, , cleo] = [1, 2, 3].map(person) as [ReturnType<typeof person>, unknown, ReturnType<typeof person>]
const nobody = person(9)
let network: TestNetwork

beforeAll(() => {
  network = testNetwork(testGenesis())
})

const pay = (amount: bigint, rest: Partial<CallDraft> = {}): CallDraft => ({
  type: 1,
  body: { to: nobody.id, amount, memo: new Uint8Array(0) },
  ...rest,
})

describe('a transaction is refused', () => {
  const other = hash('ab'.repeat(32))
  test.each([
    ['for another network', 'WRONG_NETWORK', () => signedCall(other, cleo, pay(1n))],
    ['when its type is unknown', 'UNKNOWN_TYPE', () => signBody(200, new Uint8Array(0))],
    ['when its body ends early', 'BAD_BODY', () => signBody(1, new Uint8Array(3))],
    ['when its body has more bytes', 'BAD_BODY', () => signBody(7, new Uint8Array(10))],
    ['when its nonce was used', 'NONCE_TOO_LOW', () => signedCall(network.networkId, cleo, pay(1n))],
    ['when a nonce before it is missing', 'NONCE_TOO_HIGH', () => signNext(pay(1n, { nonce: 2n }))],
    ['when it offers less than the base fee', 'FEE_BELOW_BASE', () => signNext(pay(1n, { nonce: 1n, maxFee: 9n }))],
    [
      'when the fee is more than there is',
      'INSUFFICIENT_FUNDS',
      () => signedCall(network.networkId, person(8), pay(1n)),
    ],
    ['when fee and amount are too much', 'INSUFFICIENT_FUNDS', () => signNext(pay(999n * DLLM, { nonce: 1n }))],
  ])('%s', (_case, code, make) => {
    const state = overlayOn(network.state)
    const first = signedCall(network.networkId, cleo, pay(DLLM))
    applyTransaction(checkTransaction(first, state, network.context), state, network.context)
    const before = state.changes()
    expect(() => checkTransaction(make(), state, network.context)).toThrow(expect.objectContaining({ code }))
    expect(state.changes()).toEqual(before)
  })

  test('when it is larger than a vote allows', () => {
    const context = { ...network.context, parameters: { ...network.context.parameters, transactionBytesMax: 512n } }
    const large = signBody(1, new Uint8Array(600))
    expect(() => checkTransaction(large, network.state, context)).toThrow(
      expect.objectContaining({ code: 'TRANSACTION_TOO_LARGE' }),
    )
  })

  test('when any one of its bits was changed on the way', () => {
    const bytes = signCall(network.networkId, cleo, pay(5n))
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice()
      changed[bit >>> 3]! ^= 1 << (bit & 7)
      expect(() => checkTransaction(decodeTransaction(changed), network.state, network.context)).toThrow(
        expect.objectContaining({ code: expect.any(String) }),
      )
    }
  })

  test('with a sentence that says how much is missing', () => {
    const call = signedCall(network.networkId, cleo, pay(1_000n * DLLM))
    expect(() => checkTransaction(call, network.state, network.context)).toThrow(
      'The account is 0.00000012 DLLM short, fee included.',
    )
  })
})

describe('a fee', () => {
  test.each([
    { what: 'pays the tip in full when there is room', maxFee: 100n, tip: 2n, perUnit: 12n },
    { what: 'never passes what the sender offers', maxFee: 11n, tip: 50n, perUnit: 11n },
    { what: 'is the base fee alone when no tip is offered', maxFee: 10n, tip: 0n, perUnit: 10n },
  ])('$what', ({ maxFee, tip, perUnit }) => {
    const { state: store, context, networkId } = network
    const state = overlayOn(store)
    const proposer = getAccount(state, context.proposer).balance
    const call = signedCall(networkId, cleo, pay(DLLM, { maxFee, tip }))
    const fee = applyTransaction(checkTransaction(call, state, context), state, context)
    expect(fee).toEqual({ burnt: 100n, tip: 10n * (perUnit - 10n) })
    expect(getAccount(state, cleo.id)).toEqual({ balance: 999n * DLLM - 10n * perUnit, nonce: 1n, bonded: 0n })
    expect(getAccount(state, nobody.id).balance).toBe(DLLM)
    expect(getAccount(state, context.proposer).balance).toBe(proposer + fee.tip)
    expect(getSupply(state).burnt).toBe(100n)
    expect(conservationFault(store, state.changes())).toBeUndefined()
  })

  test('goes from a proposer to itself without making grains', () => {
    const proposer = [ann, person(2)].find(({ id }) => id === network.context.proposer)!
    const state = overlayOn(network.state)
    const call = signedCall(network.networkId, proposer, pay(1n, { tip: 5n }))
    applyTransaction(checkTransaction(call, state, network.context), state, network.context)
    expect(getAccount(state, proposer.id).balance).toBe(1_000n * DLLM - 100n - 1n)
    expect(conservationFault(network.state, state.changes())).toBeUndefined()
  })
})

test('the treasury can receive', () => {
  const state = overlayOn(network.state)
  const call = signedCall(network.networkId, cleo, {
    type: 1,
    body: { to: TREASURY, amount: 7n, memo: Uint8Array.of(1) },
  })
  applyTransaction(checkTransaction(call, state, network.context), state, network.context)
  expect(getAccount(state, TREASURY).balance).toBe(7n)
})

test('contracts are numbered and named once', () => {
  expect(CONTRACTS.map(({ type }) => type)).toEqual(CONTRACTS.map((_, index) => index + 1))
  expect(new Set(CONTRACTS.map(({ name }) => name)).size).toBe(CONTRACTS.length)
})

test('the state of a genesis is sound', () => {
  expect(stateFaults(network.state)).toEqual([])
})

function signBody(type: number, body: Uint8Array) {
  const draft = { ...{ type, nonce: 1n, maxFee: 100n, tip: 0n }, body: new Writer().raw(body).finish() }
  return decodeTransaction(signTransaction(network.networkId, draft, cleo.owner))
}

function signNext(call: CallDraft) {
  return signedCall(network.networkId, cleo, call)
}
