/**
 * Why a miner had nothing to do for a minute: the first of the reasons that holds, in the order in which they keep work away. Pure.
 * Spec: docs/spec/cli.md §10.
 * @module
 */
import { payFloorOf, slownessOf } from '../../core/market/auction.ts'
import { budgetOf } from '../../core/market/price.ts'
import type { PlacementView } from '../chain/market-access.ts'
import { count } from '../chain/text-parts.ts'
import type { Demand } from './jobs.ts'
import type { MiningMode } from './mode.ts'
import type { Sight } from './survey.ts'

export interface IdleFacts {
  /** undefined: the chain was never seen. */
  readonly sight: Sight | undefined
  /** Since the newest block. */
  readonly blockAgeMs: number
  readonly mode: MiningMode
  /** Of the registration, as a sentence. */
  readonly hindrance: string | undefined
  readonly isOutrun: boolean
  /** Why the model has no place for this miner, as a sentence. */
  readonly noPlace: string | undefined
  readonly placement: PlacementView | undefined
  readonly bid: bigint
  readonly demand: Demand
  /** Blocks that the demand is counted over. */
  readonly demandBlocks: number
  /** Sessions that are open here. */
  readonly sessions: number
}

export type IdleReason =
  | 'no-chain'
  | 'chain-stalled'
  | 'paused'
  | 'draining'
  | 'hindered'
  | 'outrun'
  | 'no-place'
  | 'not-placed'
  | 'not-active'
  | 'bid'
  | 'sessions-wait'
  | 'no-session'
  | 'no-slot'
  | 'no-demand'
  | 'others-won'

export interface Idle {
  readonly reason: IdleReason
  readonly text: string
}

/** Blocks take seconds; after this long something is wrong. */
const STALLED_MS = 30_000

/** Of several models: what holds for all of them is said once, the rest with their names. */
export function idleReasons(all: readonly IdleFacts[]): Idle[] {
  const told = all.map((facts) => ({ ...idleReason(facts), name: facts.sight?.model?.name }))
  const byText = [...Map.groupBy(told, ({ text }) => text).values()]
  return byText.map((same) => {
    const [{ reason, text }] = same as [(typeof same)[0]]
    const names = same.flatMap(({ name }) => name ?? [])
    return { reason, text: byText.length === 1 || names.length === 0 ? text : `${text} (${names.join(', ')})` }
  })
}

export function idleReason(facts: IdleFacts): Idle {
  const { sight, mode, sessions } = facts
  const idle = (reason: IdleReason, why: string): Idle => ({ reason, text: `Idle: ${why}` })
  if (sight === undefined) return idle('no-chain', 'the chain does not answer. Its node must run on this machine.')
  if (facts.blockAgeMs > STALLED_MS) {
    const seconds = Math.floor(facts.blockAgeMs / 1_000)
    return idle('chain-stalled', `no block has become final for ${seconds} s, and without blocks no lease opens.`)
  }
  const openLots = sight.miner?.openLots ?? 0
  if (mode === 'drain') return idle('draining', `draining: ${count(openLots, 'job')} not settled yet.`)
  if (mode === 'pause') return idle('paused', 'paused. `dllm mine resume` takes new jobs again.')
  if (facts.hindrance !== undefined) return idle('hindered', facts.hindrance)
  if (facts.isOutrun)
    return idle('outrun', 'another program has placed this account. Stop it, and start this one again.')
  if (facts.noPlace !== undefined) return idle('no-place', facts.noPlace)
  if (facts.placement === undefined || facts.placement.slots === 0 || !facts.placement.live) {
    return idle('not-placed', 'the placement of this miner is not in a block yet.')
  }
  if (sessions > 0)
    return idle('sessions-wait', `${count(sessions, 'session')} open, and the next message has not come.`)
  return withoutSession(facts, { sight, placement: facts.placement, idle })
}

interface Placed {
  readonly sight: Sight
  readonly placement: PlacementView
  readonly idle: (reason: IdleReason, why: string) => Idle
}

function withoutSession({ bid, demand, demandBlocks }: IdleFacts, { sight, placement, idle }: Placed): Idle {
  const status = sight.model?.status
  if (status === 'approved') return idle('not-active', 'this model is approved by a vote, and not active yet.')
  if (status === 'superseded') return idle('not-active', 'another version took the place of this model.')
  const limit = bidLimit(sight)
  if (limit !== undefined && bid > limit) {
    const price = sight.model?.price
    return idle(
      'bid',
      `the bid of ${bid} grains per CU is above what the price of ${price} leaves for this miner, ${limit}.`,
    )
  }
  if (placement.used > 0) {
    const leases = count(placement.used, 'lease')
    if (placement.used < placement.slots)
      return idle('no-session', `${leases} of this miner open, and their clients ask nothing.`)
    return idle('no-slot', `all ${placement.slots} slots have leases, whose clients ask nothing.`)
  }
  const blocks = count(demandBlocks, 'block')
  if (demand.opened === 0) return idle('no-demand', `nobody opened a lease for this model in the last ${blocks}.`)
  if (demand.won === 0) {
    return idle('others-won', `${count(demand.opened, 'lease')} in the last ${blocks}, all of them went to others.`)
  }
  return idle(
    'no-session',
    `${count(demand.opened, 'lease')} in the last ${blocks}, and none of this miner is open now.`,
  )
}

/** The highest bid that is within the budget at the price and audited speed of now; undefined without a model. */
function bidLimit({ model, miner, parameters }: Sight): bigint | undefined {
  if (model === undefined) return undefined
  const price = BigInt(model.price)
  const units = 1_000n
  const budget = budgetOf(units, price, parameters)
  const context = { price, parameters, leaseId: model.model }
  const limit = (budget - slownessOf(BigInt(miner?.workRate ?? 0), budget, context)) / units
  const floor = payFloorOf(context)
  return limit > floor ? limit : floor
}
