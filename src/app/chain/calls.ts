/**
 * Calls of the contracts from what people type: the body, what it spends beside the fee, and what it says to the person who
 * confirms it. Knows no keys, fees or nodes. Spec: docs/spec/transactions.md.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { accountOfAddress, addressOfAccount } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { bond } from '../../core/transaction/bond.ts'
import { closeLease, requireOpenOf } from '../../core/transaction/close-lease.ts'
import type { Contract } from '../../core/transaction/contract.ts'
import { type OpenLease, openLease } from '../../core/transaction/open-lease.ts'
import { proposeParameters } from '../../core/transaction/propose-parameters.ts'
import { dllm, requireAmount } from '../../core/transaction/refusals.ts'
import {
  type RegisterValidator,
  registerValidator,
  validatorNameFault,
} from '../../core/transaction/register-validator.ts'
import { transfer } from '../../core/transaction/transfer.ts'
import { unbond } from '../../core/transaction/unbond.ts'
import { voteParameters } from '../../core/transaction/vote-parameters.ts'
import { parseDllm } from '../../core/units.ts'
import { ChainArgumentError, parseChanges, parseMemo, parseProposalNumber } from './arguments.ts'
import type { LeaseView } from './market-access.ts'

export interface ChainCall {
  readonly contract: Contract<unknown>
  readonly body: unknown
  /** Grains that leave the balance beside the fee. */
  readonly spends: bigint
  /** For the person who confirms it: a line that says what it does, then details. */
  readonly lines: readonly string[]
}

/** Whose call, where. */
export interface Caller {
  readonly kind: NetworkKind
  readonly id: AccountId
}

/** @throws AmountError, AddressError, TransactionError ZERO_AMOUNT, ChainArgumentError MEMO_TOO_LONG. */
export function transferCall(
  typed: { readonly amount: string; readonly address: string; readonly memo?: string | undefined },
  kind: NetworkKind,
): ChainCall {
  const amount = parseAmount(typed.amount)
  const to = accountOfAddress(typed.address, kind)
  const memo = parseMemo(typed.memo ?? '')
  const lines = [`Send ${dllm(amount)}`, `to      ${addressOfAccount(to, kind)}`]
  if (memo.length > 0) lines.push(`memo    ${JSON.stringify(typed.memo)}, which everybody can read`)
  return callOf(transfer, { to, amount, memo }, { spends: amount, lines })
}

/** What `stake bond` and `stake unbond` take; without an address: the sender's own validator. */
export interface TypedStake {
  readonly amount: string
  readonly validator?: string | undefined
}

/** @throws AmountError, AddressError, TransactionError ZERO_AMOUNT. */
export function bondCall(typed: TypedStake, caller: Caller): ChainCall {
  const body = stakeOf(typed, caller)
  const lines = [`Bond ${dllm(body.amount)}`, `to      ${addressOfAccount(body.validator, caller.kind)}`]
  return callOf(bond, body, { spends: body.amount, lines })
}

/** @throws AmountError, AddressError, TransactionError ZERO_AMOUNT. */
export function unbondCall(typed: TypedStake, caller: Caller, unbondingBlocks: string): ChainCall {
  const body = stakeOf(typed, caller)
  const lines = [
    `Unbond ${dllm(body.amount)}, which comes back after ${unbondingBlocks} blocks`,
    `from    ${addressOfAccount(body.validator, caller.kind)}`,
  ]
  return callOf(unbond, body, { spends: 0n, lines })
}

/** @throws ChainArgumentError VALIDATOR_NAME_BAD. */
export function registerCall(body: RegisterValidator): ChainCall {
  const fault = validatorNameFault(body.name)
  if (fault !== undefined) throw new ChainArgumentError('VALIDATOR_NAME_BAD', fault)
  return callOf(registerValidator, body, { spends: 0n, lines: [`Register the validator ${body.name}`] })
}

/** @throws ChainArgumentError PARAMETER_UNKNOWN, PARAMETER_CHANGE_BAD. `deposit`: grains, decimal. */
export function proposeCall(changes: readonly string[], deposit: string): ChainCall {
  const body = { changes: parseChanges(changes) }
  const spends = BigInt(deposit)
  const lines = [
    `Propose to change parameters, with a deposit of ${dllm(spends)}`,
    ...body.changes.map(({ name, value }) => `${name} = ${value}`),
  ]
  return callOf(proposeParameters, body, { spends, lines })
}

/** @throws ChainArgumentError PROPOSAL_NUMBER_BAD. */
export function voteCall(typed: { readonly proposal: string; readonly yes: boolean }): ChainCall {
  const body = { proposal: parseProposalNumber(typed.proposal), yes: typed.yes }
  return callOf(voteParameters, body, {
    spends: 0n,
    lines: [`Vote ${typed.yes ? 'yes' : 'no'} on proposal ${body.proposal}`],
  })
}

/** The cap leaves the balance until the lease is settled. */
export function openLeaseCall(body: OpenLease): ChainCall {
  const lines = ['Open a lease', `sets aside  ${dllm(body.cap)}`, `until       block ${body.expiryHeight}`]
  return callOf(openLease, body, { spends: body.cap, lines })
}

/** `disputeBlocks`: what the parameter of this name says. @throws TransactionError NOT_THE_PAYER, LEASE_CLOSED. */
export function closeLeaseCall(lease: LeaseView, { kind, id }: Caller, disputeBlocks: string): ChainCall {
  requireOpenOf(id, { payer: accountOfAddress(lease.payer, kind), status: lease.status })
  const lines = [
    'Close the lease',
    `lease   ${lease.id}`,
    `returns at most ${dllm(BigInt(lease.escrow))}, not before ${disputeBlocks} blocks have passed`,
  ]
  return callOf(closeLease, { lease: lease.id }, { spends: 0n, lines })
}

function stakeOf({ amount, validator }: TypedStake, { kind, id }: Caller): { validator: AccountId; amount: bigint } {
  const grains = parseAmount(amount)
  return { validator: validator === undefined ? id : accountOfAddress(validator, kind), amount: grains }
}

function parseAmount(text: string): bigint {
  const amount = parseDllm(text)
  requireAmount(amount)
  return amount
}

function callOf<Body>(contract: Contract<Body>, body: Body, more: Pick<ChainCall, 'spends' | 'lines'>): ChainCall {
  return { contract, body, ...more }
}
