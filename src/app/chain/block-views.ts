/**
 * Blocks and transactions as views for commands and JSON. Spec: docs/spec/control.md §10.
 * @module
 */
import type { AccountId } from '../../base/brand.ts'
import { finish, type Steps } from '../../base/steps.ts'
import { type Block, type Commit, encodeBlock, type Header } from '../../core/block/block.ts'
import type { ValidatorSet } from '../../core/consensus/validator-set.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { decodeRecord } from '../../core/state/tables.ts'
import { feeOf, type OpenTransaction } from '../../core/transaction/check.ts'
import { contractOf } from '../../core/transaction/contracts.ts'
import { decodeTransaction, type Transaction } from '../../core/transaction/transaction.ts'
import type { BlockView, TransactionView } from './chain-access.ts'

export interface BlockToView {
  readonly block: Block
  readonly hash: BlockView['hash']
  readonly commit: Commit
  /** That voted on it; undefined when it is not known any more. */
  readonly validators: ValidatorSet | undefined
}

export function viewBlock(found: BlockToView, kind: NetworkKind): BlockView {
  return finish(viewBlockInSteps(found, kind))
}

/** The same in steps, one per transaction: addresses are dear. */
export function* viewBlockInSteps(found: BlockToView, kind: NetworkKind): Steps<BlockView> {
  const { block, hash, commit, validators } = found
  const { header } = block
  const transactions: TransactionView[] = []
  for (const bytes of block.transactions) {
    transactions.push(viewIncluded(decodeTransaction(bytes), header, kind))
    yield
  }
  const signed = (validators?.members ?? []).filter((_, index) => commit.signatures[index] !== undefined)
  return {
    ...{ height: header.height, hash, parentHash: header.parentHash, round: header.round, timeMs: header.timeMs },
    proposer: addressOfAccount(header.proposer, kind),
    stateRoot: header.stateRoot,
    baseFee: String(header.baseFee),
    units: header.units,
    bytes: encodeBlock(block).length,
    transactions,
    commit: {
      round: commit.round,
      signedStake: String(signed.reduce((sum, { stake }) => sum + stake, 0n)),
      totalStake: String(validators?.stake ?? 0n),
    },
  }
}

/** A transaction of a final block, with what it paid. */
export function viewIncluded(transaction: Transaction, header: Header, kind: NetworkKind): TransactionView {
  const { height, timeMs, baseFee } = header
  const opened = openBody(transaction)
  const paid = opened === undefined ? { burnt: 0n, tip: 0n } : feeOf(opened, baseFee)
  return { ...viewTransaction(transaction, kind), fee: String(paid.burnt + paid.tip), height, timeMs }
}

/** A transaction as its sender wrote it. */
export function viewTransaction(transaction: Transaction, kind: NetworkKind): TransactionView {
  const { id, sender, nonce, maxFee, tip, type } = transaction
  return {
    id,
    type: contractOf(type)?.name ?? `type ${type}`,
    sender: addressOfAccount(sender, kind),
    ...{ nonce: String(nonce), maxFee: String(maxFee), tip: String(tip) },
    body: viewBody(transaction, kind),
  }
}

/** Accounts that the body names are shown as addresses. */
function viewBody(transaction: Transaction, kind: NetworkKind): Readonly<Record<string, unknown>> {
  const opened = openBody(transaction)
  if (opened === undefined) return {}
  const { contract, body } = opened
  const accounts = new Set<unknown>([...contract.touches(body), ...(contract.names?.(body) ?? [])])
  const shown = (value: unknown): unknown => {
    return accounts.has(value) ? addressOfAccount(value as AccountId, kind) : value
  }
  const described = Object.entries(contract.describe(body)).map(([name, value]) => {
    return [name, Array.isArray(value) ? value.map(shown) : shown(value)] as const
  })
  return Object.fromEntries(described)
}

/** undefined for a type that this program does not know. */
function openBody(transaction: Transaction): OpenTransaction | undefined {
  const contract = contractOf(transaction.type)
  if (contract === undefined) return undefined
  const body = decodeRecord(transaction.body, (reader) => contract.read(reader))
  return { transaction, contract, body, units: contract.units(body) }
}
