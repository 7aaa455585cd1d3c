/**
 * What a full node answers about its chain, to its control server and to whoever runs in the same process.
 * Spec: docs/spec/control.md §10.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { HouseError } from '../../base/error.ts'
import { decodeBlock } from '../../core/block/block.ts'
import type { Chain } from '../../core/chain.ts'
import { epochOf } from '../../core/epoch.ts'
import { decodeTransaction } from '../../core/transaction/transaction.ts'
import { type BlockToView, viewBlockInSteps, viewIncluded, viewTransaction } from '../chain/block-views.ts'
import type { HeadView, NetworkView, NodeStatusView, TransactionView } from '../chain/chain-access.ts'
import type { NodeAccess } from '../chain/chain-methods.ts'
import { type ViewedState, viewAccount, viewParameters, viewSupply, viewValidators } from '../chain/state-views.ts'
import { createItemQueue } from '../control/item-queue.ts'
import type { Turns } from '../turns.ts'
import { createFullMarket } from './full-market.ts'
import type { NodeStore } from './node-store.ts'
import { type RecentStates, viewHoldings } from './recent-states.ts'

export class ChainUnknownError extends HouseError<
  'CHAIN_BLOCK_UNKNOWN' | 'CHAIN_TRANSACTION_UNKNOWN' | 'CHAIN_TOO_MANY_WATCHERS'
> {}

export interface FullAccessParts {
  readonly network: NetworkView
  readonly chain: Chain
  readonly store: NodeStore
  readonly recent: RecentStates
  readonly turns: Turns
  /** Takes a transaction in and tells the network. */
  readonly submit: (transaction: Uint8Array) => Promise<Hash>
  /** What a node says of itself beside its head. */
  readonly self: () => Omit<NodeStatusView, keyof HeadView>
}

export interface FullAccess extends NodeAccess {
  /** To be called after each final block. */
  announce(): void
}

export function createFullAccess(parts: FullAccessParts): FullAccess {
  const { network, chain, store, recent, turns } = parts
  const { kind } = network
  const watchers = new Set<() => void>()
  const head = (): HeadView => viewHead(network, chain)
  const viewed = (): ViewedState => ({
    ...{ state: chain.state, kind, height: chain.header.height },
    voters: new Set(chain.head().validators.members.map(({ id }) => id)),
  })
  const transaction = (id: Hash): Promise<TransactionView | undefined> => findTransaction(parts, id)
  return {
    ...{ source: 'node', network, market: createFullMarket({ chain, records: store.market }, kind) },
    head: async () => head(),
    account: async (id) => {
      const view = viewAccount(viewed(), id)
      const waiting = Number(chain.mempool.nextNonce(id) - BigInt(view.nonce))
      return { source: 'node', ...view, waiting }
    },
    validators: async () => viewValidators(viewed()),
    parameters: async () => viewParameters(viewed()),
    async block(which) {
      const found = await findBlock(parts, which)
      if (found === undefined) throw unknownBlock(which, chain.header.height)
      const validators = await store.validators(found.block.header.validatorsHash)
      return turns.run(viewBlockInSteps({ ...found, validators }, kind))
    },
    async transaction(id) {
      const found = await transaction(id)
      if (found === undefined) throw unknownTransaction(id)
      return found
    },
    async history(id, limit) {
      const ids = await store.history(id, Math.min(limit, NODE_LIMITS.historyMax))
      const found = await Promise.all(ids.map(transaction))
      return found.filter((each) => each !== undefined)
    },
    submit: (bytes) => parts.submit(bytes),
    async waitFor(id, signal) {
      for (;;) {
        const found = await transaction(id)
        if (found?.height !== undefined) return found
        if (found === undefined) throw unknownTransaction(id)
        await nextBlock(watchers, signal)
      }
    },
    status: () => ({ ...head(), ...parts.self() }),
    holdings: ({ height, from }) => viewHoldings(recent.at(height), Number(from ?? 0) || 0, kind),
    watch: (signal) => watchHeads(watchers, head, signal),
    announce() {
      for (const tell of [...watchers]) tell()
    },
    close: async () => undefined,
  }
}

function viewHead(network: NetworkView, chain: Chain): HeadView {
  const { header, parameters } = chain
  const { hash, validators } = chain.head()
  return {
    ...network,
    ...{ source: 'node', height: header.height, hash, timeMs: header.timeMs },
    baseFee: String(chain.place().baseFee),
    epoch: epochOf(header.height + 1, parameters),
    validators: validators.members.length,
    supply: viewSupply(chain.state),
  }
}

async function findBlock(
  { chain, store }: FullAccessParts,
  which: number | Hash,
): Promise<Omit<BlockToView, 'validators'> | undefined> {
  const applied = chain.lastApplied()
  // Applied, and on its way to the store.
  if (which === applied?.height || which === applied?.hash) return applied
  const height = typeof which === 'number' ? which : await store.heightOf(which)
  const stored = height === undefined ? undefined : await store.block(height)
  return stored && { ...stored, block: decodeBlock(stored.block) }
}

async function findTransaction(
  { chain, store, network: { kind } }: FullAccessParts,
  id: Hash,
): Promise<TransactionView | undefined> {
  const waiting = chain.mempool.get(id)
  if (waiting !== undefined) return viewTransaction(waiting.transaction, kind)
  // Applied, and on its way to the store.
  const applied = chain.lastApplied()
  const position = applied?.transactions.findIndex((each) => each.id === id) ?? -1
  if (applied !== undefined && position >= 0) {
    return viewIncluded(decodeTransaction(applied.block.transactions[position]!), applied.block.header, kind)
  }
  const place = await store.placeOf(id)
  const stored = place && (await store.block(place.height))
  if (place === undefined || stored === undefined) return undefined
  const block = decodeBlock(stored.block)
  return viewIncluded(decodeTransaction(block.transactions[place.position]!), block.header, kind)
}

/** Resolves at the next block. */
function nextBlock(watchers: Set<() => void>, signal: AbortSignal | undefined): Promise<void> {
  checkWatchers(watchers)
  return new Promise((resolve, reject) => {
    const done = (): void => {
      watchers.delete(done)
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }
    const onAbort = (): void => {
      watchers.delete(done)
      reject(signal?.reason)
    }
    watchers.add(done)
    signal?.addEventListener('abort', onAbort)
  })
}

function watchHeads(watchers: Set<() => void>, head: () => HeadView, signal: AbortSignal): AsyncIterable<HeadView> {
  checkWatchers(watchers)
  let told: Hash | undefined
  const tell = (): void => {
    const next = head()
    // The first head may be one that is about to be announced.
    if (next.hash !== told) queue.push(next)
    told = next.hash
  }
  const queue = createItemQueue<HeadView>({ signal, onClose: () => watchers.delete(tell) })
  watchers.add(tell)
  tell()
  return queue
}

function checkWatchers(watchers: ReadonlySet<unknown>): void {
  if (watchers.size < NODE_LIMITS.watchersMax) return
  const message = `The node has ${watchers.size} watchers, which is all that it takes. Stop some.`
  throw new ChainUnknownError('CHAIN_TOO_MANY_WATCHERS', message)
}

function unknownBlock(which: number | Hash, height: number): ChainUnknownError {
  const message = `There is no block ${which} here. The newest is ${height}; old ones may have been pruned.`
  return new ChainUnknownError('CHAIN_BLOCK_UNKNOWN', message, { details: { block: which, height } })
}

function unknownTransaction(id: Hash): ChainUnknownError {
  const message = `The transaction ${id} is neither in a block nor waits for one. It may have expired or been replaced; send it again.`
  return new ChainUnknownError('CHAIN_TRANSACTION_UNKNOWN', message, { details: { id } })
}
