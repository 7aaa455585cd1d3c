/**
 * Real things to encode: a short chain of two validators, its blocks, commits, state and keys. Made once, when first asked for.
 * @module
 */
import type { Block, Commit } from '../../src/core/block/block.ts'
import { blockHash, encodeBlock } from '../../src/core/block/block.ts'
import type { Chain } from '../../src/core/chain.ts'
import { ballotDigest, type Proposal, proposalDigest, type Vote } from '../../src/core/consensus/messages.ts'
import type { ValidatorSet } from '../../src/core/consensus/validator-set.ts'
import { sign } from '../../src/core/ed25519.ts'
import type { Genesis } from '../../src/core/genesis.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { EMPTY_TREE, type StateTree, updateTree } from '../../src/core/state/tree.ts'
import { DLLM, person, signCall, testGenesis } from '../chain-accounts.ts'
import { chainWorld, crowd } from '../chain-world.ts'

export interface Samples {
  readonly chain: Chain
  readonly genesis: Genesis
  /** Of the second height: with two transactions and the commit of the first. */
  readonly block: Block
  /** Of that block. */
  readonly commit: Commit
  readonly set: ValidatorSet
  readonly vote: Vote
  readonly nilVote: Vote
  readonly proposal: Proposal
  /** A state of forty keys. */
  readonly tree: StateTree
}

let made: Samples | undefined

export function samples(): Samples {
  made ??= make()
  return made
}

function make(): Samples {
  const genesis = testGenesis()
  const { chain, grow, propose, commit } = chainWorld(genesis, crowd(4), { seedSigner: cheapSeed })
  grow()
  for (const nonce of [0n, 1n]) {
    const body = { to: person(4).id, amount: DLLM, memo: new Uint8Array(9) }
    chain.mempool.add(signCall(chain.networkId, person(3), { type: 1, nonce, body }))
  }
  const block = propose()
  const hash = blockHash(chain.networkId, block.header)
  const ballot = { type: 'precommit', height: 2, round: 0, blockHash: hash } as const
  const nil = { type: 'prevote', height: 2, round: 7, blockHash: undefined } as const
  const claim = { height: 2, round: 3, validRound: 1, blockHash: hash }
  const byFirst = (digest: Uint8Array): Uint8Array => sign(digest, firstKey(chain))
  return {
    ...{ chain, genesis, block },
    commit: commit(block),
    set: chain.head().validators,
    vote: { ...ballot, voter: 0, signature: byFirst(ballotDigest(chain.networkId, ballot)) },
    nilVote: { ...nil, voter: 0, signature: byFirst(ballotDigest(chain.networkId, nil)) },
    proposal: {
      ...{ ...claim, block: encodeBlock(block) },
      signature: byFirst(proposalDigest(chain.networkId, claim)),
    },
    tree: smallTree(),
  }
}

/** The consensus key of the first member of the set. */
function firstKey(chain: Chain): Uint8Array {
  const { id } = chain.head().validators.members[0]!
  return crowd(4).find((one) => one.id === id)!.consensus.secretKey
}

function cheapSeed(message: Uint8Array): Uint8Array {
  const half = taggedHash('test/seed', message)
  return Uint8Array.from([...half, ...half, ...half])
}

function smallTree(): StateTree {
  const entries = Array.from({ length: 40 }, (_, index) => ({
    key: Uint8Array.of(1, index, index * 3),
    value: new Uint8Array(index).fill(index),
  }))
  return updateTree(EMPTY_TREE, entries)
}
