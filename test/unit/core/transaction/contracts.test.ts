/** The contracts one by one: what each changes when accepted, and by which code each refusal is known. */
import { beforeAll, describe, expect, test } from 'vitest'
import { CHAIN_LIMITS } from '../../../../src/base/chain-limits.ts'
import type { ParameterName } from '../../../../src/core/parameters.ts'
import { getAccount, putAccount } from '../../../../src/core/state/accounts.ts'
import { getBond } from '../../../../src/core/state/bonds.ts'
import { ownerOfConsensusKey } from '../../../../src/core/state/consensus-keys.ts'
import { conservationFault } from '../../../../src/core/state/conservation.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { move } from '../../../../src/core/state/money.ts'
import {
  getParameterVotes,
  getProposal,
  openProposals,
  putProposal,
  removeProposal,
} from '../../../../src/core/state/proposals.ts'
import { createStateStore, type Overlay, overlayOn, type WriteState } from '../../../../src/core/state/state.ts'
import { getSupply, putSupply } from '../../../../src/core/state/supply.ts'
import { unbondings } from '../../../../src/core/state/unbondings.ts'
import { getValidator, putValidator } from '../../../../src/core/state/validators.ts'
import { applyTransaction, checkTransaction, type TransactionContext } from '../../../../src/core/transaction/check.ts'
import { proveValidatorKeys } from '../../../../src/core/validator-proofs.ts'
import {
  DLLM,
  type Person,
  person,
  signedCall,
  type TestNetwork,
  testGenesis,
  testNetwork,
} from '../../../chain-accounts.ts'

const [ann, ben, cleo, dan] = [1, 2, 3, 4].map(person) as [Person, Person, Person, Person]
const stranger = person(9)
let network: TestNetwork
let state: Overlay

interface Step {
  readonly type: number
  readonly body: unknown
  readonly by?: Person
  readonly at?: Partial<TransactionContext>
}

beforeAll(() => {
  network = testNetwork(testGenesis({ bondMin: 10n * DLLM }))
})

/** Carries out a call at the sender's nonce; sums must agree afterwards, and the whole state be sound. */
function run({ type, body, by = cleo, at = {} }: Step): void {
  const context = { ...network.context, ...at }
  const nonce = getAccount(state, by.id).nonce
  const call = signedCall(network.networkId, by, { type, body, nonce })
  applyTransaction(checkTransaction(call, state, context), state, context)
  expect(conservationFault(network.state, state.changes())).toBeUndefined()
  expect(stateFaults(createStateStore([...network.state.entries('' as never), ...state.changes()]))).toEqual([])
}

function refuses(step: Step, code: string): void {
  const before = state.changes()
  expect(() => run(step)).toThrow(expect.objectContaining({ code }))
  expect(state.changes()).toEqual(before)
}

const bond = (validator: Person, amount: bigint) => ({ type: 2, body: { validator: validator.id, amount } })
const unbond = (validator: Person, amount: bigint) => ({ type: 3, body: { validator: validator.id, amount } })

function tombstone(target: WriteState, who: Person): void {
  putValidator(target, who.id, { ...getValidator(target, who.id)!, status: 'tombstoned' })
}

describe('transfer', () => {
  test('of nothing is refused', () => {
    state = overlayOn(network.state)
    refuses({ type: 1, body: { to: ann.id, amount: 0n, memo: new Uint8Array(0) } }, 'ZERO_AMOUNT')
  })

  test('to oneself changes the balance by the fee alone', () => {
    state = overlayOn(network.state)
    run({ type: 1, body: { to: cleo.id, amount: 500n * DLLM, memo: new Uint8Array(128) } })
    expect(getAccount(state, cleo.id).balance).toBe(1_000n * DLLM - 18n * 12n)
  })
})

describe('bond', () => {
  test('moves grains into the stake, and more of them later', () => {
    state = overlayOn(network.state)
    run(bond(ann, 20n * DLLM))
    run(bond(ann, 1n))
    expect(getBond(state, { validator: ann.id, owner: cleo.id })).toBe(20n * DLLM + 1n)
    expect(getValidator(state, ann.id)).toMatchObject({ stake: 120n * DLLM + 1n, bonds: 2 })
    expect(getAccount(state, cleo.id).bonded).toBe(20n * DLLM + 1n)
  })

  test.each([
    ['of nothing', bond(ann, 0n), 'ZERO_AMOUNT'],
    ['to nobody', bond(stranger, 20n * DLLM), 'NO_SUCH_VALIDATOR'],
    ['that is too small', bond(ann, 10n * DLLM - 1n), 'BOND_TOO_SMALL'],
    ['of more than there is', bond(ann, 1_000n * DLLM), 'INSUFFICIENT_FUNDS'],
  ])('%s is refused', (_case, step, code) => {
    state = overlayOn(network.state)
    refuses(step, code)
  })

  test('to a tombstoned validator is refused', () => {
    state = overlayOn(network.state)
    tombstone(state, ann)
    refuses(bond(ann, 20n * DLLM), 'VALIDATOR_TOMBSTONED')
  })

  test('is refused when the validator has as many as it can, except to who holds one and to its owner', () => {
    state = overlayOn(network.state)
    const at = { parameters: { ...network.context.parameters, bondsPerValidatorMax: 1n } }
    refuses({ ...bond(ann, 20n * DLLM), at }, 'BONDS_FULL')
    run({ ...bond(ann, 20n * DLLM), by: ann, at })
    run({ ...unbond(ann, 120n * DLLM), by: ann, at })
    run({ ...bond(ann, 20n * DLLM), at })
    run({ ...bond(ann, 20n * DLLM), at })
    run({ ...bond(ann, 20n * DLLM), by: ann, at })
    expect(getValidator(state, ann.id)).toMatchObject({ stake: 60n * DLLM, bonds: 2 })
  })
})

describe('unbond', () => {
  test('leaves the stake at once and comes back at its height', () => {
    state = overlayOn(network.state)
    run({ ...unbond(ann, 30n * DLLM), by: ann })
    run({ ...unbond(ann, 20n * DLLM), by: ann })
    run({ ...unbond(ann, 50n * DLLM), by: ann, at: { height: 6 } })
    expect(getValidator(state, ann.id)).toMatchObject({ stake: 0n, bonds: 0 })
    expect(getAccount(state, ann.id).bonded).toBe(0n)
    const common = { owner: ann.id, validator: ann.id }
    expect([...unbondings(state)]).toEqual([
      { ...common, dueHeight: 35, begunHeight: 5, amount: 50n * DLLM },
      { ...common, dueHeight: 36, begunHeight: 6, amount: 50n * DLLM },
    ])
    expect([...unbondings(state, 36)]).toHaveLength(1)
  })

  test.each([
    ['of nothing', { ...unbond(ann, 0n), by: ann }, 'ZERO_AMOUNT'],
    ['without a bond', unbond(ann, 1n), 'NO_SUCH_BOND'],
    ['of more than the bond', { ...unbond(ann, 101n * DLLM), by: ann }, 'UNBOND_TOO_MUCH'],
    ['that leaves too little', { ...unbond(ann, 91n * DLLM), by: ann }, 'BOND_TOO_SMALL'],
  ])('%s is refused', (_case, step, code) => {
    state = overlayOn(network.state)
    refuses(step, code)
  })

  test('from a tombstoned validator is possible', () => {
    state = overlayOn(network.state)
    run({ ...bond(ann, 10n * DLLM) })
    const context = { ...network.context }
    tombstone(state, ann)
    const call = signedCall(network.networkId, cleo, { ...unbond(ann, 10n * DLLM), nonce: 1n })
    applyTransaction(checkTransaction(call, state, context), state, context)
    expect(getValidator(state, ann.id)?.stake).toBe(100n * DLLM)
  })
})

describe('register-validator', () => {
  const registration = (who: Person, owner: Person = who) => ({
    name: 'Cleo 1',
    ...proveValidatorKeys({ networkId: network.networkId, owner: owner.id }, who.consensus, who.seedSecret),
  })
  let cleos: ReturnType<typeof registration>
  beforeAll(() => {
    cleos = registration(cleo)
  })

  test('makes a validator without stake', () => {
    state = overlayOn(network.state)
    run({ type: 4, body: cleos })
    const { consensusKey, seedKey } = cleos
    expect(getValidator(state, cleo.id)).toEqual({
      ...{ consensusKey, seedKey, name: 'Cleo 1', stake: 0n, bonds: 0, signedBlocks: 0 },
      ...{ status: 'active', registeredHeight: 5 },
    })
    expect(ownerOfConsensusKey(state, consensusKey)).toBe(cleo.id)
    refuses({ type: 4, body: cleos }, 'ALREADY_A_VALIDATOR')
    refuses({ type: 4, body: cleos, by: dan }, 'CONSENSUS_KEY_USED')
  })

  const infinity = Uint8Array.of(0xc0, ...new Uint8Array(95))
  test.each([
    ['without a name', () => ({ ...cleos, name: '' }), 'BAD_NAME'],
    ['with a control character in its name', () => ({ ...cleos, name: 'a\u001b[2J' }), 'BAD_NAME'],
    ['with a name that ends in a space', () => ({ ...cleos, name: 'a ' }), 'BAD_NAME'],
    ['with the proofs of another account', () => registration(cleo, dan), 'BAD_CONSENSUS_PROOF'],
    ['with the key of a validator', () => registration(ann, cleo), 'CONSENSUS_KEY_USED'],
    [
      'with the seed proof of another account',
      () => ({ ...cleos, seedProof: registration(cleo, dan).seedProof }),
      'BAD_SEED_PROOF',
    ],
    [
      'with the neutral point as seed key',
      () => ({ ...cleos, seedKey: infinity.slice(0, 48), seedProof: infinity }),
      'BAD_SEED_PROOF',
    ],
    ['with no point as seed key', () => ({ ...cleos, seedKey: new Uint8Array(48).fill(0xff) }), 'BAD_SEED_PROOF'],
  ])('%s is refused', (_case, body, code) => {
    state = overlayOn(network.state)
    refuses({ type: 4, body: body() }, code)
  })
})

describe('propose-parameters and vote-parameters', () => {
  const change = (name: ParameterName, value: bigint) => ({ type: 6, body: { changes: [{ name, value }] } })

  test('a proposal holds its deposit and ends with an epoch', () => {
    state = overlayOn(network.state)
    run(change('validatorsMax', 7n))
    run(change('validatorsMax', 8n))
    expect(getProposal(state, 0)).toEqual({
      ...{ proposer: cleo.id, deposit: 5n * DLLM, endHeight: 10 },
      subject: { type: 'parameters', changes: [{ name: 'validatorsMax', value: 7n }] },
    })
    expect(getProposal(state, 1)?.deposit).toBe(5n * DLLM)
  })

  test.each([
    ['that changes nothing', { type: 6, body: { changes: [] } }, 'NO_CHANGES'],
    ['to change the length of epochs', change('epochBlocks', 20n), 'PARAMETER_FIXED'],
    ['beyond a bound', change('validatorsMax', 0n), 'PARAMETER_OUT_OF_BOUNDS'],
    ['that does not go with the rest', change('blockUnitsTarget', 70_000n), 'PARAMETER_OUT_OF_BOUNDS'],
    ['that lets stake leave before it can be punished', change('unbondingBlocks', 29n), 'PARAMETER_OUT_OF_BOUNDS'],
    ['without the deposit', { ...change('validatorsMax', 7n), by: person(5) }, 'INSUFFICIENT_FUNDS'],
  ])('a proposal %s is refused', (_case, step, code) => {
    state = overlayOn(network.state)
    move(state, { amount: DLLM, from: { type: 'account', id: dan.id }, to: { type: 'account', id: person(5).id } })
    refuses(step, code)
  })

  test('a vote of who has bonds is kept, and the later one counts', () => {
    state = overlayOn(network.state)
    run(change('validatorsMax', 7n))
    run({ type: 7, body: { proposal: 0, yes: true }, by: ann })
    run({ type: 7, body: { proposal: 0, yes: false }, by: ann, at: { height: 10 } })
    expect(getParameterVotes(state, ann.id)).toEqual([{ proposal: 0, yes: false }])
    refuses({ type: 7, body: { proposal: 1, yes: true }, by: ann }, 'NO_SUCH_PROPOSAL')
    refuses({ type: 7, body: { proposal: 0, yes: true } }, 'NOTHING_BONDED')
    refuses({ type: 7, body: { proposal: 0, yes: true }, by: ben, at: { height: 11 } }, 'VOTE_ENDED')
  })

  test('a vote counts with what its voter has bonded, as that changes', () => {
    state = overlayOn(network.state)
    run(change('validatorsMax', 7n))
    run({ type: 7, body: { proposal: 0, yes: true }, by: ann })
    run({ type: 7, body: { proposal: 0, yes: false }, by: ben })
    expect(openProposals(state)[0]).toMatchObject({ yes: 100n * DLLM, no: 100n * DLLM })
    run({ ...bond(ben, 20n * DLLM), by: ann })
    run({ ...unbond(ben, 70n * DLLM), by: ben })
    expect(openProposals(state)[0]).toMatchObject({ yes: 120n * DLLM, no: 30n * DLLM })
    run({ type: 7, body: { proposal: 0, yes: true }, by: ben })
    expect(openProposals(state)[0]).toMatchObject({ yes: 150n * DLLM, no: 0n })
  })

  test('no more proposals are open than a change of a bond can look at', () => {
    state = overlayOn(network.state)
    for (let number = 0; number < CHAIN_LIMITS.openProposalsMax; number++) {
      const draft = { proposer: dan.id, deposit: 0n, endHeight: 10 }
      putProposal(state, number, {
        ...draft,
        subject: { type: 'parameters', changes: [{ name: 'validatorsMax', value: 7n }] },
      })
    }
    putSupply(state, { ...getSupply(state), proposalsMade: CHAIN_LIMITS.openProposalsMax })
    refuses(change('validatorsMax', 7n), 'PROPOSALS_FULL')
    removeProposal(state, 3)
    run(change('validatorsMax', 7n))
    refuses(change('validatorsMax', 7n), 'PROPOSALS_FULL')
  })

  test('a proposal is removed when its deposit is out, and its votes when their voters do something with bonds', () => {
    state = overlayOn(network.state)
    run(change('validatorsMax', 7n))
    run({ type: 7, body: { proposal: 0, yes: true }, by: ann })
    expect(() => removeProposal(state, 0)).toThrow('without money')
    move(state, { amount: 5n * DLLM, from: { type: 'deposit', proposal: 0 }, to: { type: 'burnt' } })
    removeProposal(state, 0)
    expect(getProposal(state, 0)).toBeUndefined()
    expect(openProposals(state)).toEqual([])
    run({ ...unbond(ann, 10n * DLLM), by: ann })
    expect(getParameterVotes(state, ann.id)).toEqual([])
    expect(stateFaults(createStateStore([...network.state.entries('' as never), ...state.changes()]))).toEqual([])
  })
})

test('an account that has nothing left but its nonce stays', () => {
  state = overlayOn(network.state)
  putAccount(state, stranger.id, { balance: 0n, nonce: 1n, bonded: 0n })
  expect(getAccount(state, stranger.id).nonce).toBe(1n)
  putAccount(state, stranger.id, { balance: 0n, nonce: 0n, bonded: 0n })
  expect(state.changes().every(([, value]) => value === undefined)).toBe(true)
})
