/**
 * The calls that a miner makes by itself. Knows no keys, fees or nodes. Spec: docs/spec/transactions.md §11–§13, §16, §21.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { type ClaimLease, claimLease } from '../../core/transaction/claim-lease.ts'
import type { Contract } from '../../core/transaction/contract.ts'
import { type Place, place } from '../../core/transaction/place.ts'
import { dllm } from '../../core/transaction/refusals.ts'
import { type RegisterMiner, registerMiner } from '../../core/transaction/register-miner.ts'
import { reportCanary } from '../../core/transaction/report-canary.ts'
import { withdrawDeposit } from '../../core/transaction/withdraw-deposit.ts'
import type { ChainCall } from '../chain/calls.ts'
import { segmentsText } from '../chain/text-parts.ts'
import type { LotClaim } from '../market/lease-account.ts'

export function registerMinerCall(body: RegisterMiner): ChainCall {
  return callOf(registerMiner, body, {
    spends: body.deposit,
    lines: [`Register as a miner, deposit ${dllm(body.deposit)}`],
  })
}

export function placeCall(body: Place): ChainCall {
  const what = body.slots === 0 ? 'End the placement' : `Serve ${segmentsText(body.first, body.end)}`
  return callOf(place, body, { spends: 0n, lines: [what] })
}

/** Ends whatever placement the model has of the sender. */
export function endPlacementCall(model: Hash, incarnation: bigint): ChainCall {
  return placeCall({ model, first: 0, end: 0, slots: 0, bid: 0n, until: 0, incarnation, displaces: false })
}

/** `voucherKey`: the lease's, 32 bytes. */
export function claimCall(
  claim: LotClaim,
  { lease, lot, voucherKey }: { readonly lease: Hash; readonly lot: number; readonly voucherKey: Uint8Array },
): ChainCall {
  const { voucher, rows, root } = claim
  const body: ClaimLease = { lease, shown: { key: voucherKey, voucher }, lot, rows: Number(rows), root }
  return callOf(claimLease, body, { spends: 0n, lines: [`Claim lot ${lot + 1}`, `lease   ${lease}`] })
}

/** What this machine made of the canary of an approved model. */
export function reportCanaryCall(model: Hash, passed: boolean): ChainCall {
  const what = passed ? 'passed' : 'failed'
  return callOf(reportCanary, { model, passed }, { spends: 0n, lines: [`The canary ${what}`, `model   ${model}`] })
}

export function withdrawCall(amount: bigint): ChainCall {
  return callOf(withdrawDeposit, { amount }, { spends: 0n, lines: [`Withdraw ${dllm(amount)} of the deposit`] })
}

function callOf<Body>(contract: Contract<Body>, body: Body, more: Pick<ChainCall, 'spends' | 'lines'>): ChainCall {
  return { contract, body, ...more }
}
