/**
 * The receipts of a lot as its miner claimed them: those under the root on the chain, which may be fewer than the journal has. Of the leases that were
 * asked about last they stay in memory: many auditors ask at once.
 * Spec: docs/spec/market.md §5, §9.3.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { InclusionProof } from '../../core/block/transactions-root.ts'
import { weightedRows } from '../../core/market/charge.ts'
import { receiptHash } from '../../core/market/receipt.ts'
import { createGrowingReceipts, proveReceipt } from '../../core/market/receipt-tree.ts'
import type { LeaseView } from '../chain/market-access.ts'
import type { KeptReceipt } from '../market/lot-entry.ts'
import type { LotFolder } from '../market/lot-folder.ts'

export interface CoveringReceipt extends KeptReceipt {
  readonly proof: InclusionProof
  /** All up to this one, in their order. */
  readonly upTo: readonly KeptReceipt[]
}

export interface ClaimedReceipts {
  /**
   * The receipt that covers a weighted row of our lot, which has the number `lot` in the lease; undefined where the journal does not have
   * what was claimed. @throws StoreError, CodecError.
   */
  covering(lease: LeaseView, at: { readonly lot: number; readonly row: number }): Promise<CoveringReceipt | undefined>
}

/** Leases whose receipts stay in memory. */
const LEASES_MAX = 8

interface Claimed {
  readonly receipts: readonly KeptReceipt[]
  /** Of each of them. */
  readonly hashes: readonly Hash[]
}

export function createClaimedReceipts(lots: Pick<LotFolder, 'read'>): ClaimedReceipts {
  const known = new Map<string, Promise<Claimed | undefined>>()

  const claimed = (lease: LeaseView, lot: number): Promise<Claimed | undefined> => {
    const { root, rows } = lease.lots[lot]!
    const key = `${lease.id} ${root}`
    const found = known.get(key) ?? readClaimed(lots, lease, { root, rows: BigInt(rows) })
    known.delete(key)
    known.set(key, found)
    found.catch(() => known.delete(key))
    if (known.size > LEASES_MAX) known.delete(known.keys().next().value!)
    return found
  }

  return {
    async covering(lease, { lot, row }) {
      const found = await claimed(lease, lot)
      if (found === undefined) return undefined
      const { receipts, hashes } = found
      const decodeWeight = BigInt(lease.terms.decodeWeight)
      const index = receipts.findIndex(({ receipt }) => weightedRows(receipt.after, decodeWeight) > BigInt(row))
      const kept = receipts[index]
      if (kept === undefined) return undefined
      const proof = proveReceipt(hashes, index)
      return { ...kept, proof, upTo: receipts.slice(0, index + 1) }
    },
  }
}

/** The journal's receipts up to so many rows, if they have this root. */
async function readClaimed(
  lots: Pick<LotFolder, 'read'>,
  { id, terms }: LeaseView,
  { root, rows }: { readonly root: Hash; readonly rows: bigint },
): Promise<Claimed | undefined> {
  const receipts: KeptReceipt[] = []
  const hashes: Hash[] = []
  // Hashed as they are read: of a long lease all at once would hold everything up.
  const tree = createGrowingReceipts()
  for await (const entry of lots.read(id)) {
    for (const kept of entry.receipts) {
      receipts.push(kept)
      hashes.push(receiptHash(kept.receipt))
      tree.append(hashes.at(-1)!)
      if (weightedRows(kept.receipt.after, BigInt(terms.decodeWeight)) < rows) continue
      return tree.root === root ? { receipts, hashes } : undefined
    }
  }
  return undefined
}
