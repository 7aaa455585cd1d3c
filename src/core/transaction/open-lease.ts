/**
 * Open-lease: a payer sets grains aside for a ring, and the auction names its miners. Spec: docs/spec/transactions.md §14.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import type { Reader } from '../../base/codec.ts'
import { PUBLIC_KEY_BYTES } from '../ed25519.ts'
import { readAccount, readCount, readHash, writeAccount, writeCount, writeHash } from '../fields.ts'
import {
  openLease as keepLease,
  type LeasePlan,
  type LeaseRequest,
  type OpeningContext,
  planLease,
  termsOf,
} from '../market/open.ts'
import { type LotRecord, leaseIdOf, openLeases } from '../state/leases.ts'
import type { ModelRecord } from '../state/models.ts'
import type { ReadState } from '../state/state.ts'
import type { Call, Contract, ContractContext } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireActiveModel, requireFunds } from './refusals.ts'

export interface OpenLease {
  /** Hash of the manifest. */
  readonly model: Hash
  /** Ed25519, 32 bytes: will sign the vouchers. */
  readonly voucherKey: Uint8Array
  /** Segments at which lots begin, rising, after 0. */
  readonly cuts: readonly number[]
  /** Operators that are neither to serve nor to stand by, rising. */
  readonly avoid: readonly AccountId[]
  /** Rows that miners are ranked by. */
  readonly rows: number
  /** Grains that it may cost, at most: set aside. */
  readonly cap: bigint
  /** Grains per compute unit: refused when the price is above. */
  readonly priceMax: bigint
  /** The last block in which it is open. */
  readonly expiryHeight: number
}

/**
 * Plans of calls that were validated, for `apply`, which follows on the same state: the auction is most of the work, and is done once.
 * Nothing that it looks at changes between the two.
 */
const validated = new WeakMap<OpenLease, { readonly state: ReadState; readonly plan: LeasePlan }>()

export const openLease: Contract<OpenLease> = {
  type: 13,
  name: 'open-lease',
  read: readCall,
  write(writer, { model, voucherKey, cuts, avoid, rows, cap, priceMax, expiryHeight }) {
    writeHash(writer, model)
      .raw(voucherKey)
      .list(cuts, (inner, cut) => inner.u16(cut))
      .list(avoid, writeAccount)
    writeCount(writer.u32(rows).u64(cap).u64(priceMax), expiryHeight)
  },
  // The auction looks at up to a thousand placements, and at each of them for every lot that it covers.
  units: ({ cuts, avoid }) => 400 + 25 * cuts.length + 2 * avoid.length,
  inspect: requireShape,
  validate(call, state, context) {
    const { body } = call
    const record = requireActiveModel(state, body.model)
    requireCutsWithin(body, record)
    requirePrice(body, record)
    requireHeight(body, context)
    requireFunds(call, body.cap)
    requireRoom(call, state)
    // Last, because it looks at all placements of the model.
    const plan = planOf(call, { state, record }, context)
    if (!plan.ok) throw noMiner(plan.lot)
    validated.set(body, { state, plan })
  },
  apply(call, state, context) {
    const { sender: payer, nonce, body } = call
    const { model, voucherKey, cap, expiryHeight } = body
    const record = requireActiveModel(state, model)
    const kept = validated.get(body)
    const plan = kept?.state === state ? kept.plan : planOf(call, { state, record }, context)
    validated.delete(body)
    if (!plan.ok) throw noMiner(plan.lot)
    keepLease(state, leaseIdOf(context.networkId, payer, nonce), {
      ...{ payer, model, voucherKey, cap, expiryHeight, openedHeight: context.height },
      ...{ terms: termsOf(record.price, context.parameters), lots: plan.lots },
    })
  },
  describe: ({ model, voucherKey, cuts, avoid, rows, cap, priceMax, expiryHeight }) => ({
    ...{ model, voucherKey: bytesToHex(voucherKey), cuts, avoid, rows },
    ...{ cap: String(cap), priceMax: String(priceMax), expiryHeight },
  }),
  touches: () => [],
  names: ({ avoid }) => avoid,
}

/**
 * The lots that a lease would have if it were opened now, and the model; funds and terms are not looked at.
 * @throws TransactionError ZERO_AMOUNT, BAD_CUTS, BAD_AVOID, NO_SUCH_MODEL, MODEL_RETIRED, MODEL_SUPERSEDED, MODEL_NOT_ACTIVE, NO_MINER.
 */
export function quoteLots(
  state: ReadState,
  request: LeaseRequest,
  context: OpeningContext,
): { readonly record: ModelRecord; readonly lots: readonly LotRecord[] } {
  requireShape(request)
  const record = requireActiveModel(state, request.model)
  requireCutsWithin(request, record)
  const plan = planLease(state, { request, record }, context)
  if (!plan.ok) throw noMiner(plan.lot)
  return { record, lots: plan.lots }
}

function readCall(reader: Reader): OpenLease {
  return {
    model: readHash(reader),
    voucherKey: reader.raw(PUBLIC_KEY_BYTES),
    cuts: reader.list(MARKET_LIMITS.leaseLotsMax - 1, (inner) => inner.u16()),
    avoid: reader.list(MARKET_LIMITS.leaseAvoidMax, readAccount),
    rows: reader.u32(),
    cap: reader.u64(),
    priceMax: reader.u64(),
    expiryHeight: readCount(reader),
  }
}

function planOf(
  { sender, nonce, body }: Pick<Call<OpenLease>, 'sender' | 'nonce' | 'body'>,
  { state, record }: { readonly state: ReadState; readonly record: ModelRecord },
  context: ContractContext,
): LeasePlan {
  const leaseId = leaseIdOf(context.networkId, sender, nonce)
  const { model, cuts, avoid, rows } = body
  return planLease(state, { request: { leaseId, model, cuts, avoid, rows }, record }, context)
}

function requireShape({ cuts, avoid, rows }: Pick<LeaseRequest, 'cuts' | 'avoid' | 'rows'>): void {
  if (rows === 0) {
    throw new TransactionError('ZERO_AMOUNT', 'The lease is for no rows. Say how many there will be, about.')
  }
  if (!cuts.every((cut, index) => cut > (cuts[index - 1] ?? 0))) {
    throw new TransactionError('BAD_CUTS', 'Cuts name rising segments, and not the first one of the model. Sort them.')
  }
  if (avoid.every((operator, index) => operator > (avoid[index - 1] ?? ''))) return
  const sentence =
    'Operators to avoid are named once each, in the order of their ids. Sort them, and leave out the second of two.'
  throw new TransactionError('BAD_AVOID', sentence)
}

function requireCutsWithin({ cuts }: Pick<LeaseRequest, 'cuts'>, { segments }: ModelRecord): void {
  if ((cuts.at(-1) ?? 0) < segments.length) return
  const sentence = `The model has ${segments.length} segments: no lot can begin behind the last one. Choose other cuts.`
  throw new TransactionError('BAD_CUTS', sentence, { details: { segments: segments.length } })
}

function requirePrice({ cap, priceMax }: OpenLease, { price }: ModelRecord): void {
  if (cap === 0n && price > 0n) {
    throw new TransactionError('ZERO_AMOUNT', 'The lease may cost nothing and work has a price. Set something aside.')
  }
  if (price <= priceMax) return
  const sentence = `A compute unit costs ${price} grains now, more than the ${priceMax} that you would pay. Offer that much, or wait.`
  throw new TransactionError('PRICE_ABOVE_MAX', sentence, { details: { price: String(price) } })
}

function requireHeight({ expiryHeight }: OpenLease, { height, parameters }: ContractContext): void {
  if (expiryHeight <= height) {
    const sentence = `The lease would end at block ${expiryHeight}, and this is block ${height}. Choose a later end.`
    throw new TransactionError('ALREADY_PAST', sentence)
  }
  const last = height + Number(parameters.leaseBlocksMax)
  if (expiryHeight <= last) return
  const sentence = `A lease lasts ${parameters.leaseBlocksMax} blocks at most: now until block ${last}. Choose an earlier end.`
  throw new TransactionError('TOO_LONG_AHEAD', sentence, { details: { last } })
}

function requireRoom({ sender }: { readonly sender: AccountId }, state: ReadState): void {
  const { leasesPerAccountMax } = MARKET_LIMITS
  let open = 0
  for (const _ of openLeases(state, sender)) open++
  if (open < leasesPerAccountMax) return
  const sentence = `The account has ${open} open leases, as many as it can have. Close one that is not needed.`
  throw new TransactionError('LEASES_FULL', sentence, { details: { open } })
}

function noMiner(lot: number): TransactionError {
  const sentence = `Nobody who has a free slot and enough of a deposit serves lot ${lot + 1} for the price of now. Choose other cuts, or try again in a few blocks.`
  return new TransactionError('NO_MINER', sentence, { details: { lot } })
}
