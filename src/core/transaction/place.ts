/**
 * Place: a miner says which segments of a model it serves, how often at once, for how much and until when; renews that, or ends it. Where a model
 * has as many placements as there can be, one with the lowest deposit makes room for a miner who asks for that and has more.
 * Spec: docs/spec/transactions.md §13.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import { readCount, readHash, writeCount, writeHash } from '../fields.ts'
import type { MinerRecord } from '../state/miners.ts'
import type { ModelRecord } from '../state/models.ts'
import { getPlacement, type PlacementRecord, putPlacement } from '../state/placements.ts'
import { endPlacements, type Room, roomForPlacement } from '../state/registry.ts'
import type { ReadState } from '../state/state.ts'
import type { Contract, ContractContext } from './contract.ts'
import { TransactionError } from './contract.ts'
import { dllm, requireMiner, requireModel, requireServingMiner } from './refusals.ts'

/** Without slots: ends the placement. */
export interface Place extends Omit<PlacementRecord, 'used'> {
  /** Hash of the manifest. */
  readonly model: Hash
  /** Whether one with a lower deposit is to go where there is no room; it costs more, because all of them are compared. */
  readonly displaces: boolean
}

const UNITS = 60
/** Each placement and its miner's deposit are read, twice. */
const COMPARING_UNITS = 220

export const place: Contract<Place> = {
  type: 12,
  name: 'place',
  read: (reader) => ({
    model: readHash(reader),
    first: reader.u16(),
    end: reader.u16(),
    slots: reader.u16(),
    bid: reader.u64(),
    until: readCount(reader),
    incarnation: reader.u64(),
    displaces: reader.flag(),
  }),
  write(writer, { model, first, end, slots, bid, until, incarnation, displaces }) {
    writeHash(writer, model).u16(first).u16(end).u16(slots).u64(bid)
    writeCount(writer, until)
      .u64(incarnation)
      .u8(displaces ? 1 : 0)
  },
  units: ({ displaces }) => UNITS + (displaces ? COMPARING_UNITS : 0),
  validate({ sender, body }, state, context) {
    requireMiner(state, sender)
    const before = getPlacement(state, { model: body.model, operator: sender })
    if (before === undefined && body.slots === 0) {
      const sentence = 'There is no placement of this account to end. Give at least one slot to make one.'
      throw new TransactionError('NO_SUCH_PLACEMENT', sentence)
    }
    if (before !== undefined && body.incarnation < before.incarnation) {
      const sentence = `A later start of this miner, ${before.incarnation}, placed itself already. Stop the other program.`
      throw new TransactionError('STALE_INCARNATION', sentence)
    }
    if (body.slots === 0) return
    const miner = requireServingMiner(state, sender, context)
    checkRun(body, requirePlaceable(state, body.model).segments.length)
    checkTerms(body, context)
    if (hasPlace(before)) return
    const room = roomOf(state, { body, miner, height: context.height })
    if (room.type === 'full') throw placementsFull(room.lowest, miner)
  },
  apply({ sender, body }, state, { height }) {
    const { model, displaces: _, ...terms } = body
    const id = { model, operator: sender }
    const before = getPlacement(state, id)
    if (!hasPlace(before) && body.slots > 0) {
      const room = roomOf(state, { body, miner: requireMiner(state, sender), height })
      if (room.type === 'room') endPlacements(state, model, room.goes)
    }
    // What is ended keeps its run and its bid: lots of it may be open.
    if (terms.slots > 0) putPlacement(state, id, { ...terms, used: before?.used ?? 0 })
    else if (before !== undefined) putPlacement(state, id, { ...before, slots: 0, incarnation: terms.incarnation })
  },
  describe: ({ model, first, end, slots, bid, until, incarnation, displaces }) => ({
    ...{ model, first, end, slots, until, displaces },
    ...{ bid: String(bid), incarnation: String(incarnation) },
  }),
  touches: () => [],
}

/** One that is leaving takes none. */
function hasPlace(before: PlacementRecord | undefined): boolean {
  return before !== undefined && before.slots > 0
}

function roomOf(
  state: ReadState,
  { body, miner, height }: { readonly body: Place; readonly miner: MinerRecord; readonly height: number },
): Room {
  return roomForPlacement(state, body.model, { height, deposit: body.displaces ? miner.deposit : 0n })
}

/** `lowest`: deposit of the placement that gives way to a larger one. */
function placementsFull(lowest: bigint, { deposit }: MinerRecord): TransactionError {
  const many = `${MARKET_LIMITS.placementsPerModelMax} miners serve this model already, as many as can`
  const advice =
    deposit > lowest
      ? 'Ask for its place: this deposit is larger.'
      : `This one is ${dllm(deposit)}: add to it, or serve another model.`
  const sentence = `${many}. One with a deposit of ${dllm(lowest)} gives way to a larger one. ${advice}`
  return new TransactionError('PLACEMENTS_FULL', sentence, { details: { lowest: String(lowest) } })
}

/** A superseded one is: without placements nobody could audit its last leases, and a vote may bring it back. */
function requirePlaceable(state: ReadState, model: Hash): ModelRecord {
  const record = requireModel(state, model)
  if (record.status !== 'published') return record
  const sentence =
    'This model waits for a vote, and nobody serves it before it is approved. `dllm model status` shows the vote.'
  throw new TransactionError('MODEL_NOT_APPROVED', sentence, { details: { model, status: record.status } })
}

function checkRun({ first, end }: Place, segments: number): void {
  if (first < end && end <= segments) return
  const sentence = `A run of this model begins at a segment from 0 to ${segments - 1} and ends after it, at ${segments} at most.`
  throw new TransactionError('BAD_RUN', sentence)
}

function checkTerms(
  { bid, until }: Place,
  { height, parameters: { placementBlocks, priceMax } }: ContractContext,
): void {
  if (until < height) {
    throw new TransactionError('ALREADY_PAST', `The placement would have ended at height ${until}. This is ${height}.`)
  }
  const last = BigInt(height) + placementBlocks
  if (BigInt(until) > last) {
    const sentence = `A placement is for ${placementBlocks} blocks at most, here until height ${last}. Renew it in time.`
    throw new TransactionError('TOO_LONG_AHEAD', sentence)
  }
  if (bid > priceMax) {
    const sentence = `A bid is at most ${priceMax} grains per compute unit, the highest price that there can be.`
    throw new TransactionError('BID_ABOVE_PRICE_MAX', sentence)
  }
}
