/**
 * Whatever people send in whatever order: sums agree after every transaction, refusals change nothing, bytes have one meaning.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hash } from '../../src/base/brand.ts'
import { Reader, Writer } from '../../src/base/codec.ts'
import { codeOf } from '../../src/base/error.ts'
import { type Ballot, ballotDigest } from '../../src/core/consensus/messages.ts'
import { sign } from '../../src/core/ed25519.ts'
import { PARAMETER_NAMES, type ParameterName } from '../../src/core/parameters.ts'
import { getAccount } from '../../src/core/state/accounts.ts'
import { conservationFault } from '../../src/core/state/conservation.ts'
import { stateFaults } from '../../src/core/state/invariants.ts'
import { payUnbonding } from '../../src/core/state/slash.ts'
import { createStateStore, overlayOn, type StateKey, type StateStore } from '../../src/core/state/state.ts'
import { unbondings } from '../../src/core/state/unbondings.ts'
import { applyTransaction, checkTransaction, type TransactionContext } from '../../src/core/transaction/check.ts'
import { CONTRACTS, contractOf } from '../../src/core/transaction/contracts.ts'
import { decodeTransaction, signTransaction } from '../../src/core/transaction/transaction.ts'
import { proveValidatorKeys } from '../../src/core/validator-proofs.ts'
import { DLLM, person, signCall, testGenesis, testNetwork } from '../chain-accounts.ts'

const people = [1, 2, 3, 4, 5].map(person)
const { networkId, state: first, context: firstContext } = testNetwork(testGenesis())
/** Made once: proofs of possession take longer than everything else here. */
const registrations = people.map((one) => ({
  name: 'n',
  ...proveValidatorKeys({ networkId, owner: one.id }, one.consensus, one.seedSecret),
}))

/** The first contract of the market. */
const MARKET_FROM = 8

const who = fc.integer({ min: 0, max: people.length - 1 })
const amount = fc.oneof(
  fc.bigInt({ min: 0n, max: 40n * DLLM }),
  fc.constantFrom(0n, 1n, DLLM - 1n, DLLM, 1_000n * DLLM, 2n ** 64n - 1n),
)
const value = fc.constantFrom(0n, 1n, 7n, 100n, 500n, 20_000n, DLLM)
const height = fc.integer({ min: 0, max: 60 })

/** A step of a story: a call, valid or not, or some blocks that pass. */
const calls = fc.oneof(
  fc.record({ type: fc.constant(1), to: who, amount, memo: fc.uint8Array({ maxLength: 128 }) }),
  fc.record({ type: fc.constantFrom(2, 3), to: who, amount }),
  fc.record({ type: fc.constant(4), to: who }),
  fc.record({ type: fc.constant(5), to: who, height, isConflict: fc.boolean(), isForged: fc.boolean() }),
  fc.record({ type: fc.constant(6), name: fc.constantFrom(...PARAMETER_NAMES), amount: value }),
  fc.record({ type: fc.constant(7), number: fc.nat({ max: 2 }), yes: fc.boolean() }),
)
const step = fc.record({
  sender: who,
  call: calls,
  /** Added to the nonce that would be right: mostly nothing. */
  nonce: fc.constantFrom(0n, 0n, 0n, 0n, 0n, 0n, 1n),
  maxFee: fc.constantFrom(100n, 100n, 100n, 10n, 9n, 2n ** 64n - 1n),
  tip: fc.constantFrom(0n, 1n, 5n, 2n ** 64n - 1n),
  blocks: fc.constantFrom(0, 0, 1, 7),
})
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never
type Story = typeof calls extends fc.Arbitrary<infer Value> ? Value : never

function bodyOf(call: Story): unknown {
  const target = people[('to' in call ? call.to : undefined) ?? 0]!
  switch (call.type) {
    case 1:
      return { to: target.id, amount: call.amount, memo: (call as { memo: Uint8Array }).memo }
    case 2:
    case 3:
      return { validator: target.id, amount: (call as { amount: bigint }).amount }
    case 4:
      return registrations[people.indexOf(target)]
    case 5:
      return evidence(call as { height: number; isConflict: boolean; isForged: boolean }, target)
    case 6: {
      const { name, amount: value } = call as { name: ParameterName; amount: bigint }
      return { changes: [{ name, value }] }
    }
    default:
      return { proposal: (call as { number: number }).number, yes: (call as { yes: boolean }).yes }
  }
}

function evidence(
  call: { height: number; isConflict: boolean; isForged: boolean },
  target: (typeof people)[0],
): unknown {
  const signer = call.isForged ? people[4]! : target
  const vote = (digit: string) => {
    const ballot: Ballot = { type: 'prevote', height: call.height, round: 0, blockHash: hash(digit.repeat(64)) }
    return { ...ballot, signature: sign(ballotDigest(networkId, ballot), signer.consensus.secretKey) }
  }
  const consensusKey = target.consensus.publicKey
  return { kind: 'votes', consensusKey, first: vote('a'), second: vote(call.isConflict ? 'b' : 'a') }
}

/** Takes one step; what is refused must change nothing. Returns the code of the refusal. */
function take(state: StateStore, context: TransactionContext, taken: Step): string | undefined {
  const sender = people[taken.sender]!
  const nonce = getAccount(state, sender.id).nonce + taken.nonce
  const { maxFee, tip, call } = taken
  const transaction = decodeTransaction(
    signCall(networkId, sender, { type: call.type, body: bodyOf(call), nonce, maxFee, tip }),
  )
  const overlay = overlayOn(state)
  let code: string | undefined
  try {
    applyTransaction(checkTransaction(transaction, overlay, context), overlay, context)
  } catch (error) {
    code = codeOf(error)
    if (code === undefined) throw error
    expect(overlay.changes()).toEqual([])
  }
  expect(conservationFault(state, overlay.changes())).toBeUndefined()
  state.merge(overlay.changes())
  return code
}

/** What the end of a block does with unbondings. */
function payDue(state: StateStore, dueHeight: number): void {
  const overlay = overlayOn(state)
  for (const unbonding of [...unbondings(state, dueHeight)]) payUnbonding(overlay, unbonding)
  expect(conservationFault(state, overlay.changes())).toBeUndefined()
  state.merge(overlay.changes())
}

test('any story keeps the state sound, and its refusals change nothing', () => {
  const outcomes = new Map<string, number>()
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), (story) => {
      const state = createStateStore([...first.entries('' as StateKey)])
      let context = firstContext
      for (const taken of story) {
        const code = take(state, context, taken) ?? `accepted ${taken.call.type}`
        outcomes.set(code, (outcomes.get(code) ?? 0) + 1)
        for (let block = 0; block < taken.blocks; block++) {
          payDue(state, context.height)
          context = { ...context, height: context.height + 1 }
        }
      }
      expect(stateFaults(state)).toEqual([])
    }),
    { numRuns: 40, seed: 3, endOnFailure: true },
  )
  // The stories must reach every contract of the chain's own, or the property says little; the market's have stories of theirs.
  for (const { type } of CONTRACTS.filter((contract) => contract.type < MARKET_FROM))
    expect(outcomes.get(`accepted ${type}`) ?? 0, `type ${type}`).toBeGreaterThan(0)
  expect([...outcomes.keys()].filter((code) => !code.startsWith('accepted')).length).toBeGreaterThan(15)
})

describe('bytes', () => {
  test('of a transaction are read and written alike', () => {
    const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    fc.assert(
      fc.property(fc.nat(255), u64, u64, u64, fc.uint8Array({ maxLength: 300 }), (type, nonce, maxFee, tip, body) => {
        const draft = { type, nonce, maxFee, tip, body }
        const bytes = signTransaction(networkId, draft, people[0]!.owner)
        const read = decodeTransaction(bytes)
        expect(read).toMatchObject(draft)
        expect(read.sender).toBe(people[0]!.id)
        expect(signTransaction(networkId, read, people[0]!.owner)).toEqual(bytes)
      }),
      { numRuns: 50 },
    )
  })

  test('of any kind are a transaction or refused with a code', () => {
    const valid = signCall(networkId, people[0]!, { type: 7, body: { proposal: 1, yes: true } })
    const near = fc
      .tuple(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(valid.length + 8))
      .map(([changes, length]) => {
        const bytes = new Uint8Array(length)
        bytes.set(valid.subarray(0, length))
        for (const [at, value] of changes) if (at < length) bytes[at] = value
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 5_000 }), near), (bytes) => {
        expect(outcomeOf(() => decodeTransaction(bytes))).toMatch(/^read$|^CODEC_/)
      }),
      { numRuns: 2_000 },
    )
  })

  test.each(CONTRACTS.map(({ type, name }) => ({ type, name })))(
    'of a $name body are written as they were read, or refused with a code',
    ({ type }) => {
      const contract = contractOf(type)!
      const smallNumbers = fc
        .array(fc.constantFrom(0, 0, 0, 1, 2, 97), { maxLength: 300 })
        .map((bytes) => Uint8Array.from(bytes))
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array({ maxLength: 400 }), smallNumbers), (bytes) => {
          const outcome = outcomeOf(() => {
            const reader = new Reader(bytes)
            const body = contract.read(reader)
            reader.finish()
            const writer = new Writer()
            contract.write(writer, body)
            expect(writer.finish()).toEqual(bytes)
          })
          expect(outcome).toMatch(/^read$|^CODEC_/)
        }),
        { numRuns: 1_000 },
      )
    },
  )
})

function outcomeOf(read: () => unknown): string | undefined {
  try {
    read()
    return 'read'
  } catch (error) {
    const code = codeOf(error)
    if (code === undefined) throw error
    return code
  }
}
