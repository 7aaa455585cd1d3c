/**
 * Where a node's chain begins: at genesis, or at the newest block of its store. Spec: docs/spec/store.md §7.
 * @module
 */
import { decodeBlock } from '../../core/block/block.ts'
import { type ChainStart, createChain, genesisStart } from '../../core/chain.ts'
import type { Genesis } from '../../core/genesis.ts'
import type { StateKey } from '../../core/state/state.ts'
import { type NodeStore, NodeStoreError } from './node-store.ts'

/** Writes the genesis state into an empty store. @throws NodeStoreError. */
export async function openStart(store: NodeStore, genesis: Genesis): Promise<ChainStart> {
  const beginning = genesisStart(genesis)
  const { networkId } = beginning
  const meta = await store.meta(networkId)
  if (meta === undefined) {
    const chain = createChain(beginning)
    const { set, nextSet } = chain.place()
    await store.begin(networkId, chain.head().hash, beginning.entries, [set, nextSet])
    return beginning
  }
  const entries: [StateKey, Uint8Array][] = []
  for await (const [key, value] of store.state()) entries.push([key, value])
  if (meta.height === 0) return { ...beginning, entries }
  const stored = await store.block(meta.height)
  if (stored === undefined) throw damaged(meta.height)
  return { networkId, header: decodeBlock(stored.block).header, commit: stored.commit, entries }
}

function damaged(height: number): NodeStoreError {
  const message = `The chain's store lacks its newest block, ${height}. Start the node with --repair: it keeps the store aside and fetches everything again.`
  return new NodeStoreError('CHAIN_STORE_DAMAGED', message, { details: { height } })
}
