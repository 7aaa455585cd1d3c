/**
 * Where a block is to stand: everything that the parent and the state after it say about the next block. Made once per head;
 * producing and checking read it. Spec: docs/spec/chain.md §4, §6.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash, Milliseconds } from '../../base/brand.ts'
import type { ValidatorSet } from '../consensus/validator-set.ts'
import { epochOf } from '../epoch.ts'
import { powerOf } from '../market/power.ts'
import type { Parameters } from '../parameters.ts'
import { getBaseFee } from '../state/base-fee-record.ts'
import { getParameters } from '../state/parameters-record.ts'
import { getSeed } from '../state/seed-record.ts'
import type { ReadState } from '../state/state.ts'
import type { StateTree } from '../state/tree.ts'
import { getValidatorSet } from '../state/validator-sets.ts'
import { drawProposer, type PowerSource, weightsOf } from './proposer.ts'

export interface Parent {
  readonly height: number
  readonly hash: Hash
  readonly timeMs: Milliseconds
}

export interface Place {
  readonly networkId: Hash
  /** Of the block that is to stand here: the parent's plus 1. */
  readonly height: number
  readonly parent: Parent
  /** State after the parent. */
  readonly state: ReadState
  readonly tree: StateTree
  readonly parameters: Parameters
  /** Voted on the parent; undefined at height 1. */
  readonly lastSet: ValidatorSet | undefined
  /** Votes here. */
  readonly set: ValidatorSet
  /** Votes at height + 1. */
  readonly nextSet: ValidatorSet
  readonly seed: Hash
  /** Grains per unit. */
  readonly baseFee: bigint
  /** Index in `set` of who proposes. */
  proposerOf(round: number): number
}

/** `parent` is the genesis block or any other; `state` and `tree` are those after it, and `power` that of the state when left out. */
export function placeOn(
  parent: Parent,
  after: {
    readonly networkId: Hash
    readonly state: ReadState
    readonly tree: StateTree
    readonly power?: PowerSource | undefined
  },
): Place {
  const { networkId, state, tree, power = powerOf(after.state) } = after
  const height = parent.height + 1
  const parameters = getParameters(state)
  const setAt = (at: number): ValidatorSet => {
    const found = getValidatorSet(state, epochOf(at, parameters))
    assert(found !== undefined, 'the state has the sets around its height')
    return found
  }
  const set = setAt(height)
  const seed = getSeed(state)
  const weights = weightsOf(set, { height, power, stakeWeight: parameters.stakeWeight })
  return {
    ...{ networkId, height, parent, state, tree, parameters, set, seed },
    lastSet: parent.height === 0 ? undefined : setAt(parent.height),
    nextSet: setAt(height + 1),
    baseFee: getBaseFee(state),
    proposerOf: (round) => drawProposer({ seed, height, round, weights }),
  }
}
