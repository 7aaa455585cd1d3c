/** Evidence: what convicts, what does not, and what it costs to the grain. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import {
  type Ballot,
  ballotDigest,
  type ProposalClaim,
  proposalDigest,
} from '../../../../src/core/consensus/messages.ts'
import { sign } from '../../../../src/core/ed25519.ts'
import { getAccount } from '../../../../src/core/state/accounts.ts'
import { getBond } from '../../../../src/core/state/bonds.ts'
import { conservationFault } from '../../../../src/core/state/conservation.ts'
import { getEvidence } from '../../../../src/core/state/evidence-record.ts'
import { stateFaults } from '../../../../src/core/state/invariants.ts'
import { payUnbonding, punish, slashOf } from '../../../../src/core/state/slash.ts'
import { createStateStore, type Overlay, overlayOn } from '../../../../src/core/state/state.ts'
import { getSupply } from '../../../../src/core/state/supply.ts'
import { putUnbonding, unbondings } from '../../../../src/core/state/unbondings.ts'
import { drawMembers } from '../../../../src/core/state/validator-sets.ts'
import { getValidator } from '../../../../src/core/state/validators.ts'
import { applyTransaction, checkTransaction, type TransactionContext } from '../../../../src/core/transaction/check.ts'
import type { ReportDoubleSign } from '../../../../src/core/transaction/report-double-sign.ts'
import {
  DLLM,
  type Person,
  person,
  signedCall,
  type TestNetwork,
  testGenesis,
  testNetwork,
} from '../../../chain-accounts.ts'
import { countedState } from '../../../counted-state.ts'

const [ann, ben, cleo, dan] = [1, 2, 3, 4].map(person) as [Person, Person, Person, Person]
const one = hash('11'.repeat(32))
const two = hash('22'.repeat(32))
let network: TestNetwork
let state: Overlay

beforeAll(() => {
  network = testNetwork(testGenesis())
})
beforeEach(() => {
  state = overlayOn(network.state)
})

const vote = (change: Partial<Ballot> = {}, by = ann) => {
  const ballot: Ballot = { type: 'precommit', height: 8, round: 1, blockHash: one, ...change }
  return { ...ballot, signature: sign(ballotDigest(network.networkId, ballot), by.consensus.secretKey) }
}
const proposal = (change: Partial<ProposalClaim> = {}) => {
  const claim: ProposalClaim = { height: 8, round: 1, validRound: undefined, blockHash: one, ...change }
  return { ...claim, signature: sign(proposalDigest(network.networkId, claim), ann.consensus.secretKey) }
}
const votes = (first: Partial<Ballot>, second: Partial<Ballot>): ReportDoubleSign => ({
  ...{ kind: 'votes', consensusKey: ann.consensus.publicKey },
  ...{ first: vote(first), second: vote(second) },
})
const proposals = (first: Partial<ProposalClaim>, second: Partial<ProposalClaim>): ReportDoubleSign => ({
  ...{ kind: 'proposals', consensusKey: ann.consensus.publicKey },
  ...{ first: proposal(first), second: proposal(second) },
})

function run(
  type: number,
  body: unknown,
  { by = dan, at = {} }: { by?: Person; at?: Partial<TransactionContext> } = {},
) {
  const context = { ...network.context, height: 10, ...at }
  const call = signedCall(network.networkId, by, { type, body, nonce: getAccount(state, by.id).nonce })
  applyTransaction(checkTransaction(call, state, context), state, context)
}

describe('a validator is punished', () => {
  test.each([
    ['for two votes', () => votes({}, { blockHash: two })],
    ['for a vote and a vote for nothing', () => votes({ blockHash: undefined }, {})],
    ['for two prevotes', () => votes({ type: 'prevote' }, { type: 'prevote', blockHash: two })],
    ['for two proposals', () => proposals({}, { blockHash: two })],
    ['for two proposals of one block with different proofs', () => proposals({ validRound: 0 }, {})],
  ])('%s', (_case, evidence) => {
    run(5, evidence())
    expect(getValidator(state, ann.id)).toMatchObject({ status: 'tombstoned', stake: 95n * DLLM })
    expect(getEvidence(state, ann.id)).toEqual({ height: 8, punishedHeight: 10, since: 1, slash: 50 })
    expect(drawMembers(state, network.context.parameters).map(({ id }) => id)).toEqual([ben.id])
    expect(conservationFault(network.state, state.changes())).toBeUndefined()
    expect(stateFaults(createStateStore([...network.state.entries('' as never), ...state.changes()]))).toEqual([])
  })

  test('once', () => {
    run(5, votes({}, { blockHash: two }))
    refuses(votes({ height: 9 }, { height: 9, blockHash: two }), 'ALREADY_PUNISHED')
  })

  test('by a twentieth, rounded down, of each bond and of what stood behind its votes when it unbonded', () => {
    run(2, { validator: ann.id, amount: DLLM + 19n }, { by: cleo })
    // Epochs have ten blocks: the set that votes at 25 was drawn at the end of block 10.
    run(3, { validator: ann.id, amount: 7n * DLLM }, { by: ann, at: { height: 10 } })
    run(3, { validator: ann.id, amount: 3n * DLLM }, { by: ann, at: { height: 11 } })
    run(3, { validator: ben.id, amount: 3n * DLLM }, { by: ben, at: { height: 11 } })
    const before = { burnt: getSupply(state).burnt, dan: getAccount(state, dan.id).balance }
    run(5, votes({ height: 25 }, { height: 25, blockHash: two }), { at: { height: 28 } })
    expect(getBond(state, { validator: ann.id, owner: ann.id })).toBe((90n * DLLM * 95n) / 100n)
    expect(getBond(state, { validator: ann.id, owner: cleo.id })).toBe(DLLM + 19n - (DLLM + 19n) / 20n)
    const left = [...unbondings(state)].map((each) => [each.begunHeight, each.validator, slashOf(state, each)])
    expect(left).toContainEqual([10, ann.id, 0n])
    expect(left).toContainEqual([11, ann.id, (3n * DLLM) / 20n])
    expect(left).toContainEqual([11, ben.id, 0n])
    const slashed = (90n * DLLM) / 20n + (DLLM + 19n) / 20n
    // 2,000 units at a base fee of 10 come back out of the slash; the tip of 2 per unit does not.
    expect(getAccount(state, dan.id).balance).toBe(before.dan - 4_000n)
    expect(getSupply(state).burnt).toBe(before.burnt + slashed)
    const paid = getAccount(state, ann.id).balance
    for (const unbonding of [...unbondings(state)]) payUnbonding(state, unbonding)
    expect(getAccount(state, ann.id).balance).toBe(paid + 7n * DLLM + (3n * DLLM * 95n) / 100n)
    expect(getSupply(state).burnt).toBe(before.burnt + slashed + (3n * DLLM) / 20n)
    expect(conservationFault(network.state, state.changes())).toBeUndefined()
  })

  test('at a cost that does not hang on how many unbondings there are', () => {
    const costOf = (unbonded: number): number => {
      const target = overlayOn(network.state)
      for (let number = 0; number < unbonded; number++) {
        const id = { dueHeight: 40 + number, owner: ann.id, validator: number % 2 === 0 ? ann.id : ben.id }
        putUnbonding(target, { ...id, begunHeight: 10 }, 1n)
      }
      const counted = countedState(target)
      const evidence = { height: 8, punishedHeight: 10, since: 1, slash: 50 }
      punish(counted, { validator: ann.id, evidence, reporter: dan.id, refund: 1n })
      return counted.touched
    }
    expect(costOf(500)).toBe(costOf(0))
  })

  test('and what leaves in the block of the punishment waits for the next, or it would be slashed twice', () => {
    run(5, votes({}, { blockHash: two }))
    const leave = (height: number): void =>
      run(3, { validator: ann.id, amount: 95n * DLLM }, { by: ann, at: { height } })
    expect(() => leave(10)).toThrow(expect.objectContaining({ code: 'JUST_PUNISHED' }))
    leave(11)
    expect([...unbondings(state)].map((each) => slashOf(state, each))).toEqual([0n])
  })

  test('down to nothing when a vote made the slash whole', () => {
    run(5, votes({}, { blockHash: two }), {
      at: { parameters: { ...network.context.parameters, doubleSignSlash: 1_000n } },
    })
    expect(getValidator(state, ann.id)).toMatchObject({ stake: 0n, bonds: 0 })
    expect(getAccount(state, ann.id).bonded).toBe(0n)
  })
})

describe('evidence is refused', () => {
  test.each([
    ['when both say the same', () => votes({}, {}), 'NO_CONFLICT'],
    ['of two heights', () => votes({}, { height: 9, blockHash: two }), 'NO_CONFLICT'],
    ['of the genesis block', () => votes({ height: 0 }, { height: 0, blockHash: two }), 'NO_CONFLICT'],
    ['of two rounds', () => votes({}, { round: 2, blockHash: two }), 'NO_CONFLICT'],
    ['of a prevote and a precommit', () => votes({}, { type: 'prevote', blockHash: two }), 'NO_CONFLICT'],
    ['of proposals of two rounds', () => proposals({}, { round: 2, blockHash: two }), 'NO_CONFLICT'],
    ['of the same proposal', () => proposals({ validRound: 0 }, { validRound: 0 }), 'NO_CONFLICT'],
    [
      'of a key that nobody registered',
      () => ({ ...votes({}, { blockHash: two }), consensusKey: cleo.consensus.publicKey }),
      'UNKNOWN_CONSENSUS_KEY',
    ],
    [
      'when another validator signed',
      () => ({ ...votes({}, {}), second: vote({ blockHash: two }, ben) }) as ReportDoubleSign,
      'BAD_EVIDENCE_SIGNATURE',
    ],
    ['for a later block', () => votes({ height: 11 }, { height: 11, blockHash: two }), 'EVIDENCE_FROM_FUTURE'],
  ])('%s', (_case, evidence, code) => {
    refuses(evidence(), code)
  })

  test('when it was signed for another network', () => {
    const other = testNetwork({ ...testGenesis(), name: 'other' })
    const ballot: Ballot = { type: 'precommit', height: 8, round: 1, blockHash: two }
    const signature = sign(ballotDigest(other.networkId, ballot), ann.consensus.secretKey)
    refuses({ ...votes({}, {}), second: { ...ballot, signature } } as ReportDoubleSign, 'BAD_EVIDENCE_SIGNATURE')
  })

  test('when the stake behind it is free again, and not a block before', () => {
    refuses(votes({}, { blockHash: two }), 'EVIDENCE_TOO_OLD', { height: 39 })
    run(5, votes({}, { blockHash: two }), { at: { height: 38 } })
  })
})

function refuses(evidence: ReportDoubleSign, code: string, at: Partial<TransactionContext> = {}): void {
  const before = state.changes()
  expect(() => run(5, evidence, { at })).toThrow(expect.objectContaining({ code }))
  expect(state.changes()).toEqual(before)
}
