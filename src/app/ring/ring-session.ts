/**
 * A session with a ring, as those see it who want text of it.
 * @module
 */
import type { Hash, SessionId } from '../../base/brand.ts'
import type { Clock, Random } from '../../base/ports.ts'
import type { Generation } from '../../net/protocols/generation.ts'
import type { EndReason } from '../../net/protocols/stage.ts'
import type { StageStatistics } from '../../net/protocols/statistics.ts'
import type { Wire } from '../../net/wire.ts'
import type { RingPayer } from '../market/ring-payer.ts'
import type { Route } from './route.ts'

export type RingEvent =
  | { readonly type: 'token'; readonly token: number; readonly position: number; readonly digest: Hash | undefined }
  | { readonly type: 'end'; readonly reason: EndReason | 'lease-spent' }

export interface RingPorts {
  readonly wire: Wire
  readonly clock: Clock
  readonly random: Random
}

export interface RingOptions {
  readonly route: Route
  /** Positions to reserve at every stage. */
  readonly capacity: number
  /** Pays for the session, where its route is a lease's; closed with it. */
  readonly payer?: RingPayer | undefined
}

export interface RingSession {
  readonly id: SessionId
  readonly route: Route
  /** Every token of the session that all stages hold or are about to hold. */
  readonly tokens: readonly number[]
  /**
   * Runs one turn: appends `prompt` to the session and yields what follows, ending with one `end` event. Leaving the loop
   * early, or aborting, cancels the turn; the session stays usable.
   */
  generate(prompt: readonly number[], options: TurnOptions): AsyncGenerator<RingEvent, void, void>
  /** Forgets every token from `length` on: the next turn continues there. */
  rewind(length: number): void
  statistics(): Promise<StageStatistics[]>
  close(): Promise<void>
}

export interface TurnOptions {
  readonly generation: Generation
  /** Tokens per prefill chunk; default the limit. */
  readonly chunkTokens?: number
  /** Drafts that a step may take along; 0: none. Default: as many as pay. The tokens are the same. */
  readonly draftsMax?: number | undefined
  readonly signal?: AbortSignal
}
