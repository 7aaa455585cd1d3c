/**
 * The states after the latest blocks and at the latest snapshot height. Trees share what did not change, so each costs little
 * more than its block. Spec: docs/spec/control.md §10, docs/spec/consensus.md §10.
 * @module
 */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import type { Commit, Header } from '../../core/block/block.ts'
import { addressOfAccount } from '../../core/fields.ts'
import type { NetworkKind } from '../../core/network-kind.ts'
import { readAccount } from '../../core/state/accounts.ts'
import { bondOfKey, readAmount } from '../../core/state/bonds.ts'
import { readLease } from '../../core/state/leases.ts'
import { readMiner } from '../../core/state/miners.ts'
import { readModel } from '../../core/state/models.ts'
import { readProposal } from '../../core/state/proposals.ts'
import type { StateKey } from '../../core/state/state.ts'
import { readSupply, SUPPLY_KEY } from '../../core/state/supply.ts'
import { accountInKey, decodeRecord, TABLE, tableOf } from '../../core/state/tables.ts'
import { type StateTree, treeEntries, treeValue } from '../../core/state/tree.ts'
import { type PartPosition, planParts } from '../../core/state/tree-parts.ts'
import { unbondingOfKey } from '../../core/state/unbondings.ts'
import type { HoldingsView, HoldingView } from '../chain/chain-access.ts'
import { viewSupplyRecord } from '../chain/state-views.ts'

export class RecentStateError extends HouseError<'CHAIN_STATE_GONE'> {}

export interface RecentState {
  readonly header: Header
  readonly hash: Hash
  /** undefined at the genesis block. */
  readonly commit: Commit | undefined
  readonly tree: StateTree
}

export interface RecentStates {
  add(state: RecentState): void
  /** Undefined: the latest. @throws RecentStateError CHAIN_STATE_GONE. */
  at(height?: number): RecentState
  /** The latest at a multiple of `snapshotBlocks`. */
  readonly snapshot: RecentState | undefined
  /** Parts that the snapshot is handed out in; none without a snapshot. */
  snapshotParts(): readonly PartPosition[]
}

export function createRecentStates(snapshotBlocks: number): RecentStates {
  const states: RecentState[] = []
  let snapshot: RecentState | undefined
  let parts: readonly PartPosition[] | undefined
  return {
    get snapshot() {
      return snapshot
    },
    add(state) {
      states.push(state)
      if (states.length > NODE_LIMITS.recentStatesMax) states.shift()
      const { height } = state.header
      if (height === 0 || height % snapshotBlocks !== 0) return
      snapshot = state
      parts = undefined
    },
    snapshotParts() {
      // Walks the whole state, so not before somebody asks.
      parts ??= snapshot === undefined ? [] : planParts(snapshot.tree, NODE_LIMITS.snapshotPartBytes)
      return parts
    },
    at(height) {
      const found = height === undefined ? states.at(-1) : states.find(({ header }) => header.height === height)
      if (found !== undefined) return found
      const message = `The state after block ${height} is not kept. The node keeps the latest ${NODE_LIMITS.recentStatesMax}, up to ${states.at(-1)?.header.height}.`
      throw new RecentStateError('CHAIN_STATE_GONE', message, { details: { height } })
    },
  }
}

/** A page of everything that holds grains; `from` is the `next` of the page before, of the same height. */
export function viewHoldings({ header, hash, tree }: RecentState, from: number, kind: NetworkKind): HoldingsView {
  const holdings: HoldingView[] = []
  let position = 0
  let next: number | undefined
  for (const { key, value } of treeEntries(tree)) {
    if (position++ < from) continue
    if (holdings.length >= NODE_LIMITS.holdingsPerPage) {
      next = position - 1
      break
    }
    const holding = viewHolding(bytesToHex(key) as StateKey, value, kind)
    if (holding !== undefined) holdings.push(holding)
  }
  const supply = decodeRecord(treeValue(tree, hexToBytes(SUPPLY_KEY))!, readSupply)
  return {
    ...{ height: header.height, hash, supply: viewSupplyRecord(supply), holdings },
    ...(next === undefined ? {} : { next: String(next) }),
  }
}

function viewHolding(key: StateKey, value: Uint8Array, kind: NetworkKind): HoldingView | undefined {
  switch (tableOf(key)) {
    case TABLE.account: {
      const { balance } = decodeRecord(value, readAccount)
      return { kind: 'balance', address: addressOfAccount(accountInKey(key, 0), kind), amount: String(balance) }
    }
    case TABLE.bond:
      return {
        kind: 'bond',
        address: addressOfAccount(bondOfKey(key).owner, kind),
        amount: String(decodeRecord(value, readAmount)),
      }
    case TABLE.unbonding:
      return {
        kind: 'unbonding',
        address: addressOfAccount(unbondingOfKey(key).owner, kind),
        amount: String(decodeRecord(value, readAmount)),
      }
    case TABLE.proposal: {
      const { proposer, deposit } = decodeRecord(value, readProposal)
      return { kind: 'deposit', address: addressOfAccount(proposer, kind), amount: String(deposit) }
    }
    case TABLE.miner: {
      const { deposit } = decodeRecord(value, readMiner)
      return { kind: 'collateral', address: addressOfAccount(accountInKey(key, 0), kind), amount: String(deposit) }
    }
    case TABLE.model: {
      const { publisher, deposit } = decodeRecord(value, readModel)
      return { kind: 'model', address: addressOfAccount(publisher, kind), amount: String(deposit) }
    }
    case TABLE.lease: {
      const { payer, escrow } = decodeRecord(value, readLease)
      return { kind: 'escrow', address: addressOfAccount(payer, kind), amount: String(escrow) }
    }
    case TABLE.supply:
      return { kind: 'reward-pool', amount: String(decodeRecord(value, readSupply).pool) }
    default:
      return undefined
  }
}
