/**
 * Issuance for audited work: at the end of an epoch the work values are paid with new grains, all scaled down together when they are
 * more than the epoch may issue for work. Spec: docs/spec/market.md §8.
 * @module
 */
import { lesser } from '../../base/bigint.ts'
import type { AccountId } from '../../base/brand.ts'
import type { Parameters } from '../parameters.ts'
import { miners, putMiner } from '../state/miners.ts'
import { issue, payOut } from '../state/money.ts'
import type { WriteState } from '../state/state.ts'

const PER_MILLE = 1_000n

/** Grains that an epoch may issue for audited work. */
export function workBudget({ epochBlocks, issuancePerBlock, stakeShare }: Parameters): bigint {
  return (epochBlocks * issuancePerBlock * (PER_MILLE - stakeShare)) / PER_MILLE
}

/** What an operator's audited work of an epoch brought. */
export interface WorkPay {
  readonly epoch: number
  readonly operator: AccountId
  readonly payout: AccountId
  /** Grains: its work value, and what of it was paid. */
  readonly value: bigint
  readonly pay: bigint
}

export interface WorkIssuance {
  /** Grains. */
  readonly issued: bigint
  readonly paid: readonly WorkPay[]
}

/** Pays and forgets the work values of an epoch. What rounding leaves stays in the reward pool. */
export function issueForWork(state: WriteState, epoch: number, parameters: Parameters): WorkIssuance {
  // A list, because the table changes while it is worked off.
  const earners = [...miners(state)].filter(([, { workValue }]) => workValue > 0n)
  const total = earners.reduce((sum, [, { workValue }]) => sum + workValue, 0n)
  if (total === 0n) return { issued: 0n, paid: [] }
  const budget = workBudget(parameters)
  const issued = issue(state, lesser(total, budget))
  const paid = earners.map(([operator, { payout, workValue: value }]): WorkPay => {
    return { epoch, operator, payout, value, pay: (value * issued) / total }
  })
  payOut(state, byPayout(paid))
  for (const [operator, miner] of earners) putMiner(state, operator, { ...miner, workValue: 0n })
  return { issued, paid }
}

/** Several operators may share an account. */
function byPayout(paid: readonly WorkPay[]): Map<AccountId, bigint> {
  const amounts = new Map<AccountId, bigint>()
  for (const { payout, pay } of paid) amounts.set(payout, (amounts.get(payout) ?? 0n) + pay)
  return amounts
}
