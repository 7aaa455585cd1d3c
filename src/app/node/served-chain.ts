/**
 * A full node's chain as its server gives it to others. Spec: docs/spec/wire.md §5.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { Writer } from '../../base/codec.ts'
import type { Steps } from '../../base/steps.ts'
import { decodeBlock, encodeHeader, writeCommit } from '../../core/block/block.ts'
import { proveTransaction, writeInclusionProof } from '../../core/block/transactions-root.ts'
import type { Chain } from '../../core/chain.ts'
import type { Message } from '../../core/consensus/replica-port.ts'
import { writeCount } from '../../core/fields.ts'
import { type ModelRecord, models } from '../../core/state/models.ts'
import { encodePart, treePart } from '../../core/state/tree-parts.ts'
import { encodeProof, proveKey } from '../../core/state/tree-proof.ts'
import { decodeTransaction } from '../../core/transaction/transaction.ts'
import type { Turns } from '../turns.ts'
import type { ServedChain } from './chain-server.ts'
import type { NodeStore } from './node-store.ts'
import type { RecentStates } from './recent-states.ts'
import { encodeSnapshot } from './snapshot-format.ts'
import { encodeConsensusMessage } from './topics.ts'

export interface ServedParts {
  readonly chain: Chain
  readonly store: NodeStore
  readonly recent: RecentStates
  readonly turns: Turns
  /** Votes and proposals that an asker with this summary lacks. */
  readonly missing: (summary: Uint8Array) => Promise<readonly Message[]>
  readonly submit: (transaction: Uint8Array) => Promise<Hash>
  readonly oldestHeight: () => number
}

export function servedChain(parts: ServedParts): ServedChain {
  const { chain, store, recent, turns, missing, submit, oldestHeight } = parts
  const modelNames = createModelNames(chain)
  return {
    modelsNamed: modelNames,
    head() {
      // What is final is told only once it is on the disk.
      const { header, hash } = recent.at()
      return { networkId: chain.networkId, height: header.height, blockHash: hash, oldestHeight: oldestHeight() }
    },
    block: (height) => store.block(height),
    validators: (setHash) => store.validators(setHash),
    missing: async (summary) => (await missing(summary)).map(encodeConsensusMessage),
    snapshot() {
      const found = recent.snapshot
      if (found?.commit === undefined) return undefined
      const description = encodeSnapshot({ height: found.header.height, positions: recent.snapshotParts() })
      return [description, encodeHeader(found.header), writeCommit(new Writer(8_192), found.commit).finish()]
    },
    snapshotPart(height, index) {
      const found = recent.snapshot
      const position = found?.header.height === height ? recent.snapshotParts()[index] : undefined
      if (found === undefined || position === undefined) return undefined
      return encodePart(treePart(found.tree, position.depthBits, position.index))
    },
    stateProof: (key) => encodeProof(proveKey(recent.at().tree, key)),
    async transaction(id) {
      const place = await store.placeOf(id)
      const stored = place && (await store.block(place.height))
      if (place === undefined || stored === undefined) return undefined
      const { transactions } = decodeBlock(stored.block)
      const ids = await turns.run(idsOf(transactions))
      const proof = writeInclusionProof(new Writer(512), proveTransaction(ids, place.position)).finish()
      return [writeCount(new Writer(8), place.height).finish(), transactions[place.position]!, proof]
    },
    history: (account, limit) => store.history(account, Math.min(limit, NODE_LIMITS.historyMax)),
    async submit(transaction) {
      await submit(transaction)
    },
    *waiting() {
      // Who gives out what has a bad proof is blamed.
      for (const { transaction, isProven } of chain.mempool.all()) if (isProven) yield transactionBytes(transaction)
    },
  }
}

/** Read once per block, since anybody may ask as often as it likes. */
function createModelNames(chain: Chain): (name: string) => readonly Hash[] {
  let readAt: number | undefined
  let byName: ReadonlyMap<string, readonly (readonly [Hash, ModelRecord])[]> = new Map()
  return (name) => {
    if (readAt !== chain.header.height) byName = Map.groupBy(models(chain.state), ([, record]) => record.name)
    readAt = chain.header.height
    const order = (record: ModelRecord): number => (record.status === 'active' ? 0 : 1)
    const named = (byName.get(name) ?? []).toSorted(([, one], [, other]) => order(one) - order(other))
    return named.map(([model]) => model)
  }
}

/** Anybody may ask for this as often as it likes. */
function* idsOf(transactions: readonly Uint8Array[]): Steps<Hash[]> {
  const ids: Hash[] = []
  for (const bytes of transactions) {
    ids.push(decodeTransaction(bytes).id)
    yield
  }
  return ids
}

function transactionBytes({ signedBytes, signature }: { signedBytes: Uint8Array; signature: Uint8Array }): Uint8Array {
  return new Writer(signedBytes.length + signature.length).raw(signedBytes).raw(signature).finish()
}
