/** The tables: records round-trip, keys sort by height, money cannot be made, and the checkers see what is broken. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accountId, hash } from '../../../../src/base/brand.ts'
import { Writer } from '../../../../src/base/codec.ts'
import { genesisState } from '../../../../src/core/genesis.ts'
import { accountKey, accounts, getAccount, putAccount } from '../../../../src/core/state/accounts.ts'
import { bonds, putBond } from '../../../../src/core/state/bonds.ts'
import { putConsensusKey } from '../../../../src/core/state/consensus-keys.ts'
import { conservationFault } from '../../../../src/core/state/conservation.ts'
import { putEvidence } from '../../../../src/core/state/evidence-record.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { burn, issue, move, SUPPLY_MAX } from '../../../../src/core/state/money.ts'
import {
  castVote,
  getParameterVotes,
  parameterVotes,
  parameterVotesKey,
  putProposal,
} from '../../../../src/core/state/proposals.ts'
import { getSeed, putSeed } from '../../../../src/core/state/seed-record.ts'
import {
  createStateStore,
  overlayOn,
  type StateKey,
  stateKey,
  type WriteState,
} from '../../../../src/core/state/state.ts'
import { getSupply, putSupply } from '../../../../src/core/state/supply.ts'
import { isIterated, TABLE } from '../../../../src/core/state/tables.ts'
import { putUnbonding, unbondings } from '../../../../src/core/state/unbondings.ts'
import { drawMembers, putValidatorSet } from '../../../../src/core/state/validator-sets.ts'
import { getValidator, putValidator, type Validator } from '../../../../src/core/state/validators.ts'
import { DLLM, person, TEST_PARAMETERS, testGenesis } from '../../../chain-accounts.ts'

const [ann, ben, cleo] = [1, 2, 3].map((number) => person(number).id) as [Id, Id, Id]
type Id = ReturnType<typeof person>['id']
const base = createStateStore(genesisState(testGenesis()))
const fresh = () => overlayOn(base)
const whole = (state: ReturnType<typeof fresh>) =>
  createStateStore([...base.entries('' as StateKey), ...state.changes()])

/** The record of a yes to one proposal. */
const voteOn = (number: number): Uint8Array => new Writer().u32(1).u64(BigInt(number)).u8(1).finish()
const proposal = {
  ...{ proposer: ann, deposit: 0n, endHeight: 10 },
  subject: { type: 'parameters' as const, changes: [{ name: 'voteMs' as const, value: 100n }] },
}
const uncounted = (state: WriteState): void => {
  putSupply(state, { ...getSupply(state), proposalsMade: 1 })
  putProposal(state, 0, proposal)
  state.set(parameterVotesKey(ann), voteOn(0))
}
const rankOfAnn = (state: WriteState): StateKey =>
  [...state.entries(stateKey(TABLE.ranking))].map(([key]) => key).find((key) => key.endsWith(ann))!

const ids = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes) => accountId(Buffer.from(bytes).toString('hex')))
const grains = fc.bigInt({ min: 0n, max: SUPPLY_MAX })
const heights = fc.integer({ min: 0, max: 2 ** 48 })

describe('records are read as they were written', () => {
  test('of accounts and validators', () => {
    const validators = fc.record<Validator>({
      consensusKey: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      seedKey: fc.uint8Array({ minLength: 48, maxLength: 48 }),
      stake: grains,
      bonds: fc.nat(),
      status: fc.constantFrom('active', 'tombstoned'),
      registeredHeight: heights,
      signedBlocks: fc.nat(),
      name: fc.string({ maxLength: 8 }),
    })
    fc.assert(
      fc.property(ids, grains, grains, grains, validators, (id, balance, nonce, bonded, validator) => {
        const state = overlayOn(createStateStore([]))
        putAccount(state, id, { balance, nonce, bonded })
        putValidator(state, id, validator)
        expect(getAccount(state, id)).toEqual({ balance, nonce, bonded })
        expect(getValidator(state, id)).toEqual(validator)
        expect([...accounts(state)]).toHaveLength(balance + nonce + bonded > 0n ? 1 : 0)
      }),
    )
  })

  test('of unbondings, by the height at which they are due', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ dueHeight: heights, owner: ids, validator: ids, begunHeight: heights })),
        (list) => {
          const state = overlayOn(createStateStore([]))
          for (const id of list) putUnbonding(state, id, 5n)
          const found = [...unbondings(state)]
          expect(found.map(({ dueHeight }) => dueHeight)).toEqual(
            list.map(({ dueHeight }) => dueHeight).sort((a, b) => a - b),
          )
          for (const id of list) expect([...unbondings(state, id.dueHeight)]).toContainEqual({ ...id, amount: 5n })
        },
      ),
    )
  })

  test('of seeds and votes', () => {
    const state = fresh()
    putSeed(state, hash('ab'.repeat(32)))
    expect(getSeed(state)).toBe('ab'.repeat(32))
    for (const number of [3, 30]) putProposal(state, number, proposal)
    castVote(state, ben, { proposal: 3, yes: false })
    castVote(state, ann, { proposal: 30, yes: true })
    castVote(state, ann, { proposal: 3, yes: true })
    expect([...parameterVotes(state)]).toHaveLength(2)
    expect(getParameterVotes(state, ben)).toEqual([{ proposal: 3, yes: false }])
    expect(getParameterVotes(state, ann).map(({ proposal: number }) => number)).toEqual([3, 30])
  })
})

test('accounts are not indexed in a node', () => {
  const store = createStateStore(genesisState(testGenesis()), isIterated)
  expect(getAccount(store, ann).balance).toBe(1_000n * DLLM)
  expect([...bonds(store, ann)]).toEqual([{ validator: ann, owner: ann, amount: 100n * DLLM }])
  expect(() => [...accounts(store)]).toThrow('only indexed tables')
})

describe('moving grains', () => {
  const account = (id: Id) => ({ type: 'account', id }) as const

  test.each([
    ['more than there is', { amount: 1_001n * DLLM, from: account(ann), to: account(ben) }],
    ['less than nothing', { amount: -1n, from: account(ann), to: account(ben) }],
    [
      'into a bond to nobody',
      { amount: 1n, from: account(ann), to: { type: 'bond', validator: cleo, owner: ann } as const },
    ],
    [
      'into a deposit without a proposal',
      { amount: 1n, from: account(ann), to: { type: 'deposit', proposal: 0 } as const },
    ],
    [
      'out of an empty unbonding',
      {
        amount: 1n,
        from: { type: 'unbonding', dueHeight: 1, begunHeight: 0, owner: ann, validator: ann } as const,
        to: account(ann),
      },
    ],
    ['beyond what there can be', { amount: SUPPLY_MAX, from: { type: 'genesis' } as const, to: account(ann) }],
  ])('never moves %s', (_case, movement) => {
    expect(() => move(fresh(), movement)).toThrow(expect.objectContaining({ name: 'AssertionError' }))
  })

  test('issues until there are as many grains as there can be', () => {
    const state = fresh()
    expect(issue(state, 7n)).toBe(7n)
    expect(issue(state, SUPPLY_MAX)).toBe(SUPPLY_MAX - 4_200n * DLLM - 7n)
    expect(issue(state, 1n)).toBe(0n)
    burn(state, { type: 'pool' }, 5n)
    expect(issue(state, 1n)).toBe(0n)
    expect(getSupply(state)).toMatchObject({ burnt: 5n, pool: SUPPLY_MAX - 4_200n * DLLM - 5n })
    expect(conservationFault(base, state.changes())).toBeUndefined()
    expect(stateFaults(whole(state))).toEqual([])
  })
})

test('a set is the largest stakes of who is able, equal ones by id, in the order of ids', () => {
  const state = overlayOn(createStateStore([]))
  const numbered = (number: number) => accountId(number.toString(16).padStart(40, '0'))
  const add = (number: number, stake: bigint, status: Validator['status'] = 'active') =>
    putValidator(state, numbered(number), {
      ...{ consensusKey: new Uint8Array(32), seedKey: new Uint8Array(48), bonds: 1, name: 'x' },
      ...{ stake, status, registeredHeight: 0, signedBlocks: 0 },
    })
  add(9, 5n * DLLM)
  add(2, 5n * DLLM)
  add(4, 5n * DLLM)
  add(1, 90n * DLLM, 'tombstoned')
  add(7, 8n * DLLM)
  add(3, DLLM - 1n)
  const drawn = drawMembers(state, { ...TEST_PARAMETERS, validatorsMax: 3n })
  expect(drawn.map(({ id }) => id)).toEqual([numbered(2), numbered(4), numbered(7)])
})

describe('a broken state is seen', () => {
  const account = { balance: 1_000n * DLLM, nonce: 0n, bonded: 100n * DLLM }
  const change = (id: Id, part: Partial<Validator>) => (state: WriteState) =>
    putValidator(state, id, { ...getValidator(state, id)!, ...part })
  test.each<[string, (state: WriteState) => void, RegExp, boolean]>([
    [
      'grains out of nothing',
      (state) => putAccount(state, cleo, { ...account, balance: 1n, bonded: 0n }),
      /are held/,
      true,
    ],
    ['grains that are lost', (state) => state.set(accountKey(cleo), undefined), /are held/, true],
    ['burning twice', (state) => putSupply(state, { ...getSupply(state), burnt: 1n }), /are held/, true],
    ['stake without a bond', change(ann, { stake: 101n * DLLM }), /stake of/, true],
    ['a bond without stake', (state) => putBond(state, { validator: ann, owner: cleo }, 1n), /stake of|are held/, true],
    [
      'an account that forgets its bonds',
      (state) => putAccount(state, ann, { ...account, bonded: 0n }),
      /bonded/,
      true,
    ],
    ['a wrong number of bonds', change(ann, { bonds: 2 }), /counts 2 bonds/, false],
    ['a tombstone without evidence', change(ann, { status: 'tombstoned' }), /against the evidence/, false],
    ['evidence without a tombstone', (state) => putEvidence(state, ann, evidence), /against/, false],
    [
      'a key that changed its owner',
      (state) => putConsensusKey(state, person(1).consensus.publicKey, ben),
      /another/,
      false,
    ],
    ['a key of nobody', (state) => putConsensusKey(state, new Uint8Array(32), cleo), /no validator/, false],
    ['an empty set', (state) => putValidatorSet(state, 5, []), /is empty/, false],
    ['a stranger in a set', (state) => putValidatorSet(state, 5, [stranger]), /stranger/, false],
    ['votes on nothing', (state) => state.set(parameterVotesKey(ann), voteOn(1)), /not made yet/, false],
    ['a vote that is not counted', uncounted, /sides of proposal 0/, false],
    ['a validator out of its rank', (state) => state.set(rankOfAnn(state), undefined), /ranking/, false],
    ['a wrong sum of bonds', (state) => putSupply(state, { ...getSupply(state), bonded: 1n }), /sum|bonded/, true],
    ['a proposal of no number', (state) => putProposal(state, 8, proposal), /not given yet/, false],
    ['an unknown table', (state) => state.set(stateKey(99, ''), Uint8Array.of(1)), /no table/, false],
  ])('%s', (_case, damage, fault, isInSums) => {
    const state = fresh()
    damage(state)
    expect(stateFaults(whole(state)).join('\n')).toMatch(fault)
    expect(conservationFault(base, state.changes()) !== undefined).toBe(isInSums)
  })
  const evidence = { height: 1, punishedHeight: 2, since: 1, slash: 50 }
  const stranger = { id: cleo, consensusKey: new Uint8Array(32), seedKey: new Uint8Array(48), stake: 1n }
})
