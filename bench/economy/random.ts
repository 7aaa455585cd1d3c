/**
 * Chance for the simulated network: the same seed gives the same run.
 * @module
 */
import { uniformAt } from '../../src/base/prng.ts'

export interface Chance {
  /** In [0, 1). */
  uniform(): number
  /** A whole number from 0 to below `count`. */
  below(count: number): number
  /** Mean 0, deviation 1. */
  normal(): number
  /** How many events happen in a time in which `mean` do on average. */
  poisson(mean: number): number
}

/** Above this many events the Poisson distribution is taken for a normal one. */
const POISSON_EXACT_MAX = 200

export function createChance(seed: number): Chance {
  let counter = 0n
  const uniform = (): number => uniformAt(BigInt(seed), counter++)
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  const poisson = (mean: number): number => {
    if (mean > POISSON_EXACT_MAX) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()))
    const limit = Math.exp(-mean)
    let events = -1
    for (let product = 1; product > limit; product *= uniform()) events += 1
    return Math.max(0, events)
  }
  return { uniform, normal, poisson, below: (count) => Math.floor(uniform() * count) }
}
