/**
 * From two messages of one validator that contradict each other to the transaction that reports it. Signed with the
 * operator key, whose account pays the fee. Spec: docs/spec/transactions.md §6.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { Writer } from '../../base/codec.ts'
import type { Place } from '../../core/block/place.ts'
import type { Chain } from '../../core/chain.ts'
import type { Effect, Message } from '../../core/consensus/replica-port.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { accountOf } from '../../core/fields.ts'
import { getAccount } from '../../core/state/accounts.ts'
import {
  type DoubleSign,
  REPORT_UNITS,
  type ReportDoubleSign,
  reportDoubleSign,
} from '../../core/transaction/report-double-sign.ts'
import { signTransaction } from '../../core/transaction/transaction.ts'

/** Pays for a block that is four times as dear as this one. */
const FEE_FACTOR = 4n

/** The signed transaction; undefined when the two do not go together or who signed is not known any more. */
export function reportOf(
  { voter, first, second }: Effect & { type: 'evidence' },
  { chain, operator }: { readonly chain: Chain; readonly operator: KeyPair },
): Uint8Array | undefined {
  const conflict = conflictOf(first, second)
  const { height, set, lastSet } = chain.place()
  const signers = conflict?.first.height === height ? set : lastSet
  const consensusKey = signers?.members[voter]?.consensusKey
  if (conflict === undefined || consensusKey === undefined) return undefined
  const writer = new Writer(512)
  const body: ReportDoubleSign = { ...conflict, consensusKey }
  reportDoubleSign.write(writer, body)
  const { baseFee } = chain.place()
  const draft = {
    ...{ type: reportDoubleSign.type, maxFee: baseFee * FEE_FACTOR, tip: 0n, body: writer.finish() },
    nonce: chain.mempool.nextNonce(accountOf(operator.publicKey)),
  }
  return signTransaction(chain.networkId, draft, operator)
}

/** The account that pays for reports, and what one takes; undefined when it has enough. */
export interface ReportShortage {
  readonly account: AccountId
  /** Grains. */
  readonly balance: bigint
  /** Grains, at most, at the price of now. */
  readonly needed: bigint
}

/** Whether the operator's account could pay for a report now. */
export function reportShortage(
  { state, baseFee }: Pick<Place, 'state' | 'baseFee'>,
  operator: KeyPair,
): ReportShortage | undefined {
  const account = accountOf(operator.publicKey)
  const { balance } = getAccount(state, account)
  const needed = BigInt(REPORT_UNITS) * baseFee * FEE_FACTOR
  return balance < needed ? { account, balance, needed } : undefined
}

function conflictOf(first: Message, second: Message): DoubleSign | undefined {
  if (first.type === 'vote' && second.type === 'vote') return { kind: 'votes', first: first.vote, second: second.vote }
  if (first.type === 'proposal' && second.type === 'proposal') {
    return { kind: 'proposals', first: first.proposal, second: second.proposal }
  }
  return undefined
}
