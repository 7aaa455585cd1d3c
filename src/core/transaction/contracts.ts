/**
 * All contracts. Adding one is one file and one line here. Spec: docs/spec/chain.md §3.
 * @module
 */
import { bond } from './bond.ts'
import { claimLease } from './claim-lease.ts'
import { closeLease } from './close-lease.ts'
import { commitVerdict } from './commit-verdict.ts'
import type { Contract } from './contract.ts'
import { openLease } from './open-lease.ts'
import { openReceipt } from './open-receipt.ts'
import { place } from './place.ts'
import { proposeModel } from './propose-model.ts'
import { proposeParameters } from './propose-parameters.ts'
import { registerMiner } from './register-miner.ts'
import { registerModel } from './register-model.ts'
import { registerValidator } from './register-validator.ts'
import { reportCanary } from './report-canary.ts'
import { reportDoubleSign } from './report-double-sign.ts'
import { retireModel } from './retire-model.ts'
import { revealVerdict } from './reveal-verdict.ts'
import { transfer } from './transfer.ts'
import { unbond } from './unbond.ts'
import { voteParameters } from './vote-parameters.ts'
import { withdrawDeposit } from './withdraw-deposit.ts'

/** In the order of their numbers. */
export const CONTRACTS: readonly Contract<unknown>[] = [
  transfer,
  bond,
  unbond,
  registerValidator,
  reportDoubleSign,
  proposeParameters,
  voteParameters,
  registerModel,
  retireModel,
  registerMiner,
  withdrawDeposit,
  place,
  openLease,
  closeLease,
  claimLease,
  commitVerdict,
  openReceipt,
  revealVerdict,
  proposeModel,
  reportCanary,
]

const byType = new Map(CONTRACTS.map((contract) => [contract.type, contract]))

/** The contract of a transaction type, or undefined. */
export function contractOf(type: number): Contract<unknown> | undefined {
  return byType.get(type)
}
