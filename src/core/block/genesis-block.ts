/**
 * Block 0: follows from the genesis state alone, is proposed and voted on by nobody, and is the parent of height 1.
 * Spec: docs/spec/chain.md §4.
 * @module
 */

import { assert } from '../../base/assert.ts'
import { accountId, type Milliseconds } from '../../base/brand.ts'
import { ADDRESS_HASH_BYTES } from '../address.ts'
import { hashOf, ZERO_HASH } from '../fields.ts'
import { getBaseFee } from '../state/base-fee-record.ts'
import type { ReadState } from '../state/state.ts'
import { type StateTree, treeRoot } from '../state/tree.ts'
import { getValidatorSet } from '../state/validator-sets.ts'
import { commitHash, type Header, SEED_SIGNATURE_BYTES } from './block.ts'

/** `state` and `tree`: the genesis state. The set that would have voted is the one that votes on height 1. */
export function genesisHeader(timeMs: Milliseconds, state: ReadState, tree: StateTree): Header {
  const set = getValidatorSet(state, 0)
  assert(set !== undefined, 'the genesis state has the first sets')
  return {
    ...{ height: 0, round: 0, timeMs, units: 0, baseFee: getBaseFee(state) },
    proposer: accountId('00'.repeat(ADDRESS_HASH_BYTES)),
    parentHash: ZERO_HASH,
    lastCommitHash: commitHash(undefined),
    transactionsRoot: ZERO_HASH,
    stateRoot: hashOf(treeRoot(tree)),
    validatorsHash: set.hash,
    nextValidatorsHash: set.hash,
    seedSignature: new Uint8Array(SEED_SIGNATURE_BYTES),
  }
}
