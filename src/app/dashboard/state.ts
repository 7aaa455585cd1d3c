/**
 * What the dashboard remembers: the latest looks, and short histories for rates and sparklines. A pure reducer.
 * @module
 */
import { DASHBOARD_LIMITS } from '../../base/limits.ts'
import type { ChainLook, ChainSeen, Look, MinersLook, MinersSeen } from './looks.ts'

/** What is watched. */
export interface DashboardSubject {
  readonly network: string
  readonly model: string
  /** Segments of the model. */
  readonly segmentCount: number
  readonly wallet?: string
}

export interface DashboardState {
  readonly subject: DashboardSubject
  /** Unix time of the latest look or tick. */
  readonly nowMs: number
  /** undefined: not looked yet. */
  readonly chain: ChainLook | undefined
  readonly miners: MinersLook | undefined
  /** Milliseconds per block, newest last. */
  readonly blockMs: readonly number[]
  /** Grains that the watched wallet has, bonds included: one per block seen, newest last. */
  readonly worths: readonly bigint[]
  /** At the first look. */
  readonly firstWorth: bigint | undefined
  /** Tokens per second by miner, since the look before. */
  readonly rates: ReadonlyMap<string, number>
  /** Tokens that went through the first segment per second, newest last. */
  readonly tokenRates: readonly number[]
  /** Monotonic time of the latest look at the miners. */
  readonly minersMs: number
}

export function initialState(subject: DashboardSubject, nowMs: number): DashboardState {
  return {
    ...{ subject, nowMs, chain: undefined, miners: undefined, blockMs: [], worths: [], firstWorth: undefined },
    ...{ rates: new Map(), tokenRates: [], minersMs: 0 },
  }
}

export function reduce(state: DashboardState, look: Look): DashboardState {
  const now = { ...state, nowMs: look.atMs }
  switch (look.type) {
    case 'tick':
      return now
    case 'chain':
      return look.chain.type === 'seen' ? withChain(now, look.chain) : { ...now, chain: look.chain }
    case 'miners':
      return look.miners.type === 'seen'
        ? withMiners(now, look.miners, look.monotonicMs)
        : { ...now, miners: look.miners, rates: new Map() }
  }
}

/** Grains of all accounts. */
export function worthOf({ accounts }: ChainSeen): bigint {
  return accounts.reduce((sum, { balance, bonded }) => sum + BigInt(balance) + BigInt(bonded), 0n)
}

function withChain(state: DashboardState, chain: ChainSeen): DashboardState {
  const before = state.chain?.type === 'seen' ? state.chain.head : undefined
  const blocks = before === undefined ? 0 : chain.head.height - before.height
  const isNew = before === undefined || blocks > 0
  // The time of the genesis is when the network was made, which says nothing of how long a block takes.
  const isTimed = before !== undefined && blocks > 0 && before.height > 0
  const blockMs = isTimed ? kept(state.blockMs, (chain.head.timeMs - before.timeMs) / blocks) : state.blockMs
  if (chain.accounts.length === 0) return { ...state, chain, blockMs }
  const worth = worthOf(chain)
  const worths = isNew ? kept(state.worths, worth) : state.worths
  return { ...state, chain, blockMs, worths, firstWorth: state.firstWorth ?? worth }
}

function withMiners(state: DashboardState, miners: MinersSeen, monotonicMs: number): DashboardState {
  const before = state.miners?.type === 'seen' ? state.miners.peers : undefined
  const elapsedMs = monotonicMs - state.minersMs
  const next = { ...state, miners, minersMs: monotonicMs }
  if (before === undefined || elapsedMs <= 0) return next
  const rowsBefore = new Map(before.map(({ peer, rows }) => [peer, rows]))
  const rates = new Map(
    miners.peers.flatMap(({ peer, rows }) => {
      const known = rowsBefore.get(peer)
      // A counter that fell is that of a new process.
      return known === undefined || rows < known ? [] : [[peer, ((rows - known) * 1_000) / elapsedMs] as const]
    }),
  )
  return { ...next, rates, tokenRates: kept(state.tokenRates, firstSegmentRate(miners, rates)) }
}

/** Every token goes through the first segment once, at one miner of it. */
function firstSegmentRate({ offers }: MinersSeen, rates: ReadonlyMap<string, number>): number {
  const peers = new Set(offers.filter(({ firstSegment }) => firstSegment === 0).map(({ peer }) => peer))
  return [...peers].reduce((sum, peer) => sum + (rates.get(peer) ?? 0), 0)
}

function kept<Item>(items: readonly Item[], item: Item): readonly Item[] {
  return [...items, item].slice(-DASHBOARD_LIMITS.historyItems)
}
