/**
 * Whether a transaction may stand where it stands, and what it changes. Cheapest check first; the parts are separate, because
 * signatures are checked once per node while the state changes with every block. A transaction that passed all of them on a state
 * can be applied to that state. Knows no contract by name. Spec: docs/spec/chain.md §3.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import { CodecError } from '../../base/codec.ts'
import type { FastAcceptance } from '../ed25519.ts'
import { getAccount, putAccount } from '../state/accounts.ts'
import { burn, move } from '../state/money.ts'
import type { ReadState, WriteState } from '../state/state.ts'
import { decodeRecord } from '../state/tables.ts'
import { type Call, type Contract, type ContractContext, TransactionError } from './contract.ts'
import { contractOf } from './contracts.ts'
import { insufficientFunds } from './refusals.ts'
import { hasValidSignature, networkTagOf, type Transaction } from './transaction.ts'

/** The block in which a transaction stands. */
export interface TransactionContext extends ContractContext {
  /** Grains per unit. */
  readonly baseFee: bigint
  /** Who gets the tips. */
  readonly proposer: AccountId
}

/** A transaction whose body is read. */
export interface OpenTransaction {
  readonly transaction: Transaction
  readonly contract: Contract<unknown>
  readonly body: unknown
  /** Work of applying it. */
  readonly units: number
  /** The proofs in the body were checked here before. */
  readonly isProven?: boolean
}

/** What a transaction pays at a base fee, in grains. */
export interface Fee {
  readonly burnt: bigint
  /** To the proposer. */
  readonly tip: bigint
}

/**
 * All checks on one state. @throws TransactionError with the first code that applies.
 */
export function checkTransaction(
  transaction: Transaction,
  state: ReadState,
  context: TransactionContext,
): OpenTransaction {
  const open = openTransaction(transaction, context)
  checkSignature(transaction, context)
  checkOnState(open, state, context)
  return open
}

/**
 * Reads the body; checks network, size and type, which no state but a vote on parameters changes.
 * @throws TransactionError WRONG_NETWORK, TRANSACTION_TOO_LARGE, UNKNOWN_TYPE, BAD_BODY.
 */
export function openTransaction(
  transaction: Transaction,
  { networkId, parameters }: Pick<ContractContext, 'networkId' | 'parameters'>,
): OpenTransaction {
  if (transaction.networkTag !== networkTagOf(networkId)) {
    const sentence = 'The transaction was signed for another network. Choose the network and sign it again.'
    throw new TransactionError('WRONG_NETWORK', sentence)
  }
  if (BigInt(transaction.byteLength) > parameters.transactionBytesMax) {
    const sentence = `The transaction has ${transaction.byteLength} bytes and may have ${parameters.transactionBytesMax}. Make it smaller.`
    throw new TransactionError('TRANSACTION_TOO_LARGE', sentence)
  }
  const contract = contractOf(transaction.type)
  if (contract === undefined) {
    const sentence = `This program knows no transactions of type ${transaction.type}. Update dllm.`
    throw new TransactionError('UNKNOWN_TYPE', sentence, { details: { type: transaction.type } })
  }
  const body = readBody(contract, transaction.body)
  return { transaction, contract, body, units: contract.units(body) }
}

/** @throws TransactionError BAD_SIGNATURE unless the sender signed it for this network. */
export function checkSignature(
  transaction: Transaction,
  { networkId, accepts }: { readonly networkId: Hash; readonly accepts?: FastAcceptance | undefined },
): void {
  if (hasValidSignature(transaction, networkId, accepts)) return
  const sentence = 'The signature of the transaction is not valid. Sign it again with the key of the account.'
  throw new TransactionError('BAD_SIGNATURE', sentence, { details: { id: transaction.id } })
}

/**
 * Nonce, fee, funds, and then what the contract says, proofs in the body included if they were not checked before; not the signature.
 * @throws TransactionError NONCE_TOO_LOW, NONCE_TOO_HIGH, FEE_BELOW_BASE, INSUFFICIENT_FUNDS, and those of contracts.
 */
export function checkOnState(open: OpenTransaction, state: ReadState, context: TransactionContext): void {
  checkStanding(open, state, context)
  if (!open.isProven) checkProofs(open, context)
}

/** What the body alone shows. @throws TransactionError of its contract. */
export function inspectBody({ contract, body }: OpenTransaction): void {
  contract.inspect?.(body)
}

/** The proofs in the body, which no state changes. @throws TransactionError of its contract. */
export function checkProofs(
  { transaction: { sender }, contract, body }: OpenTransaction,
  context: Pick<ContractContext, 'networkId' | 'accepts'>,
): void {
  contract.prove?.({ sender, body }, context)
}

/** `checkOnState` without proofs. @throws TransactionError. */
export function checkStanding(open: OpenTransaction, state: ReadState, context: TransactionContext): void {
  const { nonce, balance } = getAccount(state, open.transaction.sender)
  checkNonce(open.transaction.nonce, nonce)
  const { burnt, tip } = feeOf(open, context.baseFee)
  const spendable = balance - burnt - tip
  if (spendable < 0n) throw insufficientFunds(-spendable)
  inspectBody(open)
  open.contract.validate(callOf(open, { spendable, burntFee: burnt }), state, context)
}

/** @throws TransactionError FEE_BELOW_BASE. */
export function feeOf({ transaction: { maxFee, tip }, units }: OpenTransaction, baseFee: bigint): Fee {
  if (maxFee < baseFee) {
    const sentence = `The transaction offers ${maxFee} grains per unit and the base fee is ${baseFee}. Offer at least that, or wait.`
    throw new TransactionError('FEE_BELOW_BASE', sentence, {
      details: { maxFee: String(maxFee), baseFee: String(baseFee) },
    })
  }
  const room = maxFee - baseFee
  return { burnt: BigInt(units) * baseFee, tip: BigInt(units) * (tip < room ? tip : room) }
}

/** Carries out a transaction that `checkTransaction` accepted on this very state. Returns what it paid. */
export function applyTransaction(open: OpenTransaction, state: WriteState, context: TransactionContext): Fee {
  const { sender, nonce } = open.transaction
  const fee = feeOf(open, context.baseFee)
  const from = { type: 'account', id: sender } as const
  burn(state, from, fee.burnt)
  move(state, { amount: fee.tip, from, to: { type: 'account', id: context.proposer } })
  const account = getAccount(state, sender)
  assert(account.nonce === nonce, 'the transaction was checked on this state')
  putAccount(state, sender, { ...account, nonce: nonce + 1n })
  open.contract.apply(callOf(open, { spendable: account.balance, burntFee: fee.burnt }), state, context)
  return fee
}

function callOf(
  { transaction: { sender, nonce }, body }: OpenTransaction,
  amounts: Pick<Call<unknown>, 'spendable' | 'burntFee'>,
): Call<unknown> {
  return { sender, nonce, body, ...amounts }
}

function readBody(contract: Contract<unknown>, bytes: Uint8Array): unknown {
  try {
    return decodeRecord(bytes, (reader) => contract.read(reader))
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause
    const sentence = `The body of the ${contract.name} transaction cannot be read: ${cause.message}`
    throw new TransactionError('BAD_BODY', sentence, { cause })
  }
}

function checkNonce(found: bigint, expected: bigint): void {
  if (found === expected) return
  const details = { found: String(found), expected: String(expected) }
  if (found < expected) {
    const sentence = `The account used nonce ${found} already; the next is ${expected}. The transaction may be in a block: look before sending it again.`
    throw new TransactionError('NONCE_TOO_LOW', sentence, { details })
  }
  const sentence = `The next nonce of the account is ${expected}, not ${found}. Send the transactions before it first.`
  throw new TransactionError('NONCE_TOO_HIGH', sentence, { details })
}
