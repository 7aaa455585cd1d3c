/**
 * What a simulated miner, payer or auditor has to do next, seen from one state: register, place, claim, commit, open, reveal, each in its
 * own manner. Changes nothing and draws nothing.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../src/base/brand.ts'
import type { Chain } from '../../src/core/chain.ts'
import type { KeyPair } from '../../src/core/ed25519.ts'
import { hashOf } from '../../src/core/fields.ts'
import { taggedHash } from '../../src/core/hash.ts'
import { weightedRows } from '../../src/core/market/charge.ts'
import { receiptDigest, receiptHash } from '../../src/core/market/receipt.ts'
import { proveReceipt } from '../../src/core/market/receipt-tree.ts'
import { verdictCommitment } from '../../src/core/market/verdict.ts'
import { voucherDigest } from '../../src/core/market/voucher.ts'
import {
  type AuditId,
  type Auditor,
  type AuditRecord,
  auditIdBytes,
  auditKey,
  audits,
} from '../../src/core/state/audits.ts'
import { type LeaseRecord, leases } from '../../src/core/state/leases.ts'
import { getMiner } from '../../src/core/state/miners.ts'
import { getPlacement } from '../../src/core/state/placements.ts'
import type { Person } from '../chain-accounts.ts'
import {
  claimedReceipts,
  countersOf,
  coverOf,
  findingFor,
  type LotWork,
  outDigest,
  receiptsOf,
  rootOf,
  saltOf,
} from './lease-work.ts'
import { type Miner, MODELS, peerClaim, type Traders } from './traders.ts'

export interface Duty {
  /** Of what is to be done; the same while it is not done. */
  readonly name: string
  readonly by: Person
  readonly type: number
  readonly body: unknown
}

/** Where duties are looked for. */
export interface Watch {
  readonly chain: Chain
  readonly traders: Traders
  readonly sign: (pair: KeyPair, message: Uint8Array) => Uint8Array
}

/** In an order that hangs on the state alone. */
export function dutiesOf(watch: Watch): Duty[] {
  const { chain, traders } = watch
  const all = [...leases(chain.state)]
  const byId = new Map(all)
  return [
    ...traders.miners.flatMap((miner) => servingDuties(watch, miner)),
    ...all.flatMap(([id, lease]) => claimDuties(watch, id, lease)),
    ...[...audits(chain.state)].flatMap(([id, audit]) => auditDuties(watch, { id, audit, lease: byId.get(id.lease)! })),
  ]
}

/** Whoever has left stays away; others are registered and placed over everything or a half. */
function servingDuties({ chain }: Watch, miner: Miner): Duty[] {
  const { person: by, payout, deposit } = miner
  const { state, networkId, parameters } = chain
  const height = chain.header.height + 1
  const record = getMiner(state, by.id)
  if (record === undefined) {
    if (height > 6) return []
    const body = { payout, device: 'cpu', deposit, ...peerClaim(networkId, miner) }
    return [{ name: `register ${by.id}`, by, type: 10, body }]
  }
  if (record.status !== 'active') return []
  // The second model has few miners, or none.
  return MODELS.slice(0, by.id < '5' ? 2 : 1).flatMap(({ model, segments }, index): Duty[] => {
    const placement = getPlacement(state, { model, operator: by.id })
    if (placement !== undefined && placement.until > height + 3) return []
    const half = segments.length / 2
    const runs = [[0, half] as const, [half, segments.length] as const]
    const [first, end] = runs[(by.id.charCodeAt(0) + index) % 5] ?? [0, segments.length]
    const until = height + Number(parameters.placementBlocks)
    const own = { bid: BigInt(by.id.charCodeAt(1) % 4), until, incarnation: 0n, displaces: height % 2 === 0 }
    return [{ name: `place ${by.id} ${model}`, by, type: 12, body: { model, first, end, slots: 3, ...own } }]
  })
}

/** Claims of what is done by now: more with every block, all when the lease has ended. */
function claimDuties(watch: Watch, id: Hash, lease: LeaseRecord): Duty[] {
  if (lease.status === 'auditing') return []
  const height = watch.chain.header.height + 1
  const counters = countersOf(id, lease)
  const done = lease.status === 'closing' ? counters.length : Math.min(counters.length, height - lease.openedHeight)
  const now = counters[done - 1]
  if (now === undefined) return []
  const rows = Number(weightedRows(now, lease.terms.decodeWeight))
  return lease.lots.flatMap(({ operator, rows: claimed }, lot): Duty[] => {
    const miner = minerOf(watch, operator)
    if (miner === undefined || claimed >= rows) return []
    const root = rootOf(receiptsOf(workOf(miner, { id, lease, lot })).slice(0, done))
    const body = { lease: id, shown: voucherOf(watch, { id, lease, done }), lot, rows, root }
    return [{ name: `claim ${id} ${lot} ${rows}`, by: miner.person, type: 15, body }]
  })
}

/** The payer's word for the first windows; undefined: its payer is nobody that trades. */
export function voucherOf(
  { chain, traders, sign }: Watch,
  { id, lease, done }: { readonly id: Hash; readonly lease: LeaseRecord; readonly done: number },
): unknown {
  const payer = traders.payers.find((one) => one.id === lease.payer)
  if (payer === undefined) return undefined
  const keys = payer.consensus
  const voucher = { lease: id, seq: BigInt(done), counters: countersOf(id, lease)[done - 1]!, transcript: id }
  return {
    key: keys.publicKey,
    voucher: { ...voucher, signature: sign(keys, voucherDigest(chain.networkId, voucher)) },
  }
}

interface OpenAudit {
  readonly id: AuditId
  readonly audit: AuditRecord
  readonly lease: LeaseRecord
}

function auditDuties(watch: Watch, open: OpenAudit): Duty[] {
  const { id, audit, lease } = open
  const miner = minerOf(watch, lease.lots[id.lot]!.operator)
  if (miner === undefined) return []
  const isCommitting = watch.chain.header.height + 1 <= audit.commitHeight
  const duties = audit.auditors.flatMap((auditor) => {
    const own = minerOf(watch, auditor.operator)
    if (own === undefined) return []
    return isCommitting ? commitDuty(open, { miner, own, auditor }) : revealDuty(open, { miner, own, auditor })
  })
  return isCommitting || audit.opening !== undefined ? duties : [...duties, ...openDuty(watch, open, miner)]
}

interface Asked {
  /** Of the lot. */
  readonly miner: Miner
  /** Who is asked. */
  readonly own: Miner
  readonly auditor: Auditor
}

function commitDuty({ id, audit, lease }: OpenAudit, { miner, own, auditor }: Asked): Duty[] {
  const { person: by, manner } = own
  if (auditor.commitment !== undefined || manner === 'sleep') return []
  const finding = findingOf({ id, audit, lease }, miner, manner === 'lie')
  const copied = audit.auditors.find(({ commitment }) => commitment !== undefined)?.commitment
  const verdict = { finding, salt: verdictSalt(id, by.id) }
  const commitment = manner === 'copy' && copied !== undefined ? copied : verdictCommitment(id, by.id, verdict)
  return [{ name: `commit ${auditKey(id)} ${by.id}`, by, type: 16, body: { audit: id, commitment } }]
}

function revealDuty(open: OpenAudit, { miner, own, auditor }: Asked): Duty[] {
  const { person: by, manner } = own
  const { id } = open
  if (auditor.commitment === undefined || auditor.finding !== undefined || manner === 'fall-silent') return []
  const finding = findingOf(open, miner, manner === 'lie')
  const body = { audit: id, finding, salt: verdictSalt(id, by.id) }
  return [{ name: `reveal ${auditKey(id)} ${by.id}`, by, type: 18, body }]
}

function openDuty({ chain, sign }: Watch, { id, audit, lease }: OpenAudit, miner: Miner): Duty[] {
  const { person: by, peer, manner } = miner
  if (manner === 'hide') return []
  const work = workOf(miner, { id: id.lease, lease, lot: id.lot })
  const receipts = claimedReceipts(work)
  const receipt = receipts && coverOf(receipts, audit.row, lease)
  if (receipts === undefined || receipt === undefined) return []
  const body = {
    ...{ audit: id, peerKey: peer.publicKey },
    receipt: { ...receipt, signature: sign(peer, receiptDigest(chain.networkId, receipt)) },
    ...{ outDigest: outDigest(work, receipt.window), salt: saltOf({ ...id, window: receipt.window }) },
    proof: proveReceipt(receipts.map(receiptHash), receipt.window),
  }
  return [{ name: `open ${auditKey(id)}`, by, type: 17, body }]
}

/** Who audits gets the inputs from the miner, and with them the counters of the window. */
function findingOf({ id, audit, lease }: OpenAudit, miner: Miner, isLie: boolean): Hash {
  const work = workOf(miner, { id: id.lease, lease, lot: id.lot })
  return findingFor(work, coverOf(receiptsOf(work), audit.row, lease)!, isLie)
}

function workOf(
  { manner }: Miner,
  { id, lease, lot }: { readonly id: Hash; readonly lease: LeaseRecord; readonly lot: number },
): LotWork {
  return { lease: id, record: lease, lot, isNoise: manner === 'cheat' }
}

function minerOf({ traders }: Watch, operator: AccountId): Miner | undefined {
  return traders.miners.find(({ person }) => person.id === operator)
}

function verdictSalt(id: AuditId, auditor: AccountId): Hash {
  return hashOf(taggedHash('simulated/verdict-salt', auditIdBytes(id), hexToBytes(auditor)))
}
