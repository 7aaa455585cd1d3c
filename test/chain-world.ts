/**
 * Chains whose validators are people of `chain-accounts.ts`: one process proposes and commits for all of them.
 * @module
 */

import { opensslAccepts } from '../src/app/openssl-verify.ts'
import { type AccountId, type Hash, milliseconds } from '../src/base/brand.ts'
import { type Block, type Commit, type Header, blockHash as headerHash } from '../src/core/block/block.ts'
import { blsSign } from '../src/core/bls.ts'
import { type Chain, type ChainPorts, type ChainStart, createChain, genesisStart } from '../src/core/chain.ts'
import { ballotDigest } from '../src/core/consensus/messages.ts'
import type { ValidatorSet } from '../src/core/consensus/validator-set.ts'
import { sign } from '../src/core/ed25519.ts'
import type { Genesis } from '../src/core/genesis.ts'
import { type Person, person } from './chain-accounts.ts'

export interface ChainWorld {
  readonly chain: Chain
  /** A block on the head by the proposer of the round. */
  propose(round?: number): Block
  /** The commit of a block by all of its set, or by the members with these indexes. */
  commit(block: Block, signers?: readonly number[]): Commit
  /** Proposes, commits and applies. */
  grow(round?: number): Block
}

/** `people`: whoever may validate. */
export function chainWorld(start: Genesis | ChainStart, people: readonly Person[], ports: ChainPorts = {}): ChainWorld {
  const owners = new Map(people.map((one) => [one.id, one]))
  let round = 0
  const seedSigner = (message: Uint8Array): Uint8Array => {
    const { id } = chain.head().validators.members[chain.proposer(round)]!
    return blsSign(message, owners.get(id)!.seedSecret)
  }
  const begin = 'entries' in start ? start : genesisStart(start)
  const chain = createChain(begin, { accepts: opensslAccepts, seedSigner, ...ports })
  const propose = (at = 0): Block => {
    round = at
    const { timeMs, commit } = chain.head()
    return chain.propose({ round, timeMs: milliseconds(timeMs + 1_000), lastCommit: commit })
  }
  const commit = (block: Block, signers?: readonly number[]): Commit =>
    commitOf(block.header, { networkId: chain.networkId, set: chain.head().validators, owners, signers })
  return {
    ...{ chain, propose, commit },
    grow(at = 0) {
      const block = propose(at)
      chain.apply(block, commit(block))
      return block
    },
  }
}

export interface Signing {
  readonly networkId: Hash
  readonly set: ValidatorSet
  readonly owners: ReadonlyMap<AccountId, Person>
  /** Indexes in the set; all when left out. */
  readonly signers?: readonly number[] | undefined
}

/** Precommits for the block with this hash, in round 0. */
export function signCommit(blockHash: Hash, height: number, { networkId, set, owners, signers }: Signing): Commit {
  const message = ballotDigest(networkId, { type: 'precommit', height, round: 0, blockHash })
  const signatures = set.members.map(({ id }, index) =>
    signers === undefined || signers.includes(index) ? sign(message, owners.get(id)!.consensus.secretKey) : undefined,
  )
  return { height, round: 0, blockHash, signatures }
}

function commitOf(header: Header, signing: Signing): Commit {
  return signCommit(headerHash(signing.networkId, header), header.height, signing)
}

/** The first `count` people. */
export function crowd(count: number): Person[] {
  return Array.from({ length: count }, (_, index) => person(index + 1))
}
