/** Who proposes: exact shares over all points of small sums, the cap, and a draw that everybody repeats. */
import { describe, expect, test } from 'vitest'
import { accountId } from '../../../../src/base/brand.ts'
import { drawProposer, EQUAL_POWER, indexAt, type PowerSource, weightsOf } from '../../../../src/core/block/proposer.ts'
import { type ValidatorSet, validatorSet } from '../../../../src/core/consensus/validator-set.ts'
import { hashOf } from '../../../../src/core/fields.ts'

function setOf(...stakes: readonly bigint[]): ValidatorSet {
  return validatorSet(
    stakes.map((stake, index) => ({
      id: accountId(index.toString(16).padStart(40, '0')),
      consensusKey: new Uint8Array(32).fill(index),
      seedKey: new Uint8Array(48).fill(index),
      stake,
    })),
  )
}

function powers(...values: readonly bigint[]): PowerSource {
  return { powerOf: (id) => values[Number.parseInt(id, 16)]! }
}

const weigh = (set: ValidatorSet, power: PowerSource, stakeWeight = 300n): bigint[] =>
  weightsOf(set, { height: 1, power, stakeWeight })

describe('weights', () => {
  test.each([
    ['mix 0.3 of stake with 0.7 of power', setOf(1n, 3n), powers(1n, 1n), 300n, [425n, 575n]],
    ['are stake alone when that is all that counts', setOf(1n, 3n), powers(9n, 1n), 1_000n, [1n, 3n]],
    ['are stake alone when nobody has power', setOf(5n, 6n), powers(0n, 0n), 300n, [5n, 6n]],
    ['give who has no power its share by stake', setOf(1n, 1n), powers(0n, 4n), 300n, [3n, 17n]],
  ] as const)('%s', (_case, set, power, stakeWeight, shares) => {
    const weights = weigh(set, power, stakeWeight)
    const [first, second] = weights
    // In the same ratio as the shares.
    expect(first! * shares[1]).toBe(second! * shares[0])
  })

  test('with ten members, power above a tenth does not count and goes to stake', () => {
    const set = setOf(...Array.from({ length: 10 }, () => 1n))
    const weights = weigh(set, powers(91n, ...Array.from({ length: 9 }, () => 1n)))
    const sum = weights.reduce((total, weight) => total + weight)
    // 0.7 · 10/100 counted power, and of the other 0.3 + 0.7 · 81/100 a tenth by stake.
    expect(weights[0]! * 10_000n).toBe(sum * 1_567n)
    expect(weights.slice(1).every((weight) => weight * 10_000n === sum * 937n)).toBe(true)
  })

  test('with nine members nobody is capped', () => {
    const set = setOf(...Array.from({ length: 9 }, () => 1n))
    const weights = weigh(set, powers(92n, ...Array.from({ length: 8 }, () => 1n)))
    const sum = weights.reduce((total, weight) => total + weight)
    // 0.3 / 9 + 0.7 · 0.92
    expect(weights[0]! * 9_000n).toBe(sum * 6_096n)
  })
})

describe('the draw', () => {
  test.each([[[3n, 1n, 2n]], [[1n]], [[0n, 5n, 0n, 2n]], [[7n, 7n, 7n]]])('gives each of %s its points', (weights) => {
    const sum = weights.reduce((total, weight) => total + weight)
    const hits = weights.map(() => 0n)
    for (let point = 0n; point < sum; point++) hits[indexAt(weights, point)]! += 1n
    expect(hits).toEqual(weights)
  })

  test('is the same for everybody and another for each seed, height and round', () => {
    const weights = Array.from({ length: 100 }, () => 1n)
    const seed = hashOf(new Uint8Array(32).fill(1))
    const draw = (change: object) => drawProposer({ seed, height: 7, round: 0, weights, ...change })
    expect(draw({})).toBe(draw({}))
    const drawn = [draw({}), draw({ height: 8 }), draw({ round: 1 }), draw({ seed: hashOf(new Uint8Array(32)) })]
    expect(drawn).toEqual([42, 62, 88, 49])
  })

  test('reaches everybody within some rounds, so that one silent member stops nothing', () => {
    const set = setOf(1n, 2n, 3n, 4n)
    const weights = weigh(set, EQUAL_POWER)
    const seed = hashOf(new Uint8Array(32).fill(9))
    const drawn = Array.from({ length: 40 }, (_, round) => drawProposer({ seed, height: 1, round, weights }))
    expect(new Set(drawn)).toEqual(new Set([0, 1, 2, 3]))
  })
})
