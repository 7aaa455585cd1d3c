/**
 * What the market does at the end of every block: leases that expired close, leases that are due have audits drawn or are settled,
 * models go on in their lives, prices take a step. Bounded: what is too much for one block waits for the next.
 * Spec: docs/spec/market.md §3, §5, §13.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import type { Parameters } from '../parameters.ts'
import { leaseDues } from '../state/lease-dues.ts'
import { getLease } from '../state/leases.ts'
import { getMiner } from '../state/miners.ts'
import { getModel, modelHashes, putModel } from '../state/models.ts'
import { isLive, type PlacementRecord, placements } from '../state/placements.ts'
import type { ReadState, WriteState } from '../state/state.ts'
import { drawAudits, endAudits } from './audits.ts'
import type { MarketEvent } from './events.ts'
import { endDueModels, type ModelChange } from './model-life.ts'
import { bidWithin, nextPrice, utilisation } from './price.ts'
import { awaitAudits, closeLease, settleLease } from './settle.ts'

export interface MarketBlockEnd {
  /** Of the block that ends. */
  readonly height: number
  /** In force in this block. */
  readonly parameters: Parameters
  /** Of the next block: what it draws, nobody knew when the last claims were made. */
  readonly seed: Hash
}

/** Returns what was settled, which audits ended and what became of models, in the order of it. */
export function endMarketBlock(state: WriteState, end: MarketBlockEnd): readonly MarketEvent[] {
  const events = [...endDueLeases(state, end), ...endAudits(state, end), ...endDueModels(state, end).map(modelEvent)]
  stepPrices(state, end)
  return events
}

export function modelEvent(change: ModelChange): MarketEvent {
  return { type: 'model', ...change }
}

/** Those that wait longest come first. */
function endDueLeases(state: WriteState, end: MarketBlockEnd): MarketEvent[] {
  const { height, parameters } = end
  const settled: MarketEvent[] = []
  let drawn = 0
  for (const id of dueLeases(state, height)) {
    if (drawn >= MARKET_LIMITS.auditsDrawnPerBlock) break
    const lease = getLease(state, id)
    assert(lease !== undefined, 'what is due is there')
    if (lease.status === 'open') {
      closeLease(state, id, height + Number(parameters.disputeBlocks))
      continue
    }
    const audits = drawAudits(state, id, end)
    drawn += audits
    if (audits > 0) awaitAudits(state, id, audits)
    else settled.push({ type: 'settled', ...settleLease(state, id) })
  }
  return settled
}

function dueLeases(state: ReadState, height: number): Hash[] {
  const due: Hash[] = []
  for (const { height: dueHeight, lease } of leaseDues(state)) {
    if (dueHeight > height || due.length === MARKET_LIMITS.dueLeasesPerBlock) break
    due.push(lease)
  }
  return due
}

/** Each model at blocks of its own, so that no block has to look at all placements. */
function stepPrices(state: WriteState, { height, parameters }: MarketBlockEnd): void {
  const interval = Number(parameters.priceBlocks)
  for (const model of [...modelHashes(state)]) {
    if ((height + phaseOf(model)) % interval === 0) stepPrice(state, model, { height, parameters })
  }
}

function phaseOf(model: Hash): number {
  return Number.parseInt(model.slice(0, 8), 16)
}

function stepPrice(state: WriteState, model: Hash, at: Pick<MarketBlockEnd, 'height' | 'parameters'>): void {
  const record = getModel(state, model)
  if (record?.status !== 'active') return
  const live = livePlacements(state, model, at.height)
  const use = utilisation(live, record.segments.length, bidWithin(record.price, at.parameters))
  const price = nextPrice(record.price, use, at.parameters)
  if (price !== record.price) putModel(state, model, { ...record, price })
}

function* livePlacements(state: ReadState, model: Hash, height: number): Iterable<PlacementRecord> {
  for (const [operator, placement] of placements(state, model)) {
    if (isLive(placement, getMiner(state, operator), height)) yield placement
  }
}
