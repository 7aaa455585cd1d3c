/**
 * Senders in whose transactions a proof was false. A proof of possession costs a pairing and a false one pays nothing: who sent one waits,
 * so that an account costs a node one look per pause, and the transaction itself is refused unseen however often it comes again.
 * Spec: docs/spec/chain.md §9.
 * @module
 */
import type { AccountId, Hash } from '../base/brand.ts'
import { MEMPOOL_LIMITS } from '../base/chain-limits.ts'
import { MempoolError } from './mempool-error.ts'
import { checkProofs, type OpenTransaction } from './transaction/check.ts'
import { type ContractContext, TransactionError } from './transaction/contract.ts'

export interface BadProofs {
  /**
   * Before a transaction's proofs are looked at. @throws TransactionError what was found when it came before; MempoolError
   * MEMPOOL_BAD_PROOF when another one of its sender had a false proof lately.
   */
  check(open: OpenTransaction, height: number): void
  /** Looks at the proofs. @throws TransactionError, which is remembered; the oldest is forgotten when there are too many. */
  prove(open: OpenTransaction, context: ContractContext): void
  /** `prove` without the throw. */
  holds(open: OpenTransaction, context: ContractContext): boolean
}

interface Noted {
  readonly id: Hash
  readonly found: TransactionError
  readonly untilHeight: number
}

export function createBadProofs(): BadProofs {
  // In the order of noting.
  const noted = new Map<AccountId, Noted>()
  const note = ({ transaction: { sender, id } }: OpenTransaction, found: TransactionError, height: number): void => {
    noted.delete(sender)
    noted.set(sender, { id, found, untilHeight: height + MEMPOOL_LIMITS.badProofBlocks })
    if (noted.size <= MEMPOOL_LIMITS.badProofsMax) return
    const [oldest] = noted.keys()
    if (oldest !== undefined) noted.delete(oldest)
  }
  const prove = (open: OpenTransaction, context: ContractContext): void => {
    try {
      checkProofs(open, context)
    } catch (error) {
      if (error instanceof TransactionError) note(open, error, context.height)
      throw error
    }
  }
  return {
    check({ contract, transaction }, height) {
      if (contract.prove === undefined) return
      const last = noted.get(transaction.sender)
      if (last === undefined) return
      if (last.id === transaction.id) throw last.found
      if (height >= last.untilHeight) return
      const message = `A proof in an earlier transaction of this account was false. Send the right one from block ${last.untilHeight} on.`
      throw new MempoolError('MEMPOOL_BAD_PROOF', message, { details: { height: last.untilHeight } })
    },
    prove,
    holds(open, context) {
      try {
        prove(open, context)
        return true
      } catch (error) {
        if (error instanceof TransactionError) return false
        throw error
      }
    },
  }
}
