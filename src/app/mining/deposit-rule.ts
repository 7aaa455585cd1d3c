/**
 * What a miner registers with: how much of its account's money it deposits, when it adds to that, and what is missing. Pure; grains.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { taskOf } from '../../core/market/incentive.ts'
import type { Parameters } from '../../core/parameters.ts'
import type { MinerView, ModelView } from '../chain/market-access.ts'

/** Prices move: a deposit for twice the price of now. */
const PRICE_ROOM = 2n
/** Audits that a miner can sit in at once. */
const AUDITS_AT_ONCE = 4n
/** Stays in the account for what is sent later: a hundred claims or renewals. */
const RESERVE_UNITS = 6_000n
/** Of a registration, in units. */
const REGISTER_UNITS = 200n
const TIP = 1n

/** What the miner wants to be registered with. */
export interface RegistrationWish {
  readonly payout: string
  /** Hexadecimal. */
  readonly peerKey: string
  readonly device: 'cpu' | 'gpu'
  /** The deposit, at most; undefined: as much as its slots need. */
  readonly deposit: bigint | undefined
  /** Nothing is added to a deposit that audits have lowered. */
  readonly tops: boolean
}

/** One of those that the miner offers. */
export interface OfferedRun {
  readonly model: ModelView
  readonly first: number
  /** Exclusive. */
  readonly end: number
  readonly slots: number
}

export interface RegistrationFacts {
  readonly miner: MinerView | undefined
  /** One at least. */
  readonly runs: readonly OfferedRun[]
  readonly parameters: Parameters
  /** Of the operator. */
  readonly balance: bigint
  /** Grains: a larger deposit takes a place of a model that has none left; undefined: none does, or none is needed. */
  readonly placeDeposit: bigint | undefined
  /** Grains per unit. */
  readonly baseFee: bigint
}

export type RegistrationStep =
  | { readonly type: 'done' }
  | { readonly type: 'register'; readonly deposit: bigint; readonly why: 'new' | 'changed' | 'top-up' | 'place' }
  /** `missing`: to be sent to the account; `for`: what it is not enough for. */
  | { readonly type: 'short'; readonly missing: bigint; readonly for: 'deposit' | 'job' | 'fees' }
  /** A miner's deposit is at least `least`, and the wish allows less. */
  | { readonly type: 'below-least'; readonly least: bigint }
  /** A job needs `task`, and the wish allows no more than there is. */
  | { readonly type: 'capped'; readonly task: bigint }
  | { readonly type: 'slashed-out' }

/** Grains that stand behind a job at the price of now: behind the whole run, and behind the segment of it that asks for least. */
export function tasksNow(
  { model, first, end }: Omit<OfferedRun, 'slots'>,
  parameters: Parameters,
): { readonly whole: bigint; readonly least: bigint } {
  const run = model.segments.slice(first, end).map(({ linear, attention }) => {
    return { linear: BigInt(linear), attention: BigInt(attention) }
  })
  const taskFor = (segments: typeof run): bigint =>
    taskOf({ price: BigInt(model.price), segments, context: BigInt(model.context) }, parameters)
  const whole = taskFor(run)
  return { whole, least: run.reduce((least, segment) => min(least, taskFor([segment])), whole) }
}

/** Of several runs: what the dearest job needs, what the cheapest one, and what all slots together. */
function needsOf({ runs, parameters }: RegistrationFacts): Record<'whole' | 'least' | 'all', bigint> {
  const tasks = runs.map((run) => ({ ...tasksNow(run, parameters), slots: BigInt(run.slots) }))
  return {
    whole: tasks.reduce((most, { whole }) => max(most, whole), 0n),
    least: tasks.reduce((least, task) => min(least, task.least), tasks[0]!.least),
    all: tasks.reduce((sum, { whole, slots }) => sum + slots * whole, 0n),
  }
}

/** Of the deposit, what stands behind nothing. */
export function freeDeposit({ deposit, locked }: Pick<MinerView, 'deposit' | 'locked'>): bigint {
  return BigInt(deposit) - BigInt(locked)
}

export function registrationStep(wish: RegistrationWish, facts: RegistrationFacts): RegistrationStep {
  const { miner, parameters, balance, baseFee } = facts
  if (miner?.status === 'slashed-out') return { type: 'slashed-out' }
  const { whole, least, all } = needsOf(facts)
  const target = wish.deposit ?? targetOf(parameters, all)
  const price = baseFee + TIP
  const spendable = balance - REGISTER_UNITS * price
  const affordable = max(0n, spendable - RESERVE_UNITS * price)
  const have = BigInt(miner?.deposit ?? 0)
  const wanted = max(0n, target - have)
  const add = min(wanted, affordable)
  if (miner === undefined || miner.status === 'draining') {
    if (max(target, have) < parameters.minerDepositMin)
      return { type: 'below-least', least: parameters.minerDepositMin }
    const needed = max(parameters.minerDepositMin, min(least, target))
    if (have + add >= needed && spendable >= 0n) return { type: 'register', deposit: add, why: 'new' }
    const fees = (REGISTER_UNITS + RESERVE_UNITS) * price
    return { type: 'short', missing: max(target, needed) - have + fees - balance, for: 'deposit' }
  }
  if (isChanged(miner, wish)) return { type: 'register', deposit: 0n, why: 'changed' }
  if (isEnoughForPlace(wish, facts, add)) return { type: 'register', deposit: add, why: 'place' }
  const free = freeDeposit(miner)
  if (free < whole && wish.tops && add > 0n && free + add >= least) {
    return { type: 'register', deposit: add, why: 'top-up' }
  }
  // With jobs open, part of the deposit stands behind them and comes back.
  if (free < least && miner.openLots === 0) {
    return free + wanted < least || !wish.tops
      ? { type: 'capped', task: least }
      : {
          type: 'short',
          missing: max(wanted, least - free) + (REGISTER_UNITS + RESERVE_UNITS) * price - balance,
          for: 'job',
        }
  }
  const fees = RESERVE_UNITS * price
  // A tenth of the reserve is left for ten more.
  if (balance < fees / 10n) return { type: 'short', missing: fees - balance, for: 'fees' }
  return { type: 'done' }
}

/** `tasks`: of all slots. */
function targetOf({ minerDepositMin, auditorStake }: Parameters, tasks: bigint): bigint {
  return max(minerDepositMin, tasks * PRICE_ROOM) + AUDITS_AT_ONCE * auditorStake
}

/** What a place is worth only a person knows: who said nothing is not outbid. */
function isEnoughForPlace(
  { deposit, tops }: RegistrationWish,
  { miner, placeDeposit }: RegistrationFacts,
  add: bigint,
): boolean {
  if (deposit === undefined || !tops || placeDeposit === undefined) return false
  const have = BigInt(miner?.deposit ?? 0)
  return have <= placeDeposit && have + add > placeDeposit
}

function isChanged({ payout, peerKey, device }: MinerView, wish: RegistrationWish): boolean {
  return payout !== wish.payout || peerKey !== wish.peerKey || device !== wish.device
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
