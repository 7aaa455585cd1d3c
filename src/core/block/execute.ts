/**
 * Carrying out a block on top of its place: the parent's signatures are counted, transactions are applied, the block and
 * perhaps the epoch are ended. Writes into an overlay; the state below stays. The one way from a block to a state root, for who makes
 * a block and who checks it. Spec: docs/spec/chain.md §4.
 * @module
 */
import { hexToBytes } from '@noble/hashes/utils.js'
import { assert } from '../../base/assert.ts'
import type { AccountId, Hash } from '../../base/brand.ts'
import type { Steps } from '../../base/steps.ts'
import type { FastAcceptance } from '../ed25519.ts'
import { epochEndOf, epochOf } from '../epoch.ts'
import { hashOf } from '../fields.ts'
import type { MarketEvent } from '../market/events.ts'
import { conservationInSteps } from '../state/conservation.ts'
import { type Overlay, overlayOn, type StateChanges } from '../state/state.ts'
import { type StateTree, treeRoot, updateTreeInSteps } from '../state/tree.ts'
import { applyTransaction, checkOnState, type OpenTransaction, type TransactionContext } from '../transaction/check.ts'
import type { Commit } from './block.ts'
import { countSignatures, endBlock } from './end-of-block.ts'
import { endEpoch } from './end-of-epoch.ts'
import type { Place } from './place.ts'

export interface AppliedTransaction {
  readonly id: Hash
  /** Sender and whoever else it touches; each once. */
  readonly accounts: readonly AccountId[]
  /** Grains: burnt and tip. */
  readonly fee: bigint
}

export interface Execution {
  readonly changes: StateChanges
  /** State after the block. */
  readonly tree: StateTree
  readonly stateRoot: Hash
  readonly transactions: readonly AppliedTransaction[]
  /** In the order of it. */
  readonly marketEvents: readonly MarketEvent[]
  readonly units: number
}

export interface Executor {
  /** Units of the transactions so far. */
  readonly units: number
  /** Applies a transaction whose signature is valid. @throws TransactionError, and then nothing has changed. */
  run(transaction: OpenTransaction): void
  /** Ends the block; nothing more can be run. The state below must stay as it is until the last step. */
  finish(seedSignature: Uint8Array): Steps<Execution>
}

export interface BlockStart {
  readonly lastCommit: Commit | undefined
  readonly proposer: AccountId
  readonly accepts: FastAcceptance | undefined
}

/** Begins a block at its place. `lastCommit` was checked. */
export function executeBlock(place: Place, { lastCommit, proposer, accepts }: BlockStart): Executor {
  const overlay = overlayOn(place.state)
  const context = contextAt(place, { proposer, accepts })
  const transactions: AppliedTransaction[] = []
  let units = 0
  if (lastCommit !== undefined && place.lastSet !== undefined) countSignatures(overlay, lastCommit, place.lastSet)
  return {
    get units() {
      return units
    },
    run(open) {
      checkOnState(open, overlay, context)
      const fee = applyTransaction(open, overlay, context)
      units += open.units
      transactions.push({ id: open.transaction.id, accounts: accountsOf(open), fee: fee.burnt + fee.tip })
    },
    *finish(seedSignature) {
      const marketEvents = endAll(overlay, place, { units, seedSignature })
      yield
      const changes = overlay.changes()
      yield
      const fault = yield* conservationInSteps(place.state, changes)
      // A bug in a contract: no block is made or voted for with it, and the node stops.
      assert(fault === undefined, `a block conserves grains: ${fault}`)
      const tree = yield* updateTreeInSteps(place.tree, bytesOf(changes))
      return { changes, tree, stateRoot: hashOf(treeRoot(tree)), transactions, marketEvents, units }
    },
  }
}

/** What transactions see of their block. */
export function contextAt(
  { networkId, height, parameters, baseFee }: Place,
  { proposer, accepts }: { readonly proposer: AccountId; readonly accepts: FastAcceptance | undefined },
): TransactionContext {
  return { networkId, height, parameters, baseFee, proposer, accepts }
}

function endAll(
  overlay: Overlay,
  { height, parameters }: Place,
  end: { readonly units: number; readonly seedSignature: Uint8Array },
): readonly MarketEvent[] {
  const events = endBlock(overlay, { height, parameters, ...end })
  if (height !== epochEndOf(height, parameters)) return events
  return [...events, ...endEpoch(overlay, { epoch: epochOf(height, parameters), height, parameters })]
}

function accountsOf({ transaction, contract, body }: OpenTransaction): AccountId[] {
  return [...new Set([transaction.sender, ...contract.touches(body)])]
}

function* bytesOf(changes: StateChanges): Iterable<{ key: Uint8Array; value: Uint8Array | undefined }> {
  for (const [key, value] of changes) yield { key: hexToBytes(key), value }
}
