/**
 * A route: the stages that cover a model, in order, and what they are expected to cost. Where routes come from is
 * behind a port: today from signed offers (app/ring/offer-routes.ts), later from leases on the chain.
 * @module
 */
import type { Hash, Milliseconds, PeerId } from '../../base/brand.ts'
import type { StageAddress } from '../../net/protocols/stage-open.ts'

export interface Route {
  readonly model: Hash
  readonly stages: readonly StageAddress[]
  /** Expected time of one decode step round the ring. */
  readonly expectedStepMs: Milliseconds
}

export interface RouteSource {
  /** The best route for a model now, without some peers; throws RING_NO_ROUTE naming the segments that nobody serves. */
  findRoute(model: Hash, signal?: AbortSignal, without?: ReadonlySet<PeerId>): Promise<Route>
}
