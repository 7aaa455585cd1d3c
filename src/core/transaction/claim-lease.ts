/**
 * Claim-lease: a miner says which part of a lease it served, with the voucher that pays for it and the root of its receipts. Claims
 * come in any order and give one state: of vouchers the greatest counts, of a lot's claims that with the most rows.
 * Spec: docs/spec/transactions.md §16.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import type { AccountId, Hash } from '../../base/brand.ts'
import type { Reader, Writer } from '../../base/codec.ts'
import { PUBLIC_KEY_BYTES } from '../ed25519.ts'
import { readHash, writeHash } from '../fields.ts'
import { chargeOf, outweighs, weightedRows } from '../market/charge.ts'
import { isVoucherOf, readSignedVoucher, type SignedVoucher, writeSignedVoucher } from '../market/voucher.ts'
import { type LeaseRecord, type LotRecord, putLease } from '../state/leases.ts'
import type { Contract } from './contract.ts'
import { TransactionError } from './contract.ts'
import { dllm, requireLease } from './refusals.ts'

/** A voucher with the key that signed it: the signature is checked without a look at the state. */
export interface ShownVoucher {
  /** 32 bytes. */
  readonly key: Uint8Array
  readonly voucher: SignedVoucher
}

export interface ClaimLease {
  readonly lease: Hash
  /** None: another miner of the lease shows it. */
  readonly shown: ShownVoucher | undefined
  readonly lot: number
  /** Weighted rows that the receipts cover, from the first of the lease on. */
  readonly rows: number
  /** Over the receipts. */
  readonly root: Hash
}

export const claimLease: Contract<ClaimLease> = {
  type: 15,
  name: 'claim-lease',
  read: readCall,
  write: writeCall,
  units: () => 60,
  inspect({ lease, shown }) {
    if (shown === undefined || shown.voucher.lease === lease) return
    throw new TransactionError('VOUCHER_OF_ANOTHER_LEASE', 'The voucher is of another lease. Claim that one with it.')
  },
  validate({ sender, body }, state, { height }) {
    const lease = requireLease(state, body.lease)
    requireClaimable(lease, height)
    requireOwnLot(lease, body, sender)
    requireVoucher(lease, body)
    requireRows(lease, body)
  },
  prove({ body: { shown } }, context) {
    if (shown === undefined || isVoucherOf(shown.key, shown.voucher, context)) return
    throw badSignature('The signature of the voucher is not valid for its key and this network.')
  },
  apply({ body }, state) {
    const lease = requireLease(state, body.lease)
    const lots = lease.lots.map((lot, index) => (index === body.lot ? claimed(lot, body) : lot))
    putLease(state, body.lease, { ...lease, ...paymentAfter(lease, body), lots })
  },
  describe: ({ lease, shown, lot, rows, root }) => ({
    ...{ lease, lot, rows, root },
    voucher: shown === undefined ? null : describeVoucher(shown),
  }),
  touches: () => [],
}

/** What is due is drawn with a seed that is known in its block: nothing may be claimed in it. */
function requireClaimable({ status, dueHeight }: LeaseRecord, height: number): void {
  if (status === 'open' || (status === 'closing' && height < dueHeight)) return
  throw new TransactionError('LEASE_CLOSED', 'The time to claim is over: nothing more can be claimed of this lease.')
}

function requireOwnLot({ lots }: LeaseRecord, { lot }: ClaimLease, sender: AccountId): void {
  if (lots[lot]?.operator === sender) return
  throw new TransactionError(
    'NOT_A_LOT_OF_YOURS',
    `Lot ${lot + 1} of this lease is not of this account. Claim your own.`,
  )
}

function requireVoucher(lease: LeaseRecord, { shown }: ClaimLease): void {
  if (shown === undefined) return
  if (!shown.key.every((byte, index) => byte === lease.voucherKey[index])) {
    throw badSignature('The voucher is signed by another key than that of the lease.')
  }
  const charge = chargeOf(lease, shown.voucher.counters)
  if (charge <= lease.cap) return
  const sentence = `The voucher is for work of ${dllm(charge)}, and the lease may cost ${dllm(lease.cap)}. Claim with an earlier one.`
  throw new TransactionError('VOUCHER_ABOVE_CAP', sentence, { details: { charge: String(charge) } })
}

/** Against the voucher shown here too, so that it does not matter whose is kept. */
function requireRows({ counters, terms }: LeaseRecord, { shown, rows }: ClaimLease): void {
  const paid = [counters, shown?.voucher.counters ?? counters].map((each) => weightedRows(each, terms.decodeWeight))
  if (paid.some((each) => BigInt(rows) <= each)) return
  const sentence = `The claim is of ${rows} weighted rows, and vouchers pay for fewer. Claim with the last voucher.`
  throw new TransactionError('TOO_MANY_ROWS', sentence, { details: { rows } })
}

function claimed(lot: LotRecord, { rows, root }: ClaimLease): LotRecord {
  const isMore = lot.state === 'unclaimed' || rows > lot.rows || (rows === lot.rows && root > lot.root)
  return isMore ? { ...lot, rows, root, state: 'claimed' } : lot
}

function paymentAfter(lease: LeaseRecord, { shown }: ClaimLease): Pick<LeaseRecord, 'seq' | 'counters' | 'transcript'> {
  const { seq, counters, transcript } =
    shown !== undefined && outweighs(lease, shown.voucher, lease) ? shown.voucher : lease
  return { seq, counters, transcript }
}

function badSignature(sentence: string): TransactionError {
  return new TransactionError('BAD_VOUCHER_SIGNATURE', `${sentence} Claim with a voucher that the client signed.`)
}

function readCall(reader: Reader): ClaimLease {
  return {
    lease: readHash(reader),
    shown: reader.flag() ? { key: reader.raw(PUBLIC_KEY_BYTES), voucher: readSignedVoucher(reader) } : undefined,
    lot: reader.u8(),
    rows: reader.u32(),
    root: readHash(reader),
  }
}

function writeCall(writer: Writer, { lease, shown, lot, rows, root }: ClaimLease): void {
  writeHash(writer, lease).u8(shown === undefined ? 0 : 1)
  if (shown !== undefined) writeSignedVoucher(writer.raw(shown.key), shown.voucher)
  writeHash(writer.u8(lot).u32(rows), root)
}

function describeVoucher({
  key,
  voucher: { seq, counters, transcript },
}: ShownVoucher): Readonly<Record<string, unknown>> {
  const named = Object.entries(counters).map(([name, value]) => [name, String(value)] as const)
  return { key: bytesToHex(key), seq: String(seq), ...Object.fromEntries(named), transcript }
}
