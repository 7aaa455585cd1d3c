/**
 * From a call to a final block: nonce, fee, confirmation, signature, submission, waiting. Every command that sends something
 * comes through here. Asks for keys last, so that nobody types a password for what the chain would refuse.
 * Spec: docs/spec/cli.md §6.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { Writer } from '../../base/codec.ts'
import { HouseError } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import type { KeyPair } from '../../core/ed25519.ts'
import { addressOfAccount } from '../../core/fields.ts'
import { dllm, insufficientFunds } from '../../core/transaction/refusals.ts'
import { decodeTransaction, signTransaction } from '../../core/transaction/transaction.ts'
import { parseGrains } from '../../core/units.ts'
import { viewTransaction } from './block-views.ts'
import type { ChainCall } from './calls.ts'
import type { AccountView, ChainAccess, HeadView, TransactionView } from './chain-access.ts'
import { waitForBlock } from './wait-for-block.ts'

export class SendError extends HouseError<
  | 'SEND_DECLINED' // the person did not confirm it
  | 'SEND_CUT_OFF' // one before it will not come, so neither will this one
> {}

/** What the sender wants beside the call; what is left out follows from the chain. */
export interface FeeWish {
  /** Grains per unit. */
  readonly tip?: bigint | undefined
  /** Grains per unit. */
  readonly maxFee?: bigint | undefined
  /** To take the place of a transaction that waits. */
  readonly nonce?: bigint | undefined
}

export interface TransactionPlan {
  readonly call: ChainCall
  readonly sender: AccountId
  readonly nonce: bigint
  /** Grains per unit. */
  readonly baseFee: bigint
  readonly maxFee: bigint
  readonly tip: bigint
  readonly units: number
  /** Grains, if the next block takes it. */
  readonly fee: bigint
  /** Grains, at most. */
  readonly feeMax: bigint
  /** Grains of the sender now. */
  readonly balance: bigint
}

export interface SendSteps {
  readonly chain: ChainAccess
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Throws when the person does not want it. */
  readonly confirm: (plan: TransactionPlan) => Promise<void>
  readonly keys: () => Promise<KeyPair>
  /** What must be on disk before anybody knows of the transaction. */
  readonly prepare?: (() => Promise<void>) | undefined
  readonly onSent: (transaction: TransactionView) => void
  /** Told once while it waits, when no block becomes final; `head`: the newest one that did. */
  readonly onStalled: (head: HeadView) => void
  /** Whether to wait for the block. */
  readonly waits: boolean
}

/** Grains per unit for the proposer: what makes a transaction more than free. */
const TIP_DEFAULT = 1n
/** The base fee may double before the transaction has to wait: six full blocks in a row. */
const BASE_FEE_ROOM = 2n

/** @throws InsufficientFunds of core before anything is asked; SendError; WaitError; whatever the node refuses it with. */
export async function sendTransaction(
  wish: { readonly call: ChainCall; readonly sender: AccountId; readonly fees: FeeWish },
  steps: SendSteps,
): Promise<TransactionView> {
  const { chain, signal } = steps
  const plan = await planTransaction(chain, wish, signal)
  await steps.confirm(plan)
  const keys = await steps.keys()
  await steps.prepare?.()
  const bytes = signPlan(plan, chain, keys)
  const id = await chain.submit(bytes, signal)
  const waiting = viewTransaction(decodeTransaction(bytes), chain.network.kind)
  steps.onSent(waiting)
  return steps.waits ? waitForBlock({ id, bytes }, steps) : waiting
}

/** Nonce and fee from the chain as it is now. @throws TransactionError INSUFFICIENT_FUNDS. */
export async function planTransaction(
  chain: ChainAccess,
  { call, sender, fees }: { readonly call: ChainCall; readonly sender: AccountId; readonly fees: FeeWish },
  signal?: AbortSignal,
): Promise<TransactionPlan> {
  const [head, account] = await Promise.all([chain.head(signal), chain.account(sender, signal)])
  const baseFee = BigInt(head.baseFee)
  const tip = fees.tip ?? TIP_DEFAULT
  const maxFee = fees.maxFee ?? BASE_FEE_ROOM * baseFee + tip
  const units = call.contract.units(call.body)
  const price = baseFee + tip < maxFee ? baseFee + tip : maxFee
  const fee = BigInt(units) * price
  const balance = BigInt(account.balance)
  const missing = call.spends + fee - balance
  if (missing > 0n) throw insufficientFunds(missing)
  const nonce = fees.nonce ?? nextNonce(account)
  return { call, sender, nonce, baseFee, maxFee, tip, units, fee, feeMax: BigInt(units) * maxFee, balance }
}

/** After those that wait at the node, where anybody knows of them. */
export function nextNonce({ nonce, waiting }: Pick<AccountView, 'nonce' | 'waiting'>): bigint {
  return BigInt(nonce) + BigInt(waiting ?? 0)
}

/** For the person who confirms. */
export function planText(plan: TransactionPlan, { network }: Pick<ChainAccess, 'network'>): string {
  const { call, sender, units, baseFee, fee, feeMax, balance } = plan
  const [title, ...details] = call.lines
  const atMost = feeMax > fee ? `, at most ${dllm(feeMax)}` : ''
  const lines = [
    ...details,
    `sender  ${addressOfAccount(sender, network.kind)}`,
    `fee     ${dllm(fee)}${atMost}`,
    `        (${units} units, base fee ${baseFee})`,
    `leaves  ${dllm(balance - call.spends - fee)}`,
  ]
  return `${title}\n${lines.map((line) => `  ${line}\n`).join('')}`
}

/** Grains per unit as typed. @throws AmountError. */
export function parseFeeWish(typed: {
  readonly tip: string | undefined
  readonly 'max-fee': string | undefined
  readonly nonce: string | undefined
}): FeeWish {
  const read = (text: string | undefined): bigint | undefined => (text === undefined ? undefined : parseGrains(text))
  return { tip: read(typed.tip), maxFee: read(typed['max-fee']), nonce: read(typed.nonce) }
}

function signPlan({ call, nonce, maxFee, tip }: TransactionPlan, { network }: ChainAccess, keys: KeyPair): Uint8Array {
  const writer = new Writer()
  call.contract.write(writer, call.body)
  const { type } = call.contract
  return signTransaction(network.networkId, { type, nonce, maxFee, tip, body: writer.finish() }, keys)
}
