/**
 * A KeyValueStore in memory that fails and forgets as a seed says. Like LevelDB it writes batches one after the other into a
 * log, so a power loss takes the last ones that were not synced, each wholly. It passes the KeyValueStore suite while no
 * fault is planned.
 * @module
 */
import {
  assertBatch,
  assertKey,
  type BatchOperation,
  type EntryRange,
  type KeyValueStore,
} from '../../src/app/store/key-value.ts'
import { StoreError, storeError } from '../../src/app/store/store-error.ts'
import { type CrashKind, createChance, createLives, type FaultKind, type Lives } from './faults.ts'
import { createSortedMap, type SortedMap } from './sorted-map.ts'

export interface SimStore {
  /** Starts a life: the handle of the life before is dead, as after a restart. */
  open(): KeyValueStore
  crash(kind: CrashKind): void
  /** The `batch`-th batch from now goes wrong; 1 is the next. */
  plan(batch: number, kind: FaultKind): void
  /** Batches so far. */
  count(): number
}

const NAME = 'simulated store'

interface Contents {
  current: SortedMap
  /** What survives a power loss. */
  readonly durable: SortedMap
  /** Batches after `durable`, oldest first. */
  unsynced: (readonly BatchOperation[])[]
}

export function createSimStore(seed: number): SimStore {
  const chance = createChance(seed)
  const contents: Contents = { current: createSortedMap(), durable: createSortedMap(), unsynced: [] }
  const lives = createLives(chance, () => {
    contents.unsynced.length = chance.pick(contents.unsynced.length + 1)
    sync(contents)
    contents.current = contents.durable.copy()
  })
  return {
    open: () => openLife(contents, lives),
    crash: lives.crash,
    plan: lives.plan,
    count: lives.count,
  }
}

/** A store without faults. */
export function createMemoryStore(): KeyValueStore {
  return createSimStore(0).open()
}

function sync(contents: Contents): void {
  for (const batch of contents.unsynced) apply(contents.durable, batch)
  contents.unsynced = []
}

function apply(map: SortedMap, batch: readonly BatchOperation[]): void {
  for (const operation of batch) {
    if (operation.type === 'put') map.set(operation.key, operation.value)
    else map.delete(operation.key)
  }
}

function openLife(contents: Contents, lives: Lives): KeyValueStore {
  const life = lives.begin()
  let isClosed = false
  let failure: StoreError | undefined
  const assertOpen = (): void => {
    lives.assertAlive(life)
    if (isClosed) throw storeError('STORE_CLOSED', NAME)
  }
  const write = (operations: readonly BatchOperation[], isSynced: boolean): void => {
    assertBatch(operations)
    assertOpen()
    if (failure !== undefined) throw failure
    const batch = operations.map(copyOperation)
    try {
      lives.change(life, () => storeError('STORE_DISK_FULL', NAME), {
        whole: () => {
          apply(contents.current, batch)
          contents.unsynced.push(batch)
        },
        sync: () => {
          if (isSynced) sync(contents)
        },
      })
    } catch (error) {
      if (error instanceof StoreError) failure = error
      throw error
    }
  }
  return {
    get: async (key) => {
      assertKey(key)
      assertOpen()
      return contents.current.get(key)?.slice()
    },
    batch: async (operations, options) => write(operations, options.sync),
    async *entries(range: EntryRange = {}) {
      assertOpen()
      for (const [key, value] of contents.current.slice(range)) {
        yield [key, value.slice()]
        assertOpen()
      }
    },
    close: async () => {
      isClosed = true
    },
  }
}

function copyOperation(operation: BatchOperation): BatchOperation {
  const key = operation.key.slice()
  return operation.type === 'put' ? { type: 'put', key, value: operation.value.slice() } : { type: 'delete', key }
}
