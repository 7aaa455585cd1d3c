/**
 * Why a transaction is not taken to wait, and what that says of the peer that sent it. Spec: docs/spec/chain.md §9.
 * @module
 */
import { CodecError } from '../base/codec.ts'
import { HouseError } from '../base/error.ts'
import { type TransactionCode, TransactionError } from './transaction/contract.ts'

export class MempoolError extends HouseError<
  | 'MEMPOOL_KNOWN'
  | 'MEMPOOL_NONCE_TOO_FAR'
  | 'MEMPOOL_REPLACEMENT_TOO_CHEAP'
  | 'MEMPOOL_UNPAYABLE'
  | 'MEMPOOL_FULL'
  | 'MEMPOOL_BAD_PROOF'
> {}

/** accept: pass it on. ignore: do not, but nobody did wrong. reject: who sent it did not check it. */
export type Verdict = 'accept' | 'ignore' | 'reject'

/** What is wrong with these is wrong in every state. Anything else may come of a state newer or older than ours. */
const WRONG_EVERYWHERE: ReadonlySet<TransactionCode> = new Set<TransactionCode>([
  'WRONG_NETWORK',
  'UNKNOWN_TYPE',
  'BAD_BODY',
  'BAD_SIGNATURE',
  'ZERO_AMOUNT',
  'BAD_NAME',
  'BAD_CONSENSUS_PROOF',
  'BAD_SEED_PROOF',
  'NO_CONFLICT',
  'BAD_EVIDENCE_SIGNATURE',
  'NO_CHANGES',
  'PARAMETER_FIXED',
  'BAD_CONTEXT',
  'BAD_SEGMENTS',
  'BAD_CANARY',
  'BAD_PEER_PROOF',
])

/** The verdict on a transaction that `add` refused. Other errors are bugs and are thrown on. */
export function verdictOf(error: unknown): Verdict {
  if (error instanceof CodecError) return 'reject'
  if (error instanceof MempoolError) return 'ignore'
  if (error instanceof TransactionError) return WRONG_EVERYWHERE.has(error.code) ? 'reject' : 'ignore'
  throw error
}
