/**
 * Refusals that several contracts share, and amounts in their sentences. Spec: docs/spec/transactions.md.
 * @module
 */
import { type AccountId, grains, type Hash } from '../../base/brand.ts'
import { type AuditId, type Auditor, type AuditRecord, getAudit } from '../state/audits.ts'
import { getLease, type LeaseRecord } from '../state/leases.ts'
import { getMiner, type MinerRecord } from '../state/miners.ts'
import { getModel, type ModelRecord } from '../state/models.ts'
import type { ReadState } from '../state/state.ts'
import { getValidator, type Validator } from '../state/validators.ts'
import { formatDllm } from '../units.ts'
import { type Call, type ContractContext, TransactionError } from './contract.ts'

/** `1.5 DLLM`. */
export function dllm(amount: bigint): string {
  return `${formatDllm(grains(amount))} DLLM`
}

/** @throws TransactionError ZERO_AMOUNT. */
export function requireAmount(amount: bigint): void {
  if (amount > 0n) return
  throw new TransactionError('ZERO_AMOUNT', 'The amount is zero. Give an amount of at least 0.000000001 DLLM.')
}

/** @throws TransactionError INSUFFICIENT_FUNDS, which says how much is missing. */
export function requireFunds({ spendable }: Pick<Call<unknown>, 'spendable'>, needed: bigint): void {
  if (spendable < needed) throw insufficientFunds(needed - spendable)
}

export function insufficientFunds(missing: bigint): TransactionError {
  const sentence = `The account is ${dllm(missing)} short, fee included. Receive at least that much, or send less.`
  return new TransactionError('INSUFFICIENT_FUNDS', sentence, { details: { missing: String(missing) } })
}

/** @throws TransactionError NO_SUCH_VALIDATOR. */
export function requireValidator(state: ReadState, id: AccountId): Validator {
  const validator = getValidator(state, id)
  if (validator !== undefined) return validator
  throw new TransactionError(
    'NO_SUCH_VALIDATOR',
    'Nobody registered a validator under this account. `dllm chain validators` lists those there are.',
    { details: { validator: id } },
  )
}

/** Retired or not. @throws TransactionError NO_SUCH_MODEL. */
export function requireKnownModel(state: ReadState, model: Hash): ModelRecord {
  const record = getModel(state, model)
  if (record !== undefined) return record
  const sentence = 'Nobody registered this model on this network. Register it, or choose another.'
  throw new TransactionError('NO_SUCH_MODEL', sentence, { details: { model } })
}

/** In any part of its life but retired. @throws TransactionError NO_SUCH_MODEL, MODEL_RETIRED. */
export function requireModel(state: ReadState, model: Hash): ModelRecord {
  const record = requireKnownModel(state, model)
  if (record.status !== 'retired') return record
  throw new TransactionError('MODEL_RETIRED', 'This model is retired. Choose another.', { details: { model } })
}

/** One that can be leased. @throws TransactionError NO_SUCH_MODEL, MODEL_RETIRED, MODEL_SUPERSEDED, MODEL_NOT_ACTIVE. */
export function requireActiveModel(state: ReadState, model: Hash): ModelRecord {
  const record = requireModel(state, model)
  const { status, successor, dueHeight } = record
  if (status === 'active') return record
  if (successor !== undefined) {
    const name = getModel(state, successor)?.name
    const sentence = `This model was superseded by ${name === undefined ? successor : `${name} (${successor})`}. Lease that one.`
    throw new TransactionError('MODEL_SUPERSEDED', sentence, { details: { model, successor } })
  }
  const when =
    status === 'approved'
      ? `a vote approved it, and at block ${dueHeight} it is looked at whether enough miners serve it`
      : 'it waits for a vote'
  const sentence = `This model is not active yet: ${when}. Lease its predecessor until then.`
  throw new TransactionError('MODEL_NOT_ACTIVE', sentence, { details: { model, status } })
}

/**
 * Active, and with the deposit that a miner has at least. @throws TransactionError NO_SUCH_MINER, MINER_SLASHED_OUT, DEPOSIT_TOO_SMALL.
 */
export function requireServingMiner(
  state: ReadState,
  operator: AccountId,
  { parameters: { minerDepositMin } }: Pick<ContractContext, 'parameters'>,
): MinerRecord {
  const miner = requireMiner(state, operator)
  if (miner.status === 'slashed-out') {
    const sentence = 'This account was slashed out and mines no more. Register another account with another peer.'
    throw new TransactionError('MINER_SLASHED_OUT', sentence)
  }
  if (miner.deposit >= minerDepositMin) return miner
  const sentence = `The deposit is ${dllm(miner.deposit)}, less than the ${dllm(minerDepositMin)} that a miner has at least. Deposit more.`
  throw new TransactionError('DEPOSIT_TOO_SMALL', sentence)
}

/** @throws TransactionError NO_SUCH_MINER. */
export function requireMiner(state: ReadState, operator: AccountId): MinerRecord {
  const miner = getMiner(state, operator)
  if (miner !== undefined) return miner
  throw new TransactionError('NO_SUCH_MINER', 'This account is no miner. Register it first.', { details: { operator } })
}

/** @throws TransactionError NO_SUCH_LEASE. */
export function requireLease(state: ReadState, id: Hash): LeaseRecord {
  const lease = getLease(state, id)
  if (lease !== undefined) return lease
  const sentence = 'There is no such lease: it was settled, or never opened. Check its id.'
  throw new TransactionError('NO_SUCH_LEASE', sentence, { details: { lease: id } })
}

/** @throws TransactionError NO_SUCH_AUDIT. */
export function requireAudit(state: ReadState, id: AuditId): AuditRecord {
  const audit = getAudit(state, id)
  if (audit !== undefined) return audit
  throw new TransactionError('NO_SUCH_AUDIT', 'There is no such audit: it has ended, or was never opened.')
}

/** @throws TransactionError NOT_AN_AUDITOR. */
export function requireAuditor({ auditors }: AuditRecord, sender: AccountId): Auditor {
  const auditor = auditors.find(({ operator }) => operator === sender)
  if (auditor !== undefined) return auditor
  throw new TransactionError('NOT_AN_AUDITOR', 'This account was not drawn for this audit.')
}

/** @throws TransactionError WRONG_PHASE unless auditors reveal and the miner opens at this height. */
export function requireRevealing({ commitHeight }: AuditRecord, height: number): void {
  if (height > commitHeight) return
  const sentence = `Auditors commit until block ${commitHeight}, and nothing is shown before. Send it again after that.`
  throw new TransactionError('WRONG_PHASE', sentence, { details: { after: commitHeight } })
}
