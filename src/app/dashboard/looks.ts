/**
 * What one look of the dashboard found: plain data, fit for JSON; amounts are decimal strings of grains.
 * @module
 */
import type { HeadView, NodeStatusView, ValidatorView } from '../chain/chain-access.ts'
import type { EarningsView } from '../chain/earnings-report.ts'
import type { MinerView } from '../chain/market-access.ts'

/** Why there is nothing to see, and what to do. */
export interface Nothing {
  readonly type: 'none'
  readonly code: string
  readonly message: string
}

/** One account of the wallet that is watched. */
export interface AccountLook {
  readonly role: string
  readonly address: string
  readonly balance: string
  /** Bonded, or on its way back from a bond. */
  readonly bonded: string
}

export interface ChainSeen {
  readonly type: 'seen'
  readonly head: HeadView
  /** Where a full node of this machine answered. */
  readonly node?: NodeStatusView
  readonly validators: readonly ValidatorView[]
  /** Grains per compute unit of the watched model; absent where the chain does not have it. */
  readonly price?: string
  /** What the chain says of the wallet's operator as a miner; absent when it is none. */
  readonly miner?: MinerView
  /** Of the wallet's operator and the miners of this machine; absent where no full node tells. */
  readonly mined?: EarningsView
  /** Of the watched wallet; empty without one. */
  readonly accounts: readonly AccountLook[]
}

/** A miner that answered. */
export interface PeerLook {
  readonly peer: string
  readonly sessions: number
  /** Since its start. */
  readonly steps: number
  /** Tokens of prompts and answers that it worked on since its start. */
  readonly rows: number
  readonly computeMs: number
}

/** A run of segments of the watched model that a miner offers. */
export interface OfferLook {
  readonly peer: string
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  readonly device: string
  /** A key of this data folder signed it. */
  readonly isOwn: boolean
}

export interface MinersSeen {
  readonly type: 'seen'
  readonly peers: readonly PeerLook[]
  readonly offers: readonly OfferLook[]
}

export type ChainLook = ChainSeen | Nothing
export type MinersLook = MinersSeen | Nothing

/** `atMs`: Unix time, for shown ages; `monotonicMs`: for rates. */
export type Look = { readonly atMs: number; readonly monotonicMs: number } & (
  | { readonly type: 'tick' }
  | { readonly type: 'chain'; readonly chain: ChainLook }
  | { readonly type: 'miners'; readonly miners: MinersLook }
)

/** Looks at one thing again and again; keeps its connections in between. */
export interface Looker<Found> {
  look(signal: AbortSignal): Promise<Found>
  close(): Promise<void>
}
