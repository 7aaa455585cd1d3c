/**
 * What commands ask of the chain, whoever answers: a node on this machine through its control server, or a light client
 * that checks what strangers tell. Views are fit for JSON: amounts are decimal strings of grains, accounts are addresses.
 * Spec: docs/spec/control.md §10.
 * @module
 */
import type { AccountId, Hash } from '../../base/brand.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import type { Parameters } from '../../core/parameters.ts'
import type { ModelStatus } from '../../core/state/models.ts'
import type { ProposalSubject } from '../../core/state/proposals.ts'
import type { MarketAccess } from './market-access.ts'

/** How an answer is known to be true. */
export type ChainSource =
  /** Our own full node checked every block. */
  | 'node'
  /** Proved against a header that the validators' stake signed. */
  | 'light'

export interface NetworkView {
  /** The genesis hash. */
  readonly networkId: Hash
  readonly name: string
  readonly kind: NetworkKind
}

export interface HeadView extends NetworkView {
  readonly source: ChainSource
  readonly height: number
  readonly hash: Hash
  /** Unix time. */
  readonly timeMs: number
  /** Grains per unit for the next block, decimal. */
  readonly baseFee: string
  readonly epoch: number
  readonly validators: number
  /** Grains, decimal. */
  readonly supply: SupplyView
}

export interface SupplyView {
  readonly genesis: string
  readonly issued: string
  readonly burnt: string
  /** genesis + issued − burnt. */
  readonly total: string
  /** Waits for the end of the epoch. */
  readonly rewardPool: string
}

export interface AccountView {
  readonly source: ChainSource
  readonly height: number
  readonly address: string
  readonly balance: string
  readonly nonce: string
  /** Its transactions that wait one after the other; absent where nobody knows: a light client does not. */
  readonly waiting?: number
  /** Bonds given by this account. */
  readonly bonds: readonly BondView[]
  readonly unbondings: readonly UnbondingView[]
  readonly validator?: ValidatorView
}

export interface BondView {
  readonly validator: string
  readonly validatorName: string
  readonly amount: string
}

export interface UnbondingView {
  readonly validator: string
  readonly amount: string
  readonly dueHeight: number
}

export interface ValidatorView {
  readonly address: string
  readonly name: string
  /** Hexadecimal. */
  readonly consensusKey: string
  readonly stake: string
  readonly status: 'active' | 'tombstoned'
  /** Votes in the current epoch. */
  readonly votes: boolean
  /** Blocks of this epoch that it signed. */
  readonly signedBlocks: number
}

export interface BlockView {
  readonly height: number
  readonly hash: Hash
  readonly parentHash: Hash
  readonly round: number
  readonly timeMs: number
  readonly proposer: string
  readonly stateRoot: Hash
  readonly baseFee: string
  readonly units: number
  readonly bytes: number
  readonly transactions: readonly TransactionView[]
  /** Round of the commit, stake that signed, stake of the set; grains. */
  readonly commit: { readonly round: number; readonly signedStake: string; readonly totalStake: string }
}

export interface TransactionView {
  readonly id: Hash
  /** Name of the contract. */
  readonly type: string
  readonly sender: string
  readonly nonce: string
  readonly maxFee: string
  readonly tip: string
  /** Paid, once in a block; grains. */
  readonly fee?: string
  readonly body: Readonly<Record<string, unknown>>
  /** undefined: waits to be taken into a block. */
  readonly height?: number
  readonly timeMs?: number
}

export interface ProposalView {
  readonly number: number
  readonly proposer: string
  readonly deposit: string
  readonly endHeight: number
  readonly kind: ProposalSubject['type']
  /** Parameters by their names; none where it is about a model. */
  readonly changes: Readonly<Record<string, string>>
  /** Which model it is about, where it is. */
  readonly model?: ProposedModelView
  readonly votes: readonly { readonly voter: string; readonly yes: boolean }[]
  /** Bonded stake of those who voted so, grains; as of now. */
  readonly yesStake: string
  readonly noStake: string
  readonly totalStake: string
}

export interface ProposedModelView {
  /** Hash of the manifest. */
  readonly model: Hash
  /** Of the block at whose end it is to be active, at the earliest. */
  readonly activationHeight: number
  /** Absent where the model that was meant is gone, and the vote decides nothing. */
  readonly name?: string
  readonly status?: ModelStatus
  /** Hash of the model whose place it takes. */
  readonly takes?: Hash
}

export interface ParametersView {
  readonly values: Readonly<Record<keyof Parameters, string>>
  /** Grains that one more proposal deposits now: more than `proposalDeposit` where many are open. */
  readonly nextProposalDeposit: string
  /** The open ones; absent where nobody can prove that they are all. */
  readonly proposals?: readonly ProposalView[]
}

/** Everything that holds grains, at one of the recent heights: who sums it up gets `supply.total`. */
export interface HoldingsView {
  readonly height: number
  readonly hash: Hash
  readonly supply: SupplyView
  readonly holdings: readonly HoldingView[]
  /** Where the next page begins; absent on the last one. */
  readonly next?: string
}

export interface HoldingView {
  readonly kind: 'balance' | 'bond' | 'unbonding' | 'deposit' | 'collateral' | 'model' | 'escrow' | 'reward-pool'
  readonly address?: string
  readonly amount: string
}

/** A node itself: what `dllm node` and `dllm status` show. */
export interface NodeStatusView extends HeadView {
  readonly nodeName: string
  readonly peer: string
  readonly addresses: readonly string[]
  readonly peers: number
  readonly oldestHeight: number
  /** Transactions that wait. */
  readonly waiting: number
  /** Address of the validator that this node votes for, while it does. */
  readonly validator?: string
  readonly consensus: { readonly height: number; readonly round: number; readonly step: string }
  readonly syncing: boolean
}

export interface ChainAccess {
  readonly source: ChainSource
  readonly network: NetworkView
  readonly market: MarketAccess
  head(signal?: AbortSignal): Promise<HeadView>
  /** The full node that answers, when it is one of this machine's. */
  nodeStatus?(signal?: AbortSignal): Promise<NodeStatusView>
  account(id: AccountId, signal?: AbortSignal): Promise<AccountView>
  /** By height or hash; CHAIN_BLOCK_UNKNOWN when there is none or it was pruned. */
  block(which: number | Hash, signal?: AbortSignal): Promise<BlockView>
  /** In a block or waiting; CHAIN_TRANSACTION_UNKNOWN. */
  transaction(id: Hash, signal?: AbortSignal): Promise<TransactionView>
  /** Newest first, at most `limit`. A light client has it from a node and checks each entry, but cannot know what was left out. */
  history(id: AccountId, limit: number, signal?: AbortSignal): Promise<readonly TransactionView[]>
  validators(signal?: AbortSignal): Promise<readonly ValidatorView[]>
  parameters(signal?: AbortSignal): Promise<ParametersView>
  /** Hands a signed transaction in; the refusal's code and sentence are those of core. */
  submit(transaction: Uint8Array, signal?: AbortSignal): Promise<Hash>
  /** Resolves when the transaction is in a final block. */
  waitFor(id: Hash, signal?: AbortSignal): Promise<TransactionView>
  /** The head now and at every change, until the signal fires. */
  watch(signal: AbortSignal): AsyncIterable<HeadView>
  close(): Promise<void>
}
