/**
 * The power ledger: audited work of each miner by day, and what of it counts in the draw of proposers. Days are counted in blocks,
 * so that every node has the same. Payments never create power. Spec: docs/spec/market.md §8.
 * @module
 */

import { assert } from '../../base/assert.ts'
import { lesser } from '../../base/bigint.ts'
import type { AccountId } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { EQUAL_POWER, type PowerSource } from '../block/proposer.ts'
import { epochOf } from '../epoch.ts'
import type { Parameters } from '../parameters.ts'
import { getMiner, type MinerRecord } from '../state/miners.ts'
import { getParameters } from '../state/parameters-record.ts'
import { getPowers, type Powers } from '../state/powers.ts'
import type { ReadState } from '../state/state.ts'

/** Blocks of a day: at two seconds each. */
export const DAY_BLOCKS = 43_200
const DAYS = MARKET_LIMITS.powerDays
const U64_MAX = 2n ** 64n - 1n

type Ledger = Pick<MinerRecord, 'day' | 'dailyUnits'>

/** The number of the day that a height is in. */
export function dayOf(height: number): number {
  return Math.floor(height / DAY_BLOCKS)
}

/** The miner with `units` more on `day`, which is not before the last one that was credited. */
export function creditUnits<Record extends Ledger>(miner: Record, day: number, units: bigint): Record {
  const [today = 0n, ...before] = unitsUntil(miner, day)
  const sum = today + units
  return { ...miner, day, dailyUnits: [sum > U64_MAX ? U64_MAX : sum, ...before] }
}

/** The miner without any audited work: who was found at fault begins anew. */
export function forgetUnits<Record extends Ledger>(miner: Record): Record {
  return { ...miner, dailyUnits: Array<bigint>(DAYS).fill(0n) }
}

/** Compute units a day: the mean of the last days, `day` included, at most what the deposit stands behind. */
export function minerPower(
  miner: Ledger & Pick<MinerRecord, 'deposit' | 'status'>,
  day: number,
  { depositPerPower }: Pick<Parameters, 'depositPerPower'>,
): bigint {
  if (miner.status === 'slashed-out') return 0n
  const mean = unitsUntil(miner, day).reduce((sum, units) => sum + units, 0n) / BigInt(DAYS)
  const backed = miner.deposit / depositPerPower
  return lesser(mean, backed)
}

/** The power of each of these validators: that of the miner of the same account. */
export function powersAt(
  state: ReadState,
  validators: Iterable<AccountId>,
  { height, parameters }: { readonly height: number; readonly parameters: Parameters },
): Powers {
  const powers = new Map<AccountId, bigint>()
  for (const id of validators) {
    const miner = getMiner(state, id)
    if (miner === undefined) continue
    const power = minerPower(miner, dayOf(height), parameters)
    powers.set(id, power > U64_MAX ? U64_MAX : power)
  }
  return powers
}

/** What the state says of the power of validators. In epochs whose set has none it is equal. */
export function powerOf(state: ReadState): PowerSource {
  const parameters = getParameters(state)
  const known = new Map<number, Powers | undefined>()
  return {
    powerOf(validator, height) {
      const epoch = epochOf(height, parameters)
      if (!known.has(epoch)) known.set(epoch, getPowers(state, epoch))
      const powers = known.get(epoch)
      return powers === undefined ? EQUAL_POWER.powerOf(validator, height) : (powers.get(validator) ?? 0n)
    },
  }
}

/** The days as they stand on `day`: the newest first, those without work 0. */
function unitsUntil({ day: last, dailyUnits }: Ledger, day: number): bigint[] {
  assert(day >= last, 'days do not go back')
  const idle = Math.min(day - last, DAYS)
  return [...Array<bigint>(idle).fill(0n), ...dailyUnits].slice(0, DAYS)
}
