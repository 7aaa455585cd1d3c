/**
 * Issuance for audited work: at the end of an epoch the work values are paid with new grains, all scaled down together when they are
 * more than the epoch may issue for work. Spec: docs/spec/market.md §8.
 * @module
 */
import { lesser } from '../../base/bigint.ts'
import type { AccountId } from '../../base/brand.ts'
import type { Parameters } from '../parameters.ts'
import { type MinerRecord, miners, putMiner } from '../state/miners.ts'
import { issue, payOut } from '../state/money.ts'
import type { WriteState } from '../state/state.ts'

const PER_MILLE = 1_000n

/** Grains that an epoch may issue for audited work. */
export function workBudget({ epochBlocks, issuancePerBlock, stakeShare }: Parameters): bigint {
  return (epochBlocks * issuancePerBlock * (PER_MILLE - stakeShare)) / PER_MILLE
}

/** Pays and forgets the work values. What rounding leaves stays in the reward pool. Returns grains that were issued. */
export function issueForWork(state: WriteState, parameters: Parameters): bigint {
  // A list, because the table changes while it is worked off.
  const earners = [...miners(state)].filter(([, { workValue }]) => workValue > 0n)
  const total = earners.reduce((sum, [, { workValue }]) => sum + workValue, 0n)
  if (total === 0n) return 0n
  const budget = workBudget(parameters)
  const issued = issue(state, lesser(total, budget))
  payOut(state, sharesOf(earners, { issued, total }))
  for (const [operator, miner] of earners) putMiner(state, operator, { ...miner, workValue: 0n })
  return issued
}

/** By payout account, which several may share. */
function sharesOf(
  earners: readonly (readonly [AccountId, MinerRecord])[],
  { issued, total }: { readonly issued: bigint; readonly total: bigint },
): Map<AccountId, bigint> {
  const amounts = new Map<AccountId, bigint>()
  for (const [, { payout, workValue }] of earners) {
    amounts.set(payout, (amounts.get(payout) ?? 0n) + (workValue * issued) / total)
  }
  return amounts
}
