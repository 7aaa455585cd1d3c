/**
 * What a node keeps: final blocks with their commits, the state after the newest, validator sets, and indexes of
 * transactions, accounts and the market. A final block is one batch, on the disk before anybody hears of it. Knows no rule of the
 * chain. Spec: docs/spec/store.md §7.
 * @module
 */
import { bytesToHex } from '@noble/hashes/utils.js'
import { type AccountId, type Hash, hash } from '../../base/brand.ts'
import { NODE_LIMITS } from '../../base/chain-limits.ts'
import { Reader, Writer } from '../../base/codec.ts'
import { HouseError } from '../../base/error.ts'
import type { Steps } from '../../base/steps.ts'
import { type Commit, readCommit, writeCommit } from '../../core/block/block.ts'
import {
  type Member,
  readMembers,
  type ValidatorSet,
  validatorSet,
  writeMembers,
} from '../../core/consensus/validator-set.ts'
import { readCount, readHash, writeCount, writeHash } from '../../core/fields.ts'
import type { StateChanges, StateKey } from '../../core/state/state.ts'
import type { BatchOperation, KeyValueStore } from '../store/key-value.ts'
import { AT_ONCE, type Turns } from '../turns.ts'
import {
  createMarketIndex,
  type MarketBlock,
  type MarketIndex,
  marketOperations,
  sinceOperation,
} from './market-index.ts'
import * as keys from './store-keys.ts'

export class NodeStoreError extends HouseError<'CHAIN_STORE_FOREIGN' | 'CHAIN_STORE_VERSION' | 'CHAIN_STORE_DAMAGED'> {}

const STORE_VERSION = 1

/** A final block as it is kept. */
export interface StoredBlock {
  readonly height: number
  readonly hash: Hash
  /** Encoded. */
  readonly block: Uint8Array
  /** The commit that made it final. */
  readonly commit: Commit
}

/** What a block's transactions are found by. */
export interface IndexedTransaction {
  readonly id: Hash
  /** Sender and whoever else it touches; each once. */
  readonly accounts: readonly AccountId[]
}

export interface FinalBlock extends StoredBlock, MarketBlock {
  readonly stateChanges: StateChanges
  readonly transactions: readonly IndexedTransaction[]
  /** Of the next height. */
  readonly nextValidators: ValidatorSet
}

/** Where the store stands. */
export interface StoreMeta {
  readonly networkId: Hash
  readonly height: number
  readonly hash: Hash
  /** Oldest height whose block is kept; 1 unless pruned or begun from a snapshot. */
  readonly oldestHeight: number
}

export interface Place {
  readonly height: number
  readonly position: number
}

/** A whole state at a height, as a snapshot brings it. */
export interface StoredSnapshot extends StoredBlock {
  readonly networkId: Hash
  readonly entries: StateChanges
  readonly validators: readonly ValidatorSet[]
}

export interface NodeStore {
  /** undefined: nothing yet. @throws NodeStoreError when it is another network's or version's. */
  meta(networkId: Hash): Promise<StoreMeta | undefined>
  /** Every entry of the state after the newest block. */
  state(): AsyncIterable<readonly [StateKey, Uint8Array]>
  /** The state of the genesis block, before any block. */
  begin(networkId: Hash, genesisHash: Hash, state: StateChanges, validators: readonly ValidatorSet[]): Promise<void>
  /** On the disk when it resolves. */
  save(final: FinalBlock): Promise<void>
  /** Replaces everything by a snapshot; cut off in the middle, the store is empty at the next start. */
  replace(snapshot: StoredSnapshot): Promise<void>
  block(height: number): Promise<StoredBlock | undefined>
  heightOf(blockHash: Hash): Promise<number | undefined>
  placeOf(transaction: Hash): Promise<Place | undefined>
  /** Newest first. */
  history(account: AccountId, limit: number): Promise<readonly Hash[]>
  validators(setHash: Hash): Promise<ValidatorSet | undefined>
  /** Its records are forgotten by itself, not with the blocks. */
  readonly market: MarketIndex
  /** Forgets the blocks below `height`, a bounded number per call; `indexOf` reads a block's transactions. */
  prune(height: number, indexOf: (block: Uint8Array) => Steps<readonly IndexedTransaction[]>): Promise<number>
  close(): Promise<void>
}

/** `turns`: in which what a block leads to is put together. */
export function createNodeStore(store: KeyValueStore, turns: Turns = AT_ONCE): NodeStore {
  let meta: StoreMeta | undefined
  let hasMarket = false
  const write = async (operations: BatchOperation[], next: StoreMeta): Promise<void> => {
    await store.batch([...operations, put(keys.META_KEY, encodeMeta(next))], { sync: true, turns })
    meta = next
  }
  const readBlock = async (height: number): Promise<StoredBlock | undefined> => {
    const block = await store.get(keys.blockKey(height))
    const kept = await store.get(keys.commitKey(height))
    if (block === undefined || kept === undefined) return undefined
    const commit = readCommit(new Reader(kept))
    return { height, hash: commit.blockHash, block, commit }
  }
  return {
    async meta(networkId) {
      const bytes = await store.get(keys.META_KEY)
      meta = bytes === undefined ? undefined : decodeMeta(bytes, networkId)
      return meta
    },
    async *state() {
      const skipped = keys.STATE_PREFIX.length
      for await (const [key, value] of store.entries(keys.rangeOf(keys.STATE_PREFIX))) {
        yield [bytesToHex(key.subarray(skipped)) as StateKey, value]
      }
    },
    async begin(networkId, genesisHash, state, validators) {
      // A replacement that was cut off leaves entries behind.
      await clear(store)
      const operations = [...stateOperations(state), ...validators.map(putValidators), sinceOperation(1)]
      await write(operations, { networkId, height: 0, hash: genesisHash, oldestHeight: 1 })
    },
    async save(final) {
      const { height, hash: blockHash } = final
      // A store that was begun before there were records of the market knows them from here on.
      hasMarket ||= (await store.get(keys.MARKET_SINCE_KEY)) !== undefined
      const operations = await turns.run(operationsOf(final, !hasMarket))
      await write(operations, { ...meta!, height, hash: blockHash })
    },
    async replace(snapshot) {
      await clear(store)
      for (let at = 0; at < snapshot.entries.length; at += NODE_LIMITS.entriesPerBatch) {
        const part = snapshot.entries.slice(at, at + NODE_LIMITS.entriesPerBatch)
        await store.batch(stateOperations(part), { sync: false })
      }
      const { networkId, height, hash: blockHash, validators } = snapshot
      const kept = [...blockOperations(snapshot), ...validators.map(putValidators)]
      const operations = [...kept, sinceOperation(height + 1)]
      await write(operations, { networkId, height, hash: blockHash, oldestHeight: height })
    },
    block: readBlock,
    async heightOf(blockHash) {
      const bytes = await store.get(keys.blockHashKey(blockHash))
      return bytes && keys.readNumber(bytes)
    },
    async placeOf(transaction) {
      const bytes = await store.get(keys.transactionKey(transaction))
      if (bytes === undefined) return undefined
      const reader = new Reader(bytes)
      return { height: readCount(reader), position: reader.u16() }
    },
    async history(account, limit) {
      const ids: Hash[] = []
      const range = { ...keys.rangeOf(keys.historyPrefix(account)), limit }
      for await (const [, value] of store.entries(range)) ids.push(hash(bytesToHex(value)))
      return ids
    },
    async validators(setHash) {
      const bytes = await store.get(keys.validatorSetKey(setHash))
      return bytes && validatorSet(readMembers(new Reader(bytes)).map(ownMember))
    },
    async prune(height, indexOf) {
      if (meta === undefined) return 0
      const from = meta.oldestHeight
      const until = Math.min(height, meta.height, from + NODE_LIMITS.blocksPrunedPerCall)
      if (until <= from) return 0
      const operations: BatchOperation[] = []
      for (let at = from; at < until; at++) {
        const block = await readBlock(at)
        if (block !== undefined) operations.push(...removals(block, await turns.run(indexOf(block.block))))
      }
      await write(operations, { ...meta, oldestHeight: until })
      return until - from
    },
    market: createMarketIndex(store),
    close: () => store.close(),
  }
}

function* operationsOf(final: FinalBlock, isFirst: boolean): Steps<BatchOperation[]> {
  const { stateChanges, transactions, height } = final
  const operations = [...blockOperations(final), putValidators(final.nextValidators)]
  yield
  for (let at = 0; at < stateChanges.length; at += ITEMS_PER_STEP) {
    operations.push(...stateOperations(stateChanges.slice(at, at + ITEMS_PER_STEP)))
    yield
  }
  for (const [position, transaction] of transactions.entries()) {
    operations.push(...indexOperations(transaction, { height, position }))
    if (position % ITEMS_PER_STEP === ITEMS_PER_STEP - 1) yield
  }
  return [...operations, ...(yield* marketOperations(final, isFirst))]
}

/** Some ten microseconds each. */
const ITEMS_PER_STEP = 128

function blockOperations({ height, hash: blockHash, block, commit }: StoredBlock): BatchOperation[] {
  return [
    put(keys.blockKey(height), block),
    put(keys.commitKey(height), writeCommit(new Writer(8_192), commit).finish()),
    put(keys.blockHashKey(blockHash), keys.numberBytes(height)),
  ]
}

function stateOperations(changes: StateChanges): BatchOperation[] {
  return changes.map(([key, value]) => {
    const bytes = keys.stateKeyBytes(key)
    return value === undefined ? { type: 'delete', key: bytes } : put(bytes, value)
  })
}

function indexOperations({ id, accounts }: IndexedTransaction, { height, position }: Place): BatchOperation[] {
  const place = writeCount(new Writer(16), height).u16(position).finish()
  const idBytes = keys.transactionKey(id).subarray(1)
  return [
    put(keys.transactionKey(id), place),
    ...accounts.map((account) => put(keys.historyKey(account, height, position), idBytes)),
  ]
}

function removals(stored: StoredBlock, transactions: readonly IndexedTransaction[]): BatchOperation[] {
  const { height } = stored
  const gone = [keys.blockKey(height), keys.commitKey(height), keys.blockHashKey(stored.hash)]
  for (const [position, { id, accounts }] of transactions.entries()) {
    gone.push(keys.transactionKey(id), ...accounts.map((account) => keys.historyKey(account, height, position)))
  }
  return gone.map((key) => ({ type: 'delete', key }))
}

function putValidators(set: ValidatorSet): BatchOperation {
  return put(keys.validatorSetKey(set.hash), writeMembers(new Writer(4_096), set.members).finish())
}

/** The meta goes first: from then on the store is empty for whoever opens it. */
async function clear(store: KeyValueStore): Promise<void> {
  await store.batch([{ type: 'delete', key: keys.META_KEY }], { sync: true })
  let operations: BatchOperation[] = []
  for await (const [key] of store.entries()) {
    operations.push({ type: 'delete', key })
    if (operations.length < NODE_LIMITS.entriesPerBatch) continue
    await store.batch(operations, { sync: false })
    operations = []
  }
  await store.batch(operations, { sync: true })
}

function encodeMeta({ networkId, height, hash: blockHash, oldestHeight }: StoreMeta): Uint8Array {
  const writer = writeHash(new Writer(128).u16(STORE_VERSION), networkId)
  return writeCount(writeHash(writeCount(writer, height), blockHash), oldestHeight).finish()
}

function decodeMeta(bytes: Uint8Array, networkId: Hash): StoreMeta {
  const reader = new Reader(bytes)
  const version = reader.u16()
  if (version !== STORE_VERSION) {
    const message = `The chain's store has version ${version}, and this program reads version ${STORE_VERSION}. Use the dllm that made it, or start with an empty folder.`
    throw new NodeStoreError('CHAIN_STORE_VERSION', message, { details: { version } })
  }
  const found = readHash(reader)
  if (found !== networkId) {
    const message = `The chain's store belongs to another network (${found.slice(0, 12)}…, not ${networkId.slice(0, 12)}…). Give this node another --name, or remove its chain folder.`
    throw new NodeStoreError('CHAIN_STORE_FOREIGN', message, { details: { found, networkId } })
  }
  const meta = { networkId, height: readCount(reader), hash: readHash(reader), oldestHeight: readCount(reader) }
  reader.finish()
  return meta
}

/** Without views of the bytes that were read. */
function ownMember(member: Member): Member {
  return { ...member, consensusKey: member.consensusKey.slice(), seedKey: member.seedKey.slice() }
}

function put(key: Uint8Array, value: Uint8Array): BatchOperation {
  return { type: 'put', key, value }
}
