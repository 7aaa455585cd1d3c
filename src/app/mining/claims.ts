/**
 * The duty that claims what vouchers promise, of all leases that the data folder has journals of: also those from before a restart. Journals of
 * settled leases are thrown away, since no audit can ask for them any more.
 * Spec: docs/spec/cli.md §10, docs/spec/market.md §5.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { codeOf } from '../../base/error.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import type { ChainAccess, HeadView } from '../chain/chain-access.ts'
import type { SettledLotView } from '../chain/earnings-access.ts'
import type { LeaseView } from '../chain/market-access.ts'
import type { ChainSender } from '../market/chain-sender.ts'
import type { LeaseDesk } from '../market/lease-desk.ts'
import type { OpenLease } from '../market/lease-source.ts'
import type { LotFolder } from '../market/lot-folder.ts'
import { claimCall } from './calls.ts'
import { claimedPay, claimStep, payReceipted } from './claim-rule.ts'
import type { Duty, MiningEvent, MiningNotes } from './duty.ts'
import { leaseText } from './job-words.ts'

export interface ClaimsParts {
  readonly chain: ChainAccess
  readonly sender: ChainSender
  readonly desk: LeaseDesk
  readonly lots: LotFolder
  readonly notes: MiningNotes
  /** The operator's address, and its peer's key in hexadecimal. */
  readonly own: { readonly operator: string; readonly peerKey: string }
  /** The lease as the ring uses it. */
  readonly leaseOf: (view: LeaseView, head: HeadView) => Promise<OpenLease>
  /** The parameter of this name. */
  readonly disputeBlocks: () => number
  /** Unix time. */
  readonly wallMs: () => number
}

/** What is remembered of a lease between two looks. */
interface Kept {
  /** Grains that were claimed when it was last seen. */
  claimed: bigint
  /** Height of our last claim, or of the opening. */
  since: number
  isTold: boolean
  /** Height of the next look. */
  next: number
  /** The model costs nothing. */
  readonly isFree: boolean
}

interface OwnLot {
  readonly view: LeaseView
  readonly index: number
}

/** Of a claim, in units; and what is tipped, in grains per unit. */
const CLAIM_UNITS = 60n
const TIP = 1n
/** Blocks between two looks at a lease that is open, and at one that is not any more; fewer where disputes are short. */
const OPEN_BLOCKS = 5
const CLOSED_BLOCKS = 20
/** Before the due height: two tries. */
const LAST_BLOCKS = 3
/** A newest block that is older is of a node that catches up, and may not know of a lease yet. */
const BEHIND_MS = 120_000

export function createClaims(parts: ClaimsParts): Duty {
  const { chain, lots, own, notes } = parts
  const known = new Map<Hash, Kept>()

  const settled = async (id: Hash, { timeMs }: HeadView, signal: AbortSignal): Promise<void> => {
    const settlement = await chain.market.settlement(id, signal)
    if (settlement === undefined && parts.wallMs() - timeMs > BEHIND_MS) return
    const isFree = known.get(id)?.isFree === true
    known.delete(id)
    await parts.desk.forget(id)
    const lot = settlement?.lots.find(({ operator }) => operator === own.operator)
    // Where the price is 0 nobody claims, and nothing is lost.
    if (lot !== undefined && !isFree) notes.say(paidEvent(id, lot))
  }
  const look = async (id: Hash, head: HeadView, signal: AbortSignal): Promise<void> => {
    if (head.height < (known.get(id)?.next ?? 0)) return
    const view = await leaseUnlessSettled(chain, id, signal)
    if (view === undefined) return settled(id, head, signal)
    const index = view.lots.findIndex(({ operator, peerKey }) => operator === own.operator && peerKey === own.peerKey)
    if (index < 0) return
    const kept = known.get(id) ?? {
      claimed: 0n,
      since: view.openedHeight,
      isTold: false,
      next: 0,
      isFree: view.terms.price === '0',
    }
    known.set(id, kept)
    kept.next = nextLook(view, head.height, parts.disputeBlocks())
    kept.claimed = claimedPay(view, view.lots[index]!)
    await claimOf(parts, { view, index }, { kept, head, signal }).catch((error: unknown) => {
      kept.next = 0
      throw error
    })
  }

  return {
    name: 'claims',
    async look(head, signal) {
      const failures: unknown[] = []
      // One that cannot be claimed keeps no other from it.
      for (const id of await lots.leases()) {
        await look(id, head, signal).catch((error: unknown) => failures.push(error))
      }
      if (failures.length > 0) throw failures[0]
    },
  }
}

async function claimOf(
  parts: ClaimsParts,
  { view, index }: OwnLot,
  { kept, head, signal }: { readonly kept: Kept; readonly head: HeadView; readonly signal: AbortSignal },
): Promise<void> {
  const { sender, desk, notes } = parts
  const lot = view.lots[index]!
  if (view.status === 'auditing') return
  const lease = await parts.leaseOf(view, head)
  const paid = await desk.paid(lease)
  if (paid === undefined) return
  // In an open lease the receipt that is being filled goes on.
  const closes = view.status !== 'open'
  const counted = closes ? { ...paid, receipted: paid.counters } : paid
  const gain = atLeastZero(payReceipted(view, lot, counted) - kept.claimed)
  const fee = CLAIM_UNITS * (BigInt(head.baseFee) + TIP)
  const { status, expiryHeight, dueHeight } = view
  const step = claimStep({ status, height: head.height, expiryHeight, dueHeight, gain, fee, since: kept.since })
  const details = { lease: view.id, lot: index, gain: String(gain), fee: String(fee) }
  if (step.type === 'too-little' && !kept.isTold) {
    kept.isTold = true
    const text = `${dllm(gain)} of ${leaseText(view.id)} stay unclaimed: the fee is ${dllm(fee)}.`
    notes.say({ type: 'state', text, details })
  }
  if (step.type !== 'claim') return
  const claim = await desk.claim(lease, closes)
  if (claim === undefined) return
  await sender.send(claimCall(claim, { lease: view.id, lot: index, voucherKey: hexToBytes(view.voucherKey) }), signal)
  kept.since = head.height
  kept.claimed += gain
  notes.say({ type: 'claimed', text: `Claimed ${dllm(gain)} for lot ${index + 1} of ${leaseText(view.id)}.`, details })
}

async function leaseUnlessSettled(chain: ChainAccess, id: Hash, signal: AbortSignal): Promise<LeaseView | undefined> {
  try {
    return await chain.market.lease(id, signal)
  } catch (error) {
    if (codeOf(error) === 'NO_SUCH_LEASE') return undefined
    throw error
  }
}

/** Before the time to claim is over there is a last look. */
function nextLook({ status, dueHeight }: LeaseView, height: number, disputeBlocks: number): number {
  const often = status === 'open' ? OPEN_BLOCKS : CLOSED_BLOCKS
  const next = height + Math.max(1, Math.min(often, Math.floor(disputeBlocks / 4)))
  const last = dueHeight - LAST_BLOCKS
  if (status !== 'closing') return next
  return height < last ? Math.min(next, last) : height + 1
}

function paidEvent(id: Hash, { state, pay, payout }: SettledLotView): MiningEvent {
  const details = { lease: id, grains: pay, state }
  if (state === 'faulted') {
    return { type: 'job-unpaid', text: `Nothing is paid for ${leaseText(id)}: audits found it at fault.`, details }
  }
  if (pay === '0')
    return { type: 'job-unpaid', text: `${leaseText(id)} has ended, and nothing was claimed of it.`, details }
  return { type: 'paid', text: `Paid ${dllm(BigInt(pay))} for ${leaseText(id)}, to ${payout}.`, details }
}

function atLeastZero(grains: bigint): bigint {
  return grains > 0n ? grains : 0n
}
