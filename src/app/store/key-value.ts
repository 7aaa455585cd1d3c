/**
 * KeyValueStore: the port through which a node keeps blocks and state. Keys are ordered as bytes; a batch happens wholly
 * or not at all. Knows nothing of what is kept. `level-store.ts` is the one on disk; test/contract has the suite that
 * every implementation passes.
 * Spec: docs/spec/store.md §1.
 * @module
 */
import { assert } from '../../base/assert.ts'
import { STORE_LIMITS } from '../../base/chain-limits.ts'
import type { Turns } from '../turns.ts'

export type BatchOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'delete'; readonly key: Uint8Array }

export interface BatchOptions {
  readonly sync: boolean
  /** In which a large batch is put together; left out: at once. */
  readonly turns?: Turns | undefined
}

export interface EntryRange {
  /** First key, itself included; the start of the store when left out. */
  readonly from?: Uint8Array
  /** End of the range, itself excluded; the end of the store when left out. */
  readonly until?: Uint8Array
  /** At most so many entries. */
  readonly limit?: number
  /** From the last key to the first; `limit` counts from the last. */
  readonly reverse?: boolean
}

export type Entry = readonly [key: Uint8Array, value: Uint8Array]

/**
 * All functions reject with StoreError. Bytes given in are copied before the call returns or the promise settles, so they must
 * not change until then; bytes given out belong to the caller.
 */
export interface KeyValueStore {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  /**
   * Applies all operations or none, in their order; batches take effect in the order of the calls. With `sync` it
   * resolves when the batch and all before it survive a power loss. After a batch has failed nobody knows whether it is on disk: the
   * store then refuses every further batch with the same error until it is opened again.
   */
  batch(operations: readonly BatchOperation[], options: BatchOptions): Promise<void>
  /** Entries of one moment, that of the first `next`: later batches do not change what comes. */
  entries(range?: EntryRange): AsyncIterable<Entry>
  /** Waits for batches under way. Further calls are refused with STORE_CLOSED; closing twice is fine. */
  close(): Promise<void>
}

/** Keys and values out of bounds are bugs of the caller: nothing from a peer is stored without a smaller bound of its own. */
export function assertBatch(operations: readonly BatchOperation[]): void {
  let bytes = 0
  for (const operation of operations) {
    assertKey(operation.key)
    const valueBytes = operation.type === 'put' ? operation.value.length : 0
    assert(valueBytes <= STORE_LIMITS.valueBytesMax, 'a value fits the store')
    bytes += operation.key.length + valueBytes
  }
  assert(bytes <= STORE_LIMITS.batchBytesMax, 'a batch fits the store')
}

/** The empty key is refused: it is too easily the bytes of something that was left out. */
export function assertKey(key: Uint8Array): void {
  assert(key.length > 0 && key.length <= STORE_LIMITS.keyBytesMax, 'a key has 1 byte or more and fits the store')
}
