/** What the ends of blocks and epochs do: unbondings, issuance, rewards, votes on parameters, the next set. */
import { beforeEach, describe, expect, test } from 'vitest'
import { accountId } from '../../../../src/base/brand.ts'
import { CHAIN_LIMITS } from '../../../../src/base/chain-limits.ts'
import { endBlock } from '../../../../src/core/block/end-of-block.ts'
import { endEpoch } from '../../../../src/core/block/end-of-epoch.ts'
import type { Genesis } from '../../../../src/core/genesis.ts'
import { genesisState } from '../../../../src/core/genesis.ts'
import type { ParameterChange } from '../../../../src/core/parameters.ts'
import { accountKey, getAccount } from '../../../../src/core/state/accounts.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { issue, move } from '../../../../src/core/state/money.ts'
import { getParameters } from '../../../../src/core/state/parameters-record.ts'
import { castVote, getProposal, putProposal } from '../../../../src/core/state/proposals.ts'
import { createStateStore, type Overlay, overlayOn } from '../../../../src/core/state/state.ts'
import { getSupply, putSupply, SUPPLY_KEY } from '../../../../src/core/state/supply.ts'
import { getValidatorSet } from '../../../../src/core/state/validator-sets.ts'
import { getValidator, putValidator, type Validator } from '../../../../src/core/state/validators.ts'
import { DLLM, type Person, person, testGenesis } from '../../../chain-accounts.ts'
import { countedState } from '../../../counted-state.ts'

/** 1 and 2 validate with 100 DLLM each and have 1,000 more, like 3 and 4. */
const genesis: Genesis = testGenesis()
const { parameters } = genesis
const [ann, ben, cleo] = [1, 2, 3].map(person) as [Person, Person, Person]
let state: Overlay

beforeEach(() => {
  state = overlayOn(createStateStore(genesisState(genesis)))
})

const bond = (owner: Person, validator: Person, amount: bigint): void =>
  move(state, {
    amount,
    from: { type: 'account', id: owner.id },
    to: { type: 'bond', validator: validator.id, owner: owner.id },
  })
const change = (who: Person, fields: Partial<Validator>): void =>
  putValidator(state, who.id, { ...getValidator(state, who.id)!, ...fields })
const balance = (who: Person): bigint => getAccount(state, who.id).balance
const end = (epoch = 0): void => {
  endEpoch(state, { epoch, height: 10 * (epoch + 1), parameters })
}
const sound = (): void => {
  const store = createStateStore(genesisState(genesis))
  store.merge(state.changes())
  expect(stateFaults(store)).toEqual([])
}

describe('the end of a block', () => {
  const block = { height: 7, parameters, units: 0, seedSignature: new Uint8Array(96) }

  test('pays the unbondings that are due and no others', () => {
    for (const dueHeight of [6, 7, 8]) {
      move(state, {
        amount: BigInt(dueHeight) * DLLM,
        from: { type: 'bond', validator: ann.id, owner: ann.id },
        to: { type: 'unbonding', dueHeight, owner: ann.id, validator: ann.id, begunHeight: 1 },
      })
    }
    endBlock(state, block)
    expect(balance(ann)).toBe(1_007n * DLLM)
    sound()
  })

  test('issues the part for stake, and never more than there can be', () => {
    endBlock(state, block)
    expect(getSupply(state)).toMatchObject({ issued: 800_000_000n, pool: 800_000_000n })
    const room = 5n
    putSupply(state, { ...getSupply(state), issued: 2n ** 64n - 1n - getSupply(state).genesis - room })
    endBlock(state, block)
    expect(getSupply(state).pool).toBe(800_000_005n)
  })
})

describe('rewards', () => {
  test('go by stake times signed blocks, then by bonds; what rounding leaves stays in the pool', () => {
    bond(cleo, ben, 50n * DLLM)
    change(ann, { signedBlocks: 9 })
    change(ben, { signedBlocks: 4 })
    issue(state, 1_001n)
    end()
    // 100 · 9 : 150 · 4 = 3 : 2; of the second part 100 : 50.
    expect(balance(ann)).toBe(1_000n * DLLM + 600n)
    expect(balance(ben)).toBe(1_000n * DLLM + 266n)
    expect(balance(cleo)).toBe(950n * DLLM + 133n)
    expect(getSupply(state).pool).toBe(2n)
    expect(getValidator(state, ann.id)?.signedBlocks).toBe(0)
    sound()
  })

  test('are nothing for who is tombstoned, and their blocks are forgotten too', () => {
    change(ann, { signedBlocks: 9, status: 'tombstoned' })
    change(ben, { signedBlocks: 1 })
    issue(state, 100n)
    end()
    expect(balance(ann)).toBe(1_000n * DLLM)
    expect(balance(ben)).toBe(1_000n * DLLM + 100n)
    expect(getValidator(state, ann.id)?.signedBlocks).toBe(0)
  })

  test('wait in the pool when nobody signed, or who signed has no stake left', () => {
    issue(state, 100n)
    end()
    change(ann, { signedBlocks: 3 })
    move(state, {
      amount: 100n * DLLM,
      from: { type: 'bond', validator: ann.id, owner: ann.id },
      to: { type: 'account', id: ann.id },
    })
    end(1)
    expect(getSupply(state).pool).toBe(100n)
  })
})

describe('the end of an epoch costs', () => {
  test('one record of the pool, however many are paid, and one of each owner', () => {
    bond(cleo, ann, 50n * DLLM)
    bond(cleo, ben, 50n * DLLM)
    for (const who of [ann, ben]) change(who, { signedBlocks: 4 })
    issue(state, 600n)
    const counted = countedState(state)
    endEpoch(counted, { epoch: 0, height: 10, parameters })
    expect(counted.writesOf(SUPPLY_KEY)).toBe(1)
    expect(counted.writesOf(accountKey(cleo.id))).toBe(1)
    expect(balance(cleo)).toBe(900n * DLLM + 200n)
    sound()
  })

  const cost = (prepare: () => void): number => {
    state = overlayOn(createStateStore(genesisState(genesis)))
    prepare()
    const counted = countedState(state)
    endEpoch(counted, { epoch: 0, height: 10, parameters })
    return counted.touched
  }

  test('nothing for who registered and has no stake', () => {
    const register = (number: number): void => {
      const validator = { ...getValidator(state, ann.id)!, stake: 0n, bonds: 0, signedBlocks: 0 }
      putValidator(state, accountId(number.toString(16).padStart(40, '0')), validator)
    }
    const many = cost(() => {
      for (let number = 0; number < 200; number++) register(number)
    })
    expect(many).toBe(cost(() => {}))
  })

  test('the same for a proposal, however many voted on it', () => {
    const vote = (voters: number) => (): void => {
      const changes = [{ name: 'baseFeeMin' as const, value: 7n }]
      putProposal(state, 0, { proposer: cleo.id, deposit: 0n, endHeight: 10, subject: { type: 'parameters', changes } })
      for (let number = 0; number < voters; number++) {
        castVote(state, accountId(number.toString(16).padStart(40, '0')), { proposal: 0, yes: true })
      }
    }
    expect(cost(vote(200))).toBe(cost(vote(1)))
    expect(getProposal(state, 0)).toBeUndefined()
  })
})

test('a bond changes one record of tallies, on however many proposals its owner votes', () => {
  const cost = (proposals: number): number => {
    state = overlayOn(createStateStore(genesisState(genesis)))
    for (let number = 0; number < proposals; number++) {
      putProposal(state, number, {
        proposer: cleo.id,
        deposit: 0n,
        endHeight: 10,
        subject: { type: 'parameters', changes: [{ name: 'voteMs', value: 99n }] },
      })
      castVote(state, ann.id, { proposal: number, yes: true })
    }
    const counted = countedState(state)
    const from = { type: 'account', id: ann.id } as const
    move(counted, { amount: DLLM, from, to: { type: 'bond', validator: ben.id, owner: ann.id } })
    return counted.touched
  }
  expect(cost(CHAIN_LIMITS.openProposalsMax)).toBe(cost(1))
})

describe('a vote on parameters', () => {
  const propose = (changes: readonly ParameterChange[], number = 0): void => {
    putProposal(state, number, {
      proposer: cleo.id,
      deposit: 0n,
      endHeight: 10,
      subject: { type: 'parameters', changes },
    })
    const from = { type: 'account', id: cleo.id } as const
    move(state, { amount: 5n * DLLM, from, to: { type: 'deposit', proposal: number } })
    putSupply(state, { ...getSupply(state), proposalsMade: number + 1 })
  }
  const vote = (who: Person, yes: boolean, number = 0): void => castVote(state, who.id, { proposal: number, yes })
  const fees: ParameterChange[] = [{ name: 'baseFeeMin', value: 7n }]

  test.each([
    ['more than half of the stake says yes', [true, undefined, 1n], { accepted: true, returned: true }],
    ['exactly half says yes', [true, undefined, 0n], { accepted: false, returned: true }],
    ['more say no', [true, false, 0n], { accepted: false, returned: true }],
    ['nobody votes', [undefined, undefined, 0n], { accepted: false, returned: false }],
  ] as const)('when %s', (_case, [first, second, more], { accepted, returned }) => {
    if (more > 0n) bond(ann, ann, more)
    propose(fees)
    if (first !== undefined) vote(ann, first)
    if (second !== undefined) vote(ben, second)
    end()
    expect(getParameters(state).baseFeeMin).toBe(accepted ? 7n : parameters.baseFeeMin)
    expect(balance(cleo)).toBe((returned ? 1_000n : 995n) * DLLM)
    expect(getSupply(state).burnt).toBe(returned ? 0n : 5n * DLLM)
    expect(getProposal(state, 0)).toBeUndefined()
    sound()
  })

  test('with less than a third of the stake costs the deposit', () => {
    bond(cleo, ben, 100n * DLLM)
    bond(ann, ben, DLLM)
    move(state, {
      amount: 2n * DLLM,
      from: { type: 'bond', validator: ann.id, owner: ann.id },
      to: { type: 'account', id: ann.id },
    })
    propose(fees)
    vote(ann, true)
    end()
    expect(getSupply(state).burnt).toBe(5n * DLLM)
  })

  test('that ends later is left alone', () => {
    propose(fees)
    putProposal(state, 0, { ...getProposal(state, 0)!, endHeight: 20 })
    for (const who of [ann, ben]) vote(who, true)
    end()
    expect(getProposal(state, 0)).toBeDefined()
    expect(getParameters(state).baseFeeMin).toBe(parameters.baseFeeMin)
  })

  test('that does not go together with one accepted before changes nothing', () => {
    propose([
      { name: 'blockUnitsMax', value: 20_000n },
      { name: 'blockUnitsTarget', value: 20_000n },
    ])
    propose([{ name: 'blockUnitsTarget', value: 40_000n }], 1)
    for (const number of [0, 1]) for (const who of [ann, ben]) vote(who, true, number)
    end()
    expect(getParameters(state)).toMatchObject({ blockUnitsMax: 20_000n, blockUnitsTarget: 20_000n })
    sound()
  })
})

describe('the set of the epoch after the next', () => {
  const setOf = (epoch: number) => getValidatorSet(state, epoch)?.members.map(({ id, stake }) => [id, stake])

  test('has the stakes of now, while the next epoch keeps its set', () => {
    bond(cleo, ben, 50n * DLLM)
    const next = setOf(1)
    end()
    expect(setOf(1)).toEqual(next)
    expect(new Map(setOf(2) as never)).toEqual(
      new Map([
        [ann.id, 100n * DLLM],
        [ben.id, 150n * DLLM],
      ]),
    )
  })

  test('leaves out who is tombstoned or has too little', () => {
    change(ann, { status: 'tombstoned' })
    end()
    expect(setOf(2)).toEqual([[ben.id, 100n * DLLM]])
  })

  test('is the one before when nobody qualifies', () => {
    for (const who of [ann, ben]) change(who, { status: 'tombstoned' })
    const before = setOf(1)
    end()
    expect(setOf(2)).toEqual(before)
  })

  test('is kept until the commit of its last block has been counted', () => {
    end()
    expect(getValidatorSet(state, 0)).toBeDefined()
    end(1)
    expect(getValidatorSet(state, 0)).toBeUndefined()
    expect(getValidatorSet(state, 1)).toBeDefined()
    expect(getValidatorSet(state, 3)).toBeDefined()
  })
})
