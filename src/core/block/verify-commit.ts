/**
 * Whether a commit makes a block final: the precommits in it are by members of the set and hold more than ⅔ of its stake.
 * Every signature that is there must be valid, so that a commit has no part that nobody checked.
 * Spec: docs/spec/chain.md §4, §8.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import { ballotDigest } from '../consensus/messages.ts'
import { isQuorum, type ValidatorSet } from '../consensus/validator-set.ts'
import { type FastAcceptance, verify } from '../ed25519.ts'
import type { Commit } from './block.ts'

export class CommitError extends HouseError<
  | 'COMMIT_WRONG_HEIGHT'
  | 'COMMIT_WRONG_BLOCK'
  | 'COMMIT_WRONG_MEMBERS'
  | 'COMMIT_TOO_LITTLE_STAKE'
  | 'COMMIT_BAD_SIGNATURE'
> {}

export interface CommittedBlock {
  readonly networkId: Hash
  /** That votes at the height. */
  readonly set: ValidatorSet
  readonly commit: Commit
  readonly blockHash: Hash
  readonly height: number
}

/** @throws CommitError unless the commit makes the block final. Cheap checks come first, signatures last. */
export function verifyCommit(block: CommittedBlock, accepts?: FastAcceptance): void {
  const { set, commit, blockHash, height } = block
  if (commit.height !== height) {
    throw new CommitError('COMMIT_WRONG_HEIGHT', `The commit is for height ${commit.height}, the block is ${height}.`)
  }
  if (commit.blockHash !== blockHash) {
    throw new CommitError('COMMIT_WRONG_BLOCK', `The commit at height ${height} is for another block.`, {
      details: { found: commit.blockHash, expected: blockHash },
    })
  }
  if (commit.signatures.length !== set.members.length) {
    throw new CommitError('COMMIT_WRONG_MEMBERS', `The commit at height ${height} is not of the validators there.`, {
      details: { found: commit.signatures.length, expected: set.members.length },
    })
  }
  const stake = set.members.reduce((sum, member, at) => sum + (commit.signatures[at] ? member.stake : 0n), 0n)
  if (!isQuorum(set, stake)) {
    throw new CommitError('COMMIT_TOO_LITTLE_STAKE', `The commit at height ${height} holds too little of the stake.`, {
      details: { stake: stake.toString(), of: set.stake.toString() },
    })
  }
  verifySignatures(block, accepts)
}

/**
 * The stake that members of `trusted` have there, of those who signed a commit of `set`. Only for commits that
 * `verifyCommit` passed with `set`. A member that changed its consensus key counts as a stranger.
 */
export function stakeInCommit(trusted: ValidatorSet, set: ValidatorSet, commit: Commit): bigint {
  assert(commit.signatures.length === set.members.length, 'the commit is of the set')
  const signers = new Map<AccountId, Uint8Array>()
  for (const [at, { id, consensusKey }] of set.members.entries()) {
    if (commit.signatures[at] !== undefined) signers.set(id, consensusKey)
  }
  let stake = 0n
  for (const member of trusted.members) {
    const key = signers.get(member.id)
    if (key !== undefined && isSame(key, member.consensusKey)) stake += member.stake
  }
  return stake
}

function verifySignatures({ networkId, set, commit }: CommittedBlock, accepts: FastAcceptance | undefined): void {
  const { height, round, blockHash } = commit
  const message = ballotDigest(networkId, { type: 'precommit', height, round, blockHash })
  for (const [at, { id, consensusKey }] of set.members.entries()) {
    const signature = commit.signatures[at]
    if (signature === undefined || verify({ signature, message, publicKey: consensusKey }, accepts)) continue
    throw new CommitError('COMMIT_BAD_SIGNATURE', `The commit at height ${height} has a signature that is not valid.`, {
      details: { validator: id, index: at },
    })
  }
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}
