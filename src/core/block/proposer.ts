/**
 * Who proposes: a draw by stake and by audited work. Votes are counted by stake alone, elsewhere; what is drawn here can slow
 * the chain but not fork it. Spec: docs/spec/chain.md §6.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import { lesser } from '../../base/bigint.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { Writer } from '../../base/codec.ts'
import type { ValidatorSet } from '../consensus/validator-set.ts'
import { writeCount } from '../fields.ts'
import { taggedHash } from '../hash.ts'

/** Audited work as a port: any unit, only the shares count. It must answer alike on every node at one height. */
export interface PowerSource {
  /** Power of a validator in the block at `height`; at least 0. */
  powerOf(validator: AccountId, height: number): bigint
}

/** Until there are audits everybody has the same. */
export const EQUAL_POWER: PowerSource = { powerOf: () => 1n }

const PER_MILLE = 1_000n
/** From this size on a set can do without the work of any one member. */
const CAPPED_SET_MEMBERS = 10
/** The part of all power that one member counts with, at most. */
const CAP_DIVISOR = 10n

export interface ProposerDraw {
  /** Seed of the height. */
  readonly seed: Hash
  readonly height: number
  readonly round: number
  /** Of each member, in the order of the set; see `weightsOf`. */
  readonly weights: readonly bigint[]
}

/**
 * Weights `stake·(1000·P − (1000 − ε)·C) + (1000 − ε)·counted·S` in the order of the set: S and P are the sums of stake and
 * power, `counted` is a member's power of at most P / 10 in sets of ten or more, C the sum of it. Without a cap this is
 * `ε·stake·P + (1000 − ε)·power·S`; what the cap cuts off is drawn by stake, and so is all when nobody has power.
 */
export function weightsOf(
  set: ValidatorSet,
  options: { readonly height: number; readonly power: PowerSource; readonly stakeWeight: bigint },
): bigint[] {
  const workWeight = PER_MILLE - options.stakeWeight
  assert(workWeight >= 0n, 'stakeWeight is per mille')
  const powers = set.members.map(({ id }) => options.power.powerOf(id, options.height))
  assert(
    powers.every((power) => power >= 0n),
    'power is not negative',
  )
  const sum = sumOf(powers)
  if (sum === 0n) return set.members.map(({ stake }) => stake)
  const counted =
    set.members.length < CAPPED_SET_MEMBERS ? powers : powers.map((power) => lesser(power, sum / CAP_DIVISOR))
  const byStake = PER_MILLE * sum - workWeight * sumOf(counted)
  return set.members.map(({ stake }, index) => stake * byStake + workWeight * counted[index]! * set.stake)
}

/** The index in the set of the one that proposes at a height in a round. */
export function drawProposer({ seed, height, round, weights }: ProposerDraw): number {
  const input = writeCount(new Writer(16), height).u32(round).finish()
  const drawn = taggedHash('dllm/proposer', hexToBytes(seed), input)
  return indexAt(weights, BigInt(`0x${bytesToHex(drawn)}`) % sumOf(weights))
}

/** The index under which `point`, below the sum of the weights, falls when they lie side by side in order. */
export function indexAt(weights: readonly bigint[], point: bigint): number {
  let end = 0n
  for (const [index, weight] of weights.entries()) {
    end += weight
    if (point < end) return index
  }
  assert(false, 'a point of the draw lies below the sum of the weights')
}

function sumOf(values: readonly bigint[]): bigint {
  return values.reduce((sum, value) => sum + value, 0n)
}
