/**
 * The newest voucher of each lease, on disk before it is used: a client that starts again signs none with a lower number. One file per lease to
 * which vouchers are added; when it is long, the newest takes the place of all.
 * Spec: docs/spec/market.md §9.2.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { Reader, Writer } from '../../base/codec.ts'
import { readSignedVoucher, type SignedVoucher, writeSignedVoucher } from '../../core/market/voucher.ts'
import { VOUCHER_BYTES } from '../../net/protocols/stage-open.ts'
import type { Disk } from '../store/disk.ts'
import { encodeRecord, readRecords } from './record-file.ts'

export interface VoucherStore {
  /** The newest one that was kept. @throws StoreError. */
  newest(lease: Hash): Promise<SignedVoucher | undefined>
  /** There for good when it resolves. One at a time for a lease. @throws StoreError. */
  keep(voucher: SignedVoucher): Promise<void>
  /** The lease is settled. */
  forget(lease: Hash): Promise<void>
}

/** Some hundred vouchers. */
const FILE_BYTES_MAX = 64 * 1024

export function encodeVoucher(voucher: SignedVoucher): Uint8Array {
  return writeSignedVoucher(new Writer(VOUCHER_BYTES), voucher).finish()
}

/** @throws CodecError. */
export function decodeVoucher(bytes: Uint8Array): SignedVoucher {
  const reader = new Reader(bytes)
  const voucher = readSignedVoucher(reader)
  reader.finish()
  return voucher
}

/** Over a disk of its own: files are named by their leases. */
export function createVoucherStore(disk: Disk): VoucherStore {
  /** Bytes of each file that ends with a whole record. */
  const lengths = new Map<Hash, number>()

  const newest = async (lease: Hash): Promise<SignedVoucher | undefined> => {
    const bytes = await disk.read(lease)
    if (bytes === undefined) return undefined
    const { records, length } = readRecords(bytes)
    if (length < bytes.length) await disk.truncate(lease, length)
    lengths.set(lease, length)
    const last = records.at(-1)
    return last === undefined ? undefined : decodeVoucher(last)
  }

  return {
    newest,
    async keep(voucher) {
      const { lease } = voucher
      if (!lengths.has(lease)) await newest(lease)
      const record = encodeRecord(encodeVoucher(voucher))
      const length = lengths.get(lease) ?? 0
      if (length + record.length > FILE_BYTES_MAX) {
        await disk.replace(lease, record)
        lengths.set(lease, record.length)
      } else {
        await disk.append(lease, record, { sync: true })
        lengths.set(lease, length + record.length)
      }
    },
    async forget(lease) {
      lengths.delete(lease)
      await disk.remove(lease)
    },
  }
}
