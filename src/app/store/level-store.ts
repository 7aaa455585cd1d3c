/**
 * The store on disk: LevelDB by classic-level. LevelDB as its bindings set it up believes damaged files: it skips damaged
 * records of its log, and reads tables without looking at their checksums. Hence every file is checked before it is
 * opened (`level-files.ts`), and every value carries a checksum that is checked when it is read.
 * Spec: docs/spec/store.md §2.
 * @module
 */
import { mkdir } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import type { ClassicLevel, OpenOptions } from 'classic-level'
import type { Steps } from '../../base/steps.ts'
import { AT_ONCE } from '../turns.ts'
import {
  assertBatch,
  assertKey,
  type BatchOperation,
  type Entry,
  type EntryRange,
  type KeyValueStore,
} from './key-value.ts'
import { checkLevelFiles } from './level-files.ts'
import { createSerial } from './serial.ts'
import { asStoreError, type StoreError, storeError } from './store-error.ts'

export type Level = ClassicLevel<Uint8Array, Uint8Array>

const CHECKSUM_BYTES = 4
const ENCODINGS = { keyEncoding: 'view', valueEncoding: 'view' } as const

/**
 * Opens the store in the folder `path`, creating it 0700.
 * @throws StoreError STORE_LOCKED, STORE_CORRUPT (`repairStore` helps), STORE_DISK_FULL, STORE_NOT_WRITABLE, STORE_FAILED.
 */
export async function openLevelStore(path: string): Promise<KeyValueStore> {
  const level = await openLevel(path)
  return createLevelStore(level, path)
}

/** Checks the files and opens them. @throws StoreError. */
export async function openLevel(path: string): Promise<Level> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await assertUnlocked(path)
    await checkLevelFiles(path)
    return await openWith(path, {})
  } catch (error) {
    throw asStoreError(error, path)
  }
}

/** A new ClassicLevel opens itself in the next tick, so its options must be given at once. */
async function openWith(path: string, options: OpenOptions): Promise<Level> {
  const { ClassicLevel } = await import('classic-level')
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { ...ENCODINGS, ...options })
  await level.open()
  return level
}

/**
 * Files of a running process change while they are looked at, so they must not be checked then. LevelDB takes its lock before
 * it refuses to open a store that must not exist; nothing else happens.
 */
export async function assertUnlocked(path: string): Promise<void> {
  try {
    await openWith(path, { createIfMissing: false, errorIfExists: true })
  } catch (error) {
    const failure = asStoreError(error, path)
    if (failure.code !== 'STORE_CORRUPT') throw failure
  }
}

function createLevelStore(level: Level, path: string): KeyValueStore {
  const serial = createSerial()
  let failure: StoreError | undefined
  let closing: Promise<void> | undefined

  const assertOpen = (): void => {
    if (closing !== undefined) throw storeError('STORE_CLOSED', path)
  }

  return {
    async get(key) {
      assertKey(key)
      assertOpen()
      const stored = await level.get(key).catch((error: unknown) => Promise.reject(asStoreError(error, path)))
      return stored === undefined ? undefined : unseal(key, stored, path)
    },
    async batch(operations, { sync, turns = AT_ONCE }) {
      assertBatch(operations)
      assertOpen()
      const chained = level.batch()
      const filled = turns.run(fill(chained, operations))
      await serial(async () => {
        await filled
        try {
          if (failure === undefined) return await chained.write({ sync })
        } catch (error) {
          failure = asStoreError(error, path)
          throw failure
        }
        await chained.close()
        throw failure
      })
    },
    async *entries(range = {}) {
      assertOpen()
      try {
        for await (const [key, stored] of level.iterator(iteratorOptions(range))) {
          yield [plain(key), unseal(key, stored, path)] satisfies Entry
        }
      } catch (error) {
        throw asStoreError(error, path)
      }
    },
    close() {
      closing ??= serial(() => level.close()).catch((error: unknown) => Promise.reject(asStoreError(error, path)))
      return closing
    },
  }
}

function iteratorOptions({ from, until, limit, reverse }: EntryRange) {
  return {
    ...(from !== undefined && { gte: from }),
    ...(until !== undefined && { lt: until }),
    ...(limit !== undefined && { limit }),
    reverse: reverse ?? false,
  }
}

/** LevelDB takes copies. */
function* fill(chained: ReturnType<Level['batch']>, operations: readonly BatchOperation[]): Steps {
  for (const [at, operation] of operations.entries()) {
    if (operation.type === 'put') chained.put(operation.key, seal(operation.key, operation.value))
    else chained.del(operation.key)
    if (at % OPERATIONS_PER_STEP === OPERATIONS_PER_STEP - 1) yield
  }
}

/** A few microseconds each. */
const OPERATIONS_PER_STEP = 128

/** The value, then CRC-32 of key and value. */
function seal(key: Uint8Array, value: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(value.length + CHECKSUM_BYTES)
  sealed.set(value)
  new DataView(sealed.buffer).setUint32(value.length, checksum(key, value), true)
  return sealed
}

/** A view of the value inside. @throws StoreError STORE_CORRUPT. */
function unseal(key: Uint8Array, stored: Uint8Array, path: string): Uint8Array {
  const value = unsealed(key, stored)
  if (value === undefined) throw storeError('STORE_CORRUPT', path, new Error('a value does not match its checksum'))
  return value
}

/** The value inside, or undefined when it is not what was written under this key. */
export function unsealed(key: Uint8Array, stored: Uint8Array): Uint8Array | undefined {
  const length = stored.length - CHECKSUM_BYTES
  if (length < 0) return undefined
  const value = plain(stored).subarray(0, length)
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength)
  return view.getUint32(length, true) === checksum(key, value) ? value : undefined
}

/** The same bytes as Uint8Array: LevelDB gives Buffers. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Begins with the key's length, so that no byte can move between key and value. */
function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value, crc32(key, key.length))
}
