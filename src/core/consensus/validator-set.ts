/**
 * The validators that vote at a height, and what a quorum of them is. Sets are immutable; their order is by id.
 * Spec: docs/spec/chain.md §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { CHAIN_LIMITS } from '../../base/chain-limits.ts'
import { CodecError, type Reader, Writer } from '../../base/codec.ts'
import { PUBLIC_KEY_BYTES } from '../ed25519.ts'
import { hashOf, readAccount, writeAccount } from '../fields.ts'
import { taggedHash } from '../hash.ts'

export const SEED_KEY_BYTES = 48

export interface Member {
  readonly id: AccountId
  /** Ed25519, 32 bytes: signs proposals and votes. */
  readonly consensusKey: Uint8Array
  /** BLS12-381 G1, 48 bytes: makes the seed chain. */
  readonly seedKey: Uint8Array
  /** Grains. */
  readonly stake: bigint
}

export interface ValidatorSet {
  readonly members: readonly Member[]
  /** Grains, the sum of all. */
  readonly stake: bigint
  readonly hash: Hash
}

const TAG = 'dllm/validators'

/** The set of these members, which must be in the order of their ids. */
export function validatorSet(members: readonly Member[]): ValidatorSet {
  assert(members.length > 0, 'a set has a member')
  for (const [index, { id }] of members.entries()) {
    const before = members[index - 1]
    assert(before === undefined || before.id < id, 'members are in the order of their ids')
  }
  const stake = members.reduce((sum, member) => sum + member.stake, 0n)
  const writer = new Writer(members.length * 112)
  writeMembers(writer, members)
  return { members, stake, hash: hashOf(taggedHash(TAG, writer.finish())) }
}

/** Whether `stake` grains are more than ⅔ of the set's. */
export function isQuorum(set: ValidatorSet, stake: bigint): boolean {
  return stake * 3n > set.stake * 2n
}

/** Whether `stake` grains are more than ⅓ of the set's: at least one of them is honest. */
export function hasHonest(set: ValidatorSet, stake: bigint): boolean {
  return stake * 3n > set.stake
}

/** The index of a member, or -1. */
export function memberIndex(set: ValidatorSet, id: AccountId): number {
  return set.members.findIndex((member) => member.id === id)
}

export function writeMembers(writer: Writer, members: readonly Member[]): Writer {
  return writer.list(members, (inner, { id, consensusKey, seedKey, stake }) => {
    writeAccount(inner, id).raw(consensusKey).raw(seedKey).u64(stake)
  })
}

/** A set that somebody sent. @throws CodecError when it is empty or out of order. */
export function readValidatorSet(reader: Reader): ValidatorSet {
  const members = readMembers(reader)
  const isOrdered = members.every(({ id }, index) => index === 0 || members[index - 1]!.id < id)
  if (members.length > 0 && isOrdered) return validatorSet(members)
  throw new CodecError('CODEC_BAD_VALUE', 'A validator set is empty or not in the order of its ids.')
}

export function readMembers(reader: Reader): Member[] {
  return reader.list(CHAIN_LIMITS.validatorsMax, (inner) => ({
    id: readAccount(inner),
    consensusKey: inner.raw(PUBLIC_KEY_BYTES),
    seedKey: inner.raw(SEED_KEY_BYTES),
    stake: inner.u64(),
  }))
}
