/**
 * What every account and pot must hold after some blocks: from what they held before, the transactions of the blocks, and what leases and
 * audits that ended among them moved. Written from docs/spec/market.md §5 and §8 over views alone, so that it shares no code with the chain.
 */
import type { BlockView, HoldingsView, TransactionView } from '../../src/app/chain/chain-access.ts'
import type { LeaseView, LotView } from '../../src/app/chain/market-access.ts'

/** Grains by `KIND ADDRESS`, without what is empty; all escrows of a payer are one, and what was burnt is a pot. */
export type Ledger = ReadonlyMap<string, bigint>

/** A lease that ended, as it was when nothing could change it any more. */
export interface EndedLease {
  readonly lease: LeaseView
  /** Of each lot: whose pay it is. */
  readonly payouts: readonly string[]
  /** Lots that audits found at fault, with the payout accounts of the auditors that said so. */
  readonly faults: readonly { readonly lot: number; readonly accusers: readonly string[] }[]
}

export interface LotPay {
  readonly units: bigint
  readonly pay: bigint
}

/** Where a charge goes. */
export interface Bill {
  readonly lots: readonly LotPay[]
  readonly charge: bigint
  readonly treasury: bigint
  readonly stakers: bigint
  readonly burnt: bigint
}

export const BURNT = 'burnt'
export const POOL = 'reward-pool'

export function ledgerOf({ holdings, supply }: HoldingsView): Ledger {
  const ledger = new Map<string, bigint>()
  for (const { kind, address, amount } of holdings) add(ledger, keyOf(kind, address), BigInt(amount))
  add(ledger, BURNT, BigInt(supply.burnt))
  return withoutEmpty(ledger)
}

export function keyOf(kind: HoldingsView['holdings'][number]['kind'], address?: string): string {
  return address === undefined ? kind : `${kind} ${address}`
}

/** What it must be after the blocks. None of them may be the last of an epoch. */
export function ledgerAfter(
  before: Ledger,
  blocks: readonly BlockView[],
  { ended, treasury }: { readonly ended: readonly EndedLease[]; readonly treasury: string },
): Ledger {
  const ledger = new Map(before)
  for (const block of blocks) for (const transaction of block.transactions) apply(ledger, transaction, block)
  for (const lease of ended) settle(ledger, lease, treasury)
  return withoutEmpty(ledger)
}

function apply(ledger: Map<string, bigint>, transaction: TransactionView, block: BlockView): void {
  const { sender, type, body } = transaction
  const grains = (name: string): bigint => BigInt(body[name] as string)
  const move = (amount: bigint, from: string, to: string): void => {
    add(ledger, from, -amount)
    add(ledger, to, amount)
  }
  const own = keyOf('balance', sender)
  const { burnt, tip } = feeOf(transaction, BigInt(block.baseFee))
  move(burnt, own, BURNT)
  move(tip, own, keyOf('balance', block.proposer))
  if (type === 'transfer') move(grains('amount'), own, keyOf('balance', body['to'] as string))
  if (type === 'register-miner') move(grains('deposit'), own, keyOf('collateral', sender))
  if (type === 'withdraw-deposit') move(grains('amount'), keyOf('collateral', sender), own)
  if (type === 'open-lease') move(grains('cap'), own, keyOf('escrow', sender))
}

/** A fee is `units · (base fee + tip)`, where the tip is what `maxFee` leaves. */
function feeOf({ fee, tip, maxFee }: TransactionView, baseFee: bigint): { burnt: bigint; tip: bigint } {
  const room = BigInt(maxFee) - baseFee
  const perUnit = BigInt(tip) < room ? BigInt(tip) : room
  const units = BigInt(fee!) / (baseFee + perUnit)
  return { burnt: units * baseFee, tip: units * perUnit }
}

function settle(ledger: Map<string, bigint>, { lease, payouts, faults }: EndedLease, treasury: string): void {
  for (const { lot, accusers } of faults) {
    const { operator, task } = lease.lots[lot]!
    const each = BigInt(task) / 2n / BigInt(accusers.length)
    add(ledger, keyOf('collateral', operator), -BigInt(task))
    for (const accuser of accusers) add(ledger, keyOf('balance', accuser), each)
    add(ledger, BURNT, BigInt(task) - each * BigInt(accusers.length))
  }
  const bill = billOf(
    lease,
    faults.map(({ lot }) => lot),
  )
  add(ledger, keyOf('escrow', lease.payer), -BigInt(lease.escrow))
  add(ledger, keyOf('balance', lease.payer), BigInt(lease.escrow) - bill.charge)
  for (const [lot, { pay }] of bill.lots.entries()) add(ledger, keyOf('balance', payouts[lot]!), pay)
  add(ledger, keyOf('balance', treasury), bill.treasury)
  add(ledger, POOL, bill.stakers)
  add(ledger, BURNT, bill.burnt)
}

/** What a lease costs, and who gets it. Lots that are unclaimed or `faulted` get nothing and are not charged. */
export function billOf(lease: LeaseView, faulted: readonly number[] = []): Bill {
  const { terms } = lease
  const lots = lease.lots.map((lot, index) => {
    const isPaid = lot.state === 'claimed' && !faulted.includes(index)
    const units = isPaid ? unitsOf(lot, lease) : 0n
    return { units, pay: units * BigInt(lot.rate) }
  })
  const charge = BigInt(terms.price) * lots.reduce((sum, { units }) => sum + units, 0n)
  const treasury = (charge * BigInt(terms.treasuryShare)) / 1_000n
  const stakers = (charge * BigInt(terms.stakerShare)) / 1_000n
  const burnt = charge - treasury - stakers - lots.reduce((sum, { pay }) => sum + pay, 0n)
  return { lots, charge, treasury, stakers, burnt }
}

/** The share of the work that the receipts cover, in units of a million multiply-accumulates, rounded up and then down. */
function unitsOf({ work, rows }: LotView, { counters, terms }: LeaseView): bigint {
  const weight = BigInt(terms.decodeWeight)
  const all = BigInt(counters.promptRows) + weight * BigInt(counters.decodeRows)
  const positions = BigInt(counters.promptPositions) + weight * BigInt(counters.decodePositions)
  const units = (BigInt(work.linear) * all + BigInt(work.attention) * positions + 999_999n) / 1_000_000n
  return BigInt(rows) >= all ? units : (units * BigInt(rows)) / all
}

function add(ledger: Map<string, bigint>, key: string, amount: bigint): void {
  ledger.set(key, (ledger.get(key) ?? 0n) + amount)
}

function withoutEmpty(ledger: ReadonlyMap<string, bigint>): Ledger {
  return new Map([...ledger].filter(([, amount]) => amount !== 0n))
}
