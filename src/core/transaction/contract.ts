/**
 * The one interface of native contracts. A contract is a transaction type: its body, what it costs, when it is valid, what it
 * changes, what can be asked of it and what must always hold. Adding one is one file and one line in contracts.ts.
 * Spec: docs/spec/chain.md §3.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import type { Reader, Writer } from '../../base/codec.ts'
import { HouseError } from '../../base/error.ts'
import type { FastAcceptance } from '../ed25519.ts'
import type { Parameters } from '../parameters.ts'
import type { ReadState, WriteState } from '../state/state.ts'

/** docs/spec/transactions.md says which transaction is refused with which. */
export type TransactionCode =
  | 'WRONG_NETWORK'
  | 'TRANSACTION_TOO_LARGE'
  | 'UNKNOWN_TYPE'
  | 'BAD_BODY'
  | 'BAD_SIGNATURE'
  | 'NONCE_TOO_LOW'
  | 'NONCE_TOO_HIGH'
  | 'FEE_BELOW_BASE'
  | 'INSUFFICIENT_FUNDS'
  | 'ZERO_AMOUNT'
  | 'NO_SUCH_VALIDATOR'
  | 'VALIDATOR_TOMBSTONED'
  | 'BOND_TOO_SMALL'
  | 'BONDS_FULL'
  | 'NO_SUCH_BOND'
  | 'UNBOND_TOO_MUCH'
  | 'JUST_PUNISHED'
  | 'BAD_NAME'
  | 'ALREADY_A_VALIDATOR'
  | 'CONSENSUS_KEY_USED'
  | 'BAD_CONSENSUS_PROOF'
  | 'BAD_SEED_PROOF'
  | 'NO_CONFLICT'
  | 'UNKNOWN_CONSENSUS_KEY'
  | 'ALREADY_PUNISHED'
  | 'EVIDENCE_TOO_OLD'
  | 'EVIDENCE_FROM_FUTURE'
  | 'BAD_EVIDENCE_SIGNATURE'
  | 'NO_CHANGES'
  | 'PROPOSALS_FULL'
  | 'PARAMETER_FIXED'
  | 'PARAMETER_OUT_OF_BOUNDS'
  | 'NO_SUCH_PROPOSAL'
  | 'VOTE_ENDED'
  | 'NOTHING_BONDED'
  | 'BAD_CONTEXT'
  | 'BAD_SEGMENTS'
  | 'MODEL_EXISTS'
  | 'MODELS_FULL'
  | 'PRICE_OUT_OF_BOUNDS'
  | 'NO_SUCH_MODEL'
  | 'MODEL_RETIRED'
  | 'NOT_THE_PUBLISHER'
  | 'MINER_SLASHED_OUT'
  | 'PEER_KEY_USED'
  | 'PEER_KEY_CHANGED'
  | 'DEPOSIT_TOO_SMALL'
  | 'BAD_PEER_PROOF'
  | 'NO_SUCH_MINER'
  | 'DEPOSIT_LOCKED'
  | 'NO_SUCH_PLACEMENT'
  | 'STALE_INCARNATION'
  | 'BAD_RUN'
  | 'ALREADY_PAST'
  | 'TOO_LONG_AHEAD'
  | 'BID_ABOVE_PRICE_MAX'
  | 'PLACEMENTS_FULL'
  | 'NO_SUCH_MODEL'
  | 'MODEL_RETIRED'
  | 'TOO_LONG_AHEAD'
  | 'ALREADY_PAST'
  | 'BAD_CUTS'
  | 'BAD_AVOID'
  | 'PRICE_ABOVE_MAX'
  | 'NO_MINER'
  | 'LEASES_FULL'
  | 'NO_SUCH_LEASE'
  | 'NOT_THE_PAYER'
  | 'LEASE_CLOSED'
  | 'NOT_A_LOT_OF_YOURS'
  | 'VOUCHER_OF_ANOTHER_LEASE'
  | 'BAD_VOUCHER_SIGNATURE'
  | 'VOUCHER_ABOVE_CAP'
  | 'TOO_MANY_ROWS'
  | 'NO_SUCH_AUDIT'
  | 'NOT_AN_AUDITOR'
  | 'WRONG_PHASE'
  | 'ALREADY_COMMITTED'
  | 'NO_COMMITMENT'
  | 'ALREADY_REVEALED'
  | 'ALREADY_OPENED'
  | 'BAD_OPENING'
  | 'BAD_REVEAL'
  | 'BAD_CANARY'
  | 'PREDECESSOR_NOT_ACTIVE'
  | 'MODEL_ACTIVE'
  | 'MODEL_APPROVED'
  | 'MODEL_NOT_ACTIVE'
  | 'MODEL_NOT_APPROVED'
  | 'MODEL_SUPERSEDED'
  | 'ACTIVATION_TOO_SOON'
  | 'NO_CANARY'
  | 'REPORTS_FULL'

/** Why a transaction is refused; the sentence says what the sender can do. */
export class TransactionError extends HouseError<TransactionCode> {}

/** Where and when a contract runs. */
export interface ContractContext {
  readonly networkId: Hash
  /** Of the block in which it runs. */
  readonly height: number
  readonly parameters: Parameters
  /** Checks Ed25519 signatures inside bodies faster; see core/ed25519.ts. */
  readonly accepts?: FastAcceptance | undefined
}

/** A call: whose, and what the sender can still spend when the fee is set aside. */
export interface Call<Body> {
  readonly sender: AccountId
  /** Of the transaction. */
  readonly nonce: bigint
  readonly body: Body
  /** Grains. */
  readonly spendable: bigint
  /** Grains of its fee that are burnt. */
  readonly burntFee: bigint
}

export interface Contract<Body> {
  /** Number in the envelope. */
  readonly type: number
  /** Words with dashes, as in `dllm chain tx`. */
  readonly name: string
  read(reader: Reader): Body
  write(writer: Writer, body: Body): void
  /** Work of applying it; prices it. */
  units(body: Body): number
  /** What the body alone shows to be wrong, in every state. Cheap. @throws TransactionError. */
  inspect?(body: Body): void
  /** After `inspect`. Returns if `apply` may run, but for `prove`. @throws TransactionError. Changes nothing. */
  validate(call: Call<Body>, state: ReadState, context: ContractContext): void
  /**
   * After `validate`: signatures in the body, the dear part of the checks. Hangs on sender, body and network alone, so that what
   * passed once passes ever after. @throws TransactionError.
   */
  prove?(call: Pick<Call<Body>, 'sender' | 'body'>, context: Pick<ContractContext, 'networkId' | 'accepts'>): void
  /** Changes the state. Only after the three above on the same state: it cannot fail. */
  apply(call: Call<Body>, state: WriteState, context: ContractContext): void
  /** The body for people and JSON; amounts as decimal strings of grains. */
  describe(body: Body): Readonly<Record<string, unknown>>
  /** Accounts beside the sender that it touches, for histories. */
  touches(body: Body): readonly AccountId[]
  /** Accounts that `describe` names beside those: shown as addresses, and no part of their histories. */
  names?(body: Body): readonly AccountId[]
}
