/**
 * Why a lease has a lot of this miner, or none, as far as the chain tells it afterwards: bids of others, and who was allotted to which lot, are
 * looked at as they are now. Pure. Spec: docs/spec/cli.md §10, docs/spec/market.md §6.
 * @module
 */
import { budgetOf } from '../../core/market/price.ts'
import type { Parameters } from '../../core/parameters.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import type { LeaseView, LotView, MinerView, PlacementView } from '../chain/market-access.ts'
import { segmentsText } from '../chain/text-parts.ts'
import { freeDeposit } from './deposit-rule.ts'

export interface JobFacts {
  readonly lease: LeaseView
  /** Of the operator. */
  readonly address: string
  /** Operators that the payer wanted not to serve. */
  readonly avoided: readonly string[]
  /** Ours before the lease was opened. */
  readonly placement: PlacementView | undefined
  readonly miner: MinerView | undefined
  readonly parameters: Parameters
  /** Who serves the first lot that we could have served, where the chain tells. */
  readonly winner: MinerView | undefined
}

/** What was decisive, for programs and for the sums of a minute. */
export type LossReason = 'avoided' | 'not-placed' | 'no-slot' | 'other-lots' | 'deposit' | 'bid' | 'slower' | 'drawn'

export interface Loss {
  readonly reason: LossReason
  readonly text: string
}

/** `lease 1a2b3c4d…`: enough to find it in a list. */
export function leaseText(id: string): string {
  return `lease ${id.slice(0, 12)}…`
}

/** The lots that a run covers. */
export function lotsWithin(
  lots: readonly LotView[],
  { first, end }: { readonly first: number; readonly end: number },
): LotView[] {
  return lots.filter((lot) => first <= lot.first && lot.end <= end)
}

export function wonText({ id, cap, lots }: LeaseView, index: number): string {
  const { first, end, rate } = lots[index]!
  return `Won lot ${index + 1} of ${leaseText(id)}: ${segmentsText(first, end)} for ${rate} grains per CU, of a lease that may cost ${dllm(BigInt(cap))}.`
}

/** Why none of its lots is ours. */
export function lossOf(facts: JobFacts): Loss {
  const { lease, address, avoided, placement, miner } = facts
  const loss = (reason: LossReason, why: string): Loss => ({ reason, text: `Not ours: ${leaseText(lease.id)}. ${why}` })
  if (avoided.includes(address)) return loss('avoided', 'Its payer asked for other miners than this one.')
  if (placement === undefined || placement.slots === 0 || !placement.live) {
    return loss('not-placed', 'This miner offered nothing when it was opened.')
  }
  if (placement.used >= placement.slots) {
    return loss('no-slot', `All ${placement.slots} slots were taken; --slots offers more.`)
  }
  const [lot] = lotsWithin(lease.lots, placement)
  if (lot === undefined) return loss('other-lots', 'None of its lots lies within the segments of this miner.')
  const free = miner === undefined ? 0n : freeDeposit(miner)
  if (free < BigInt(lot.task)) {
    return loss('deposit', `${dllm(BigInt(lot.task))} of a deposit must be free for a lot, and ${dllm(free)} were.`)
  }
  return auctionLoss(facts, lot, { placement, loss })
}

function auctionLoss(
  { lease, miner, parameters, winner }: JobFacts,
  { rate }: LotView,
  { placement, loss }: { readonly placement: PlacementView; readonly loss: (reason: LossReason, why: string) => Loss },
): Loss {
  const budget = budgetOf(1_000n, BigInt(lease.terms.price), parameters) / 1_000n
  if (BigInt(placement.bid) > budget) {
    return loss(
      'bid',
      `The bid of ${placement.bid} grains per CU is above what the price leaves for miners, ${budget}.`,
    )
  }
  if (winner !== undefined && BigInt(winner.workRate) > BigInt(miner?.workRate ?? 0)) {
    const [theirs, ours] = [speedText(winner.workRate), speedText(miner?.workRate ?? '0')]
    return loss('slower', `It went for ${rate} grains per CU to a miner with ${theirs}; this one has ${ours}.`)
  }
  return loss('drawn', `It went for ${rate} grains per CU to others, whose scores were lower or who were drawn.`)
}

/** CU per second × 2¹⁶, as people read it. */
function speedText(workRate: string): string {
  const units = BigInt(workRate) >> 16n
  return units === 0n ? 'no audited speed yet' : `${units} CU/s audited`
}
