/**
 * By what the transactions of a stored block are found: for forgetting a block with everything that leads to it.
 * @module
 */
import type { Steps } from '../../base/steps.ts'
import { decodeBlock } from '../../core/block/block.ts'
import { decodeRecord } from '../../core/state/tables.ts'
import { contractOf } from '../../core/transaction/contracts.ts'
import { decodeTransaction } from '../../core/transaction/transaction.ts'
import type { IndexedTransaction } from './node-store.ts'

/** Of a block that was valid; a transaction per step. */
export function* indexOfBlock(bytes: Uint8Array): Steps<IndexedTransaction[]> {
  const found: IndexedTransaction[] = []
  for (const encoded of decodeBlock(bytes).transactions) {
    const { id, sender, type, body } = decodeTransaction(encoded)
    const contract = contractOf(type)
    const touched = contract?.touches(decodeRecord(body, (reader) => contract.read(reader))) ?? []
    found.push({ id, accounts: [...new Set([sender, ...touched])] })
    yield
  }
  return found
}
