/** The quorum of commits at its edges, and the stake that trusted validators have in a commit. */
import { describe, expect, test } from 'vitest'
import { hash } from '../../../../src/base/brand.ts'
import { stakeInCommit, verifyCommit } from '../../../../src/core/block/verify-commit.ts'
import { type Member, type ValidatorSet, validatorSet } from '../../../../src/core/consensus/validator-set.ts'
import { type Person, person } from '../../../chain-accounts.ts'
import { signCommit } from '../../../chain-world.ts'

const networkId = hash('11'.repeat(32))
const blockHash = hash('22'.repeat(32))
const people = [1, 2, 3, 4].map(person).toSorted((a, b) => (a.id < b.id ? -1 : 1)) as [Person, Person, Person, Person]
const owners = new Map(people.map((one) => [one.id, one]))

function setOf(
  stakes: readonly bigint[],
  change: (member: Member, index: number) => Member = (member) => member,
): ValidatorSet {
  const members = stakes.map((stake, index): Member => {
    const { id, consensus } = people[index]!
    return change({ id, consensusKey: consensus.publicKey, seedKey: new Uint8Array(48), stake }, index)
  })
  return validatorSet(members.filter(({ stake }) => stake > 0n))
}

describe('a commit', () => {
  test.each([
    ['of all', [1n, 1n, 1n, 1n], [0, 1, 2, 3], undefined],
    ['of three of four', [1n, 1n, 1n, 1n], [1, 2, 3], undefined],
    ['of exactly two thirds', [1n, 1n, 1n], [0, 1], 'COMMIT_TOO_LITTLE_STAKE'],
    ['of one grain more than two thirds', [2n, 3n, 2n], [0, 1], undefined],
    ['of stake that numbers cannot hold exactly', [2n ** 62n, 2n ** 61n, 1n], [0, 2], undefined],
    ['of many with little stake', [9n, 1n, 1n, 1n], [1, 2, 3], 'COMMIT_TOO_LITTLE_STAKE'],
  ] as const)('%s', (_case, stakes, signers, code) => {
    const set = setOf(stakes)
    const commit = signCommit(blockHash, 5, { networkId, set, owners, signers })
    const act = (): void => verifyCommit({ networkId, set, commit, blockHash, height: 5 })
    if (code === undefined) expect(act).not.toThrow()
    else expect(act).toThrow(expect.objectContaining({ code }))
  })

  test('means nothing on another network', () => {
    const set = setOf([1n, 1n, 1n])
    const commit = signCommit(blockHash, 5, { networkId, set, owners })
    expect(() => verifyCommit({ networkId: blockHash, set, commit, blockHash, height: 5 })).toThrow(
      expect.objectContaining({ code: 'COMMIT_BAD_SIGNATURE', details: { validator: people[0].id, index: 0 } }),
    )
  })

  test('with a bad signature beside enough good ones is refused: none stands there unchecked', () => {
    const set = setOf([1n, 1n, 1n, 1n])
    const { signatures, ...rest } = signCommit(blockHash, 5, { networkId, set, owners })
    const commit = { ...rest, signatures: [...signatures.slice(0, 3), new Uint8Array(64)] }
    expect(() => verifyCommit({ networkId, set, commit, blockHash, height: 5 })).toThrow(
      expect.objectContaining({ code: 'COMMIT_BAD_SIGNATURE' }),
    )
  })
})

describe('the stake of trusted validators in a commit', () => {
  const trusted = setOf([5n, 3n, 2n])

  test('is what they have in the trusted set, not in the other', () => {
    const set = setOf([1n, 1n, 1n, 1_000n])
    const commit = signCommit(blockHash, 5, { networkId, set, owners, signers: [0, 2, 3] })
    expect(stakeInCommit(trusted, set, commit)).toBe(7n)
  })

  test('counts nobody who signs with another key than the trusted one', () => {
    const set = setOf([1n, 1n, 1n], (member, index) =>
      index === 0 ? { ...member, consensusKey: people[3].consensus.publicKey } : member,
    )
    const commit = signCommit(blockHash, 5, { networkId, set, owners, signers: [0, 1] })
    expect(stakeInCommit(trusted, set, commit)).toBe(3n)
  })
})
