/**
 * What `dllm earnings` tells, as one object: sums by time, miner and model, what is to come, and the newest lines. Pure.
 * Spec: docs/spec/cli.md §12.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { EarningsKnown } from './earnings-feed.ts'
import { type EarningsLine, linesOf } from './earnings-lines.ts'
import type { MinerNote } from './earnings-machine.ts'
import type { MinersNow, UnsettledLot } from './earnings-now.ts'
import { type EarningsHistory, type EarningsSum, historyOf, sumOf, sumsBy, sumsOfDays } from './earnings-sums.ts'
import type { MinerView } from './market-access.ts'

export interface MinerEarnings
  extends Pick<
    MinerView,
    'address' | 'payout' | 'device' | 'status' | 'deposit' | 'locked' | 'openLots' | 'reliability' | 'workValue'
  > {
  /** Under which its key is in this data folder; absent when it is not. */
  readonly name?: string
  /** What it said last of why it has nothing to do. */
  readonly note?: MinerNote
  readonly total: EarningsSum
}

export interface ModelEarnings {
  readonly model: Hash
  /** On this machine. */
  readonly name?: string
  readonly total: EarningsSum
}

export interface EarningsView {
  readonly height: number
  /** The oldest block that the node knows about. */
  readonly since: number
  /** Whether the total has all that the node knows of the time that was asked for. */
  readonly isWhole: boolean
  readonly today: EarningsSum
  /** Today and the six days before. */
  readonly week: EarningsSum
  readonly total: EarningsSum
  readonly history: EarningsHistory
  /** Grains of lots that are not settled: claimed, and promised beyond that to miners of this machine. */
  readonly claimed: string
  readonly promised: string
  /** Grains of deposits, and what of them is locked. */
  readonly deposit: string
  readonly locked: string
  /** Grains of this epoch's audited work, at most; they are issued at its end. */
  readonly workValue: string
  readonly miners: readonly MinerEarnings[]
  readonly models: readonly ModelEarnings[]
  readonly lots: readonly UnsettledLot[]
  /** Newest first. */
  readonly entries: readonly EarningsLine[]
  /** Whether there are entries that are not shown. */
  readonly more: boolean
  /** Why nothing came; absent when something did. */
  readonly none?: { readonly code: string; readonly message: string }
}

export interface ReportParts {
  /** Addresses of operators or payout accounts. */
  readonly accounts: ReadonlySet<string>
  readonly known: EarningsKnown
  readonly now: MinersNow
  /** Of this machine: names of miners by their address, notes by theirs, names of models by their hash. */
  readonly names: ReadonlyMap<string, string>
  readonly notes: ReadonlyMap<string, MinerNote>
  readonly models: ReadonlyMap<string, string>
  readonly nowMs: number
  /** Entries. */
  readonly limit: number
}

export function reportOf(parts: ReportParts): EarningsView {
  const { accounts, known, now, models, nowMs, limit } = parts
  const lines = linesOf(known.records, accounts)
  const byMiner = new Map(sumsBy(lines, ({ miner }) => miner))
  const { miners, lots } = now
  return {
    ...{ height: known.height, since: known.since, isWhole: known.isWhole },
    ...{ ...sumsOfDays(lines, nowMs), total: sumOf(lines), history: historyOf(lines, nowMs) },
    ...{ claimed: sumText(lots, 'claimed'), promised: sumText(lots, 'promised') },
    ...{ deposit: sumText(miners, 'deposit'), locked: sumText(miners, 'locked') },
    workValue: sumText(miners, 'workValue'),
    miners: miners
      .map((miner) => minerEarnings(miner, byMiner.get(miner.address) ?? sumOf([]), parts))
      .toSorted((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1)),
    models: sumsBy(lines, ({ model }) => model).map(([model, total]) => ({
      ...{ model: model as Hash, ...named(models.get(model)), total },
    })),
    ...{ lots, entries: lines.slice(0, limit), more: lines.length > limit },
  }
}

function minerEarnings(miner: MinerView, total: EarningsSum, { names, notes }: ReportParts): MinerEarnings {
  const { address, payout, device, status, deposit, locked, openLots, reliability, workValue } = miner
  const note = notes.get(address)
  return {
    ...{ address, payout, device, status, deposit, locked, openLots, reliability, workValue },
    ...named(names.get(address)),
    ...(note === undefined ? {} : { note }),
    total,
  }
}

/** Those of this machine first, by their names. */
function orderOf({ name, address }: MinerEarnings): string {
  return name === undefined ? `1${address}` : `0${name} ${address}`
}

function named(name: string | undefined): { readonly name?: string } {
  return name === undefined ? {} : { name }
}

function sumText<Name extends string>(parts: readonly Readonly<Record<Name, string>>[], name: Name): string {
  return String(parts.reduce((sum, part) => sum + BigInt(part[name]), 0n))
}
