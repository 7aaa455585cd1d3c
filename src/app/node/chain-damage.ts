/**
 * Whether what a store holds is a whole chain: every value readable, every block there, each on the one before, made final by
 * its set's stake, found by its indexes, and the state the one that the newest block names. For stores that were repaired.
 * Spec: docs/spec/store.md §2.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { HouseError } from '../../base/error.ts'
import { finish } from '../../base/steps.ts'
import { blockHash, decodeBlock } from '../../core/block/block.ts'
import { verifyCommit } from '../../core/block/verify-commit.ts'
import { createChain, genesisStart } from '../../core/chain.ts'
import type { FastAcceptance } from '../../core/ed25519.ts'
import type { Genesis } from '../../core/genesis.ts'
import type { KeyValueStore } from '../store/key-value.ts'
import { indexOfBlock } from './block-index.ts'
import { keysOfBlock } from './market-index.ts'
import { createNodeStore, type NodeStore, NodeStoreError, type StoredBlock } from './node-store.ts'
import { openStart } from './start.ts'
import { historyKey } from './store-keys.ts'

/**
 * A sentence on the first damage found, or undefined. Reads everything; writes nothing.
 * @throws NodeStoreError when the store is another network's or version's: that is no damage.
 */
export async function findChainDamage(
  store: KeyValueStore,
  genesis: Genesis,
  accepts?: FastAcceptance,
): Promise<string | undefined> {
  const beginning = genesisStart(genesis)
  const { networkId } = beginning
  try {
    let count = 0
    for await (const _entry of store.entries()) count++
    const nodeStore = createNodeStore(store)
    const meta = await nodeStore.meta(networkId)
    if (meta === undefined) return count === 0 ? undefined : 'The entry is missing that says where the chain stands.'
    createChain(await openStart(nodeStore, genesis), { accepts })
    let parent = meta.oldestHeight === 1 ? createChain(beginning).head().hash : undefined
    for (let height = meta.oldestHeight; height <= meta.height; height++) {
      parent = await checkStoredBlock(height, parent, { store, nodeStore, networkId, accepts })
    }
    for (let height = await nodeStore.market.since(meta.height); height <= meta.height; height++) {
      const { fault } = await keysOfBlock(store, height)
      if (fault !== undefined) throw damage(height, fault)
    }
    return parent === undefined || parent === meta.hash
      ? undefined
      : 'The newest block is not the one that it should be.'
  } catch (error) {
    const code = error instanceof NodeStoreError ? error.code : undefined
    if (!(error instanceof HouseError) || code === 'CHAIN_STORE_FOREIGN' || code === 'CHAIN_STORE_VERSION') throw error
    return error.message
  }
}

interface CheckParts {
  readonly store: KeyValueStore
  readonly nodeStore: NodeStore
  readonly networkId: Hash
  readonly accepts: FastAcceptance | undefined
}

/** The block's hash. `parent`: undefined where the block before is not kept. @throws NodeStoreError, CodecError, CommitError. */
async function checkStoredBlock(height: number, parent: Hash | undefined, parts: CheckParts): Promise<Hash> {
  const { nodeStore, networkId, accepts } = parts
  const stored = await nodeStore.block(height)
  if (stored === undefined) throw damage(height, 'is missing')
  const { header } = decodeBlock(stored.block)
  const hash = blockHash(networkId, header)
  if (header.height !== height || (parent !== undefined && header.parentHash !== parent)) {
    throw damage(height, 'does not follow on the one before')
  }
  const set = await nodeStore.validators(header.validatorsHash)
  if (set === undefined) throw damage(height, 'has validators that are not known')
  verifyCommit({ networkId, set, commit: stored.commit, blockHash: hash, height }, accepts)
  if ((await nodeStore.heightOf(hash)) !== height) throw damage(height, 'is not found by its hash')
  await checkIndexes(stored, parts)
  return hash
}

async function checkIndexes({ height, block }: StoredBlock, { store, nodeStore }: CheckParts): Promise<void> {
  for (const [position, { id, accounts }] of finish(indexOfBlock(block)).entries()) {
    const place = await nodeStore.placeOf(id)
    if (place?.height !== height || place.position !== position)
      throw damage(height, 'has transactions that are not found')
    const found = await Promise.all(accounts.map((account) => store.get(historyKey(account, height, position))))
    if (found.includes(undefined)) throw damage(height, 'is missing in the history of an account')
  }
}

function damage(height: number, what: string): NodeStoreError {
  return new NodeStoreError('CHAIN_STORE_DAMAGED', `Block ${height} ${what}.`, { details: { height } })
}
