/**
 * What the earnings panel says, as data: what mining brought and what the wallet has. Pure. Spec: docs/spec/cli.md §9.
 * @module
 */
import type { EarningsView } from '../chain/earnings-report.ts'
import type { AccountLook } from './looks.ts'
import { type DashboardState, worthOf } from './state.ts'
import type { Why, WorkSection } from './view.ts'

export interface EarningsSection {
  readonly wallet?: string
  /** What mining brought, and what is to come; absent where no full node tells, or nobody mines. */
  readonly mined?: MinedView
  readonly accounts: readonly AccountLook[]
  /** Grains, bonds included; absent without accounts. */
  readonly total?: string
  /** What the total grew by since the dashboard began; may be negative. */
  readonly sinceStart?: string
  /** The total after each block seen, newest last. */
  readonly totals: readonly string[]
  /** Why nothing came in; absent when something did. */
  readonly none?: Why
}

export type MinedView = Pick<
  EarningsView,
  | 'since'
  | 'isWhole'
  | 'today'
  | 'week'
  | 'total'
  | 'history'
  | 'claimed'
  | 'promised'
  | 'deposit'
  | 'locked'
  | 'workValue'
>

/** What somebody may have earned: of miners that are registered, or were. */
export function minedOf({ chain }: DashboardState): EarningsView | undefined {
  const mined = chain?.type === 'seen' ? chain.mined : undefined
  return mined !== undefined && (mined.miners.length > 0 || mined.total.earned !== '0') ? mined : undefined
}

/** A miner says why once a minute. */
const NOTE_MS = 150_000
const SAID_BETTER: readonly string[] = ['NO_SESSION', 'SESSION_WAITS']

/** A miner that serves for pay knows better than its sessions show why it has nothing to do. */
export function ownWords(idle: Why | undefined, state: DashboardState): Why | undefined {
  if (idle === undefined || !SAID_BETTER.includes(idle.code)) return idle
  const notes = minedOf(state)?.miners.flatMap(({ note }) => note ?? []) ?? []
  const newest = notes.toSorted((one, other) => other.timeMs - one.timeMs)[0]
  if (newest === undefined || state.nowMs - newest.timeMs > NOTE_MS) return idle
  // The panel says that it is about being idle.
  const text = newest.text.replace(/^Idle: /, '')
  return { code: idle.code, message: text.slice(0, 1).toUpperCase() + text.slice(1) }
}

function minedView(mined: EarningsView): MinedView {
  const { since, isWhole, today, week, total, history, claimed, promised, deposit, locked, workValue } = mined
  return { since, isWhole, today, week, total, history, claimed, promised, deposit, locked, workValue }
}

/** `work`: says why nothing came. */
export function earningsSection(state: DashboardState, work: WorkSection): EarningsSection {
  const { subject, chain, worths, firstWorth } = state
  const named = subject.wallet === undefined ? {} : { wallet: subject.wallet }
  const totals = worths.map(String)
  const known = minedOf(state)
  const mined = known === undefined ? {} : { mined: minedView(known) }
  const hasMined = known !== undefined && known.today.earned !== '0'
  if (chain?.type !== 'seen' || chain.accounts.length === 0 || firstWorth === undefined) {
    const why = known === undefined ? withoutAccounts(state) : noIncome(work, known.none)
    return { ...named, accounts: [], totals, ...mined, ...(hasMined ? {} : { none: why }) }
  }
  const total = worthOf(chain)
  const since = total - firstWorth
  const none = since > 0n || hasMined ? {} : { none: noIncome(work, chain.mined?.none) }
  const sums = { total: String(total), sinceStart: String(since), totals }
  return { ...named, accounts: chain.accounts, ...sums, ...mined, ...none }
}

function withoutAccounts({ subject, chain }: DashboardState): Why {
  if (subject.wallet === undefined)
    return { code: 'NO_WALLET', message: 'Name a wallet with `--wallet NAME` to see what it has.' }
  if (chain?.type === 'none') return { code: chain.code, message: chain.message }
  return { code: 'LOOKING', message: 'Looking…' }
}

function noIncome({ idle, registered }: WorkSection, known: Why | undefined): Why {
  if (idle !== undefined) return idle
  if (known !== undefined) return known
  if (registered === undefined) {
    return { code: 'NOT_REGISTERED', message: "This wallet's operator is no miner of the chain, so no lease names it." }
  }
  return { code: 'NOT_SETTLED', message: 'Work is paid when a lease is settled, bonds at the end of an epoch.' }
}
