/**
 * A disk in memory that fails, tears and forgets as a seed says, for tests that must see every fault again. It passes the
 * Disk suite while no fault is planned.
 * @module
 */
import { assertFileName, type Disk } from '../../src/app/store/disk.ts'
import { StoreError, storeError } from '../../src/app/store/store-error.ts'
import { type Chance, type CrashKind, createChance, createLives, type FaultKind } from './faults.ts'

export interface SimDisk {
  /** Starts a life: the handle of the life before is dead, as after a restart. */
  open(): Disk
  crash(kind: CrashKind): void
  /** The `operation`-th replace, append, truncate or remove from now goes wrong; 1 is the next. */
  plan(operation: number, kind: FaultKind): void
  /** Replace, append, truncate and remove so far. */
  count(): number
  /** What is in a file now, behind the node's back. */
  peek(name: string): Uint8Array | undefined
  /** Changes a file behind the node's back, for good. */
  poke(name: string, bytes: Uint8Array): void
}

const SECTOR_BYTES = 512

interface File {
  /** What the system would give to a reader. */
  written: Uint8Array
  /** Survives a power loss; undefined while not even the name does. `written` begins with it. */
  durable: Uint8Array | undefined
}

export function createSimDisk(seed: number): SimDisk {
  const chance = createChance(seed)
  const files = new Map<string, File>()
  const lives = createLives(chance, () => {
    for (const [name, file] of files) loseUnsynced({ files, name, file }, chance)
  })
  return {
    open: () => openLife({ chance, files, lives, life: lives.begin(), failures: new Map() }),
    crash: lives.crash,
    plan: lives.plan,
    count: lives.count,
    peek: (name) => files.get(name)?.written.slice(),
    poke: (name, bytes) => void files.set(name, { written: bytes.slice(), durable: bytes.slice() }),
  }
}

interface Life {
  readonly chance: Chance
  readonly files: Map<string, File>
  readonly lives: ReturnType<typeof createLives>
  readonly life: number
  /** Files with a failed append. */
  readonly failures: Map<string, StoreError>
}

function openLife(context: Life): Disk {
  const { files, lives, life } = context
  let isClosed = false
  /** Effects happen at the call, so their order is that of the calls. */
  const run = <Result>(name: string, task: () => Result): Promise<Result> => {
    assertFileName(name)
    try {
      lives.assertAlive(life)
      if (isClosed) throw storeError('STORE_CLOSED', name)
      return Promise.resolve(task())
    } catch (error) {
      return Promise.reject(error)
    }
  }
  return {
    read: (name) => run(name, () => files.get(name)?.written.slice()),
    replace: (name, bytes) => run(name, () => replace(context, name, bytes)),
    append: (name, bytes, { sync }) => run(name, () => append(context, { name, bytes, sync })),
    truncate: (name, length) => run(name, () => truncate(context, name, length)),
    remove: (name) => run(name, () => remove(context, name)),
    close() {
      isClosed = true
      return Promise.resolve()
    },
  }
}

function replace({ files, failures, lives, life }: Life, name: string, bytes: Uint8Array): void {
  const copy = bytes.slice()
  lives.change(life, () => storeError('STORE_DISK_FULL', name), {
    // The rename cannot be seen half done, and a power loss keeps it or not; here it keeps it.
    whole: () => void files.set(name, { written: copy, durable: copy }),
    sync: () => void failures.delete(name),
  })
}

interface Append {
  readonly name: string
  readonly bytes: Uint8Array
  readonly sync: boolean
}

function append({ chance, files, failures, lives, life }: Life, { name, bytes, sync }: Append): void {
  const earlier = failures.get(name)
  if (earlier !== undefined) throw earlier
  const file = files.get(name) ?? { written: new Uint8Array(), durable: undefined }
  const write = (count: number): void => {
    file.written = joined(file.written, bytes.subarray(0, count))
    files.set(name, file)
  }
  try {
    lives.change(life, () => storeError('STORE_DISK_FULL', name), {
      part: () => write(chance.pick(bytes.length + 1)),
      whole: () => write(bytes.length),
      sync: () => {
        if (sync) file.durable = file.written
      },
    })
  } catch (error) {
    if (error instanceof StoreError) failures.set(name, error)
    throw error
  }
}

/** Not a Buffer, whose `slice` shares its bytes. */
function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}

function truncate({ files, failures, lives, life }: Life, name: string, length: number): void {
  const file = files.get(name)
  if (file === undefined) throw storeError('STORE_CORRUPT', name)
  lives.change(life, () => storeError('STORE_FAILED', name), {
    whole: () => {
      file.written = file.written.slice(0, length)
      file.durable = file.written
    },
    sync: () => void failures.delete(name),
  })
}

function remove({ files, failures, lives, life }: Life, name: string): void {
  lives.change(life, () => storeError('STORE_FAILED', name), {
    whole: () => void files.delete(name),
    sync: () => void failures.delete(name),
  })
}

interface NamedFile {
  readonly files: Map<string, File>
  readonly name: string
  readonly file: File
}

/** What was synced stays. Of the rest: nothing, a part, whole sectors, a part and then garbage, or all. */
function loseUnsynced({ files, name, file }: NamedFile, chance: Chance): void {
  const kept = file.durable?.length ?? 0
  const unsynced = file.written.length - kept
  const end = kept + chance.pick(unsynced + 1)
  const manner = chance.pick(5)
  if (manner === 0 && file.durable === undefined) {
    files.delete(name)
    return
  }
  const sectorEnd = Math.max(kept, end - (end % SECTOR_BYTES))
  const prefix = [kept, end, sectorEnd, end, file.written.length][manner]!
  const survivor = file.written.slice(0, manner === 3 ? file.written.length : prefix)
  if (manner === 3) for (let at = prefix; at < survivor.length; at++) survivor[at] = chance.pick(256)
  file.written = survivor
  file.durable = survivor
}
