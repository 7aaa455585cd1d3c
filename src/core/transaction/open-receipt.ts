/**
 * Open-receipt: the miner of an audited lot shows the receipt that covers the audited row, and what it had hidden in it. It must be
 * under the root that the miner claimed before anybody knew what would be audited. Spec: docs/spec/transactions.md §18.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import type { Hash } from '../../base/brand.ts'
import { MARKET_LIMITS } from '../../base/chain-limits.ts'
import type { Reader, Writer } from '../../base/codec.ts'
import { type InclusionProof, writeInclusionProof } from '../block/transactions-root.ts'
import { PUBLIC_KEY_BYTES } from '../ed25519.ts'
import { readHash, writeHash } from '../fields.ts'
import { weightedRows } from '../market/charge.ts'
import { recede } from '../market/counters.ts'
import {
  findingOf,
  isReceiptOf,
  outCommitmentOf,
  type Receipt,
  readSignedReceipt,
  receiptHash,
  type SignedReceipt,
  writeSignedReceipt,
} from '../market/receipt.ts'
import { isReceiptIncluded, readReceiptProof } from '../market/receipt-tree.ts'
import { unitsOf } from '../market/work.ts'
import { type AuditId, type AuditRecord, type Opening, putAudit, readAuditId, writeAuditId } from '../state/audits.ts'
import type { LeaseRecord, LotRecord } from '../state/leases.ts'
import { hasPeerKey } from '../state/miners.ts'
import { getModel } from '../state/models.ts'
import type { ReadState } from '../state/state.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { requireAudit, requireLease, requireMiner, requireRevealing } from './refusals.ts'

export interface OpenReceipt {
  readonly audit: AuditId
  /** That signed the receipt, 32 bytes: the signature is checked without a look at the state. */
  readonly peerKey: Uint8Array
  readonly receipt: SignedReceipt
  /** Of what went out. */
  readonly outDigest: Hash
  /** Of the receipt's commitment. */
  readonly salt: Hash
  /** That the receipt is under the lot's root. */
  readonly proof: InclusionProof
}

export const openReceipt: Contract<OpenReceipt> = {
  type: 17,
  name: 'open-receipt',
  read: readCall,
  write: writeCall,
  units: () => 100,
  inspect({ audit, receipt, outDigest, salt }) {
    if (receipt.lease !== audit.lease || receipt.lot !== audit.lot) throw badOpening('The receipt is of another lot.')
    if (recede(receipt.before, receipt.after)) throw badOpening('The counters of the receipt fall.')
    if (outCommitmentOf(outDigest, salt) === receipt.outCommitment) return
    throw badOpening('The receipt was made for another digest and salt.')
  },
  validate({ sender, body }, state, { height }) {
    const audit = requireAudit(state, body.audit)
    const { lease, lot } = lotOf(state, body.audit)
    if (lot.operator !== sender) {
      const sentence = 'This audit is of a lot of another account: only its own miner opens a receipt.'
      throw new TransactionError('NOT_A_LOT_OF_YOURS', sentence)
    }
    requireRevealing(audit, height)
    if (audit.opening !== undefined) {
      throw new TransactionError('ALREADY_OPENED', 'The receipt of this audit is open already.')
    }
    requireCover(body.receipt, { audit, lease, context: BigInt(getModel(state, lease.model)?.context ?? 0) })
    if (!isReceiptIncluded(lot.root, receiptHash(body.receipt), body.proof)) {
      throw badOpening('The receipt is not under the root that was claimed.')
    }
    if (hasPeerKey(requireMiner(state, sender), body.peerKey)) return
    throw badOpening('The receipt is signed by another key than that of the miner.')
  },
  prove({ body: { peerKey, receipt } }, context) {
    if (!isReceiptOf(peerKey, receipt, context)) throw badOpening('The signature of the receipt is not valid.')
  },
  apply({ body }, state) {
    const audit = requireAudit(state, body.audit)
    putAudit(state, body.audit, { ...audit, opening: openingOf(body, lotOf(state, body.audit)) })
  },
  describe: ({ audit, peerKey, receipt, outDigest, salt }) => ({
    ...audit,
    ...{ peerKey: bytesToHex(peerKey), outDigest, salt },
    ...{ receipt: receiptHash(receipt), window: receipt.window, milliseconds: receipt.milliseconds },
  }),
  touches: () => [],
}

/** The window has the audited row in it, and no more work than its rows can have. */
function requireCover(
  { before, after }: Receipt,
  { audit, lease, context }: { readonly audit: AuditRecord; readonly lease: LeaseRecord; readonly context: bigint },
): void {
  const [begin, end] = [before, after].map((counters) => weightedRows(counters, lease.terms.decodeWeight)) as [
    bigint,
    bigint,
  ]
  const row = BigInt(audit.row)
  if (begin > row || end <= row) {
    throw badOpening(`The receipt covers rows ${begin} to ${end}, and row ${row} is audited.`)
  }
  const isTooLong = end - begin > BigInt(MARKET_LIMITS.windowRowsMax)
  const isTooFar =
    after.promptPositions - before.promptPositions > (after.promptRows - before.promptRows) * context ||
    after.decodePositions - before.decodePositions > (after.decodeRows - before.decodeRows) * context
  if (isTooLong || isTooFar) throw badOpening('The receipt is of more work than a window can have.')
}

function openingOf(
  { receipt, outDigest }: OpenReceipt,
  { lease, lot }: { readonly lease: LeaseRecord; readonly lot: LotRecord },
): Opening {
  const { before, after, milliseconds } = receipt
  const { decodeWeight } = lease.terms
  const units = unitsOf([lot.work], after, decodeWeight) - unitsOf([lot.work], before, decodeWeight)
  const rows = Number(weightedRows(after, decodeWeight) - weightedRows(before, decodeWeight))
  return { finding: findingOf(receipt, outDigest), units, rows, milliseconds }
}

function lotOf(state: ReadState, audit: AuditId): { readonly lease: LeaseRecord; readonly lot: LotRecord } {
  const lease = requireLease(state, audit.lease)
  const lot = lease.lots[audit.lot]
  assert(lot !== undefined, 'an audit is of a lot of its lease')
  return { lease, lot }
}

function badOpening(sentence: string): TransactionError {
  return new TransactionError('BAD_OPENING', `${sentence} Open the receipt that covers the audited row.`)
}

function readCall(reader: Reader): OpenReceipt {
  return {
    audit: readAuditId(reader),
    peerKey: reader.raw(PUBLIC_KEY_BYTES),
    receipt: readSignedReceipt(reader),
    outDigest: readHash(reader),
    salt: readHash(reader),
    proof: readReceiptProof(reader),
  }
}

function writeCall(writer: Writer, { audit, peerKey, receipt, outDigest, salt, proof }: OpenReceipt): void {
  writeSignedReceipt(writeAuditId(writer, audit).raw(peerKey), receipt)
  writeInclusionProof(writeHash(writeHash(writer, outDigest), salt), proof)
}
