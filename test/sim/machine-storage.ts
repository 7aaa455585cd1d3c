/**
 * The storage of one simulated machine: store and disk with delays, which lose their power together. A process that is dead
 * gets no answer: its promises stay open for ever, as those of a real one.
 * @module
 */
import type { Disk } from '../../src/app/store/disk.ts'
import type { KeyValueStore } from '../../src/app/store/key-value.ts'
import { createSimDisk } from './disk.ts'
import { type CrashKind, createChance, type FaultKind, SimulatedCrash } from './faults.ts'
import { createSimStore } from './store.ts'
import type { Timeline } from './timeline.ts'

export type Device = 'disk' | 'store'

export interface MachineStorage {
  /** A life's handles. `onCrash` is called when an operation cuts the power. */
  open(onCrash: () => void): { readonly disk: Disk; readonly store: KeyValueStore }
  crash(kind: CrashKind): void
  /** The `operation`-th change from now goes wrong. */
  plan(device: Device, operation: number, kind: FaultKind): void
  /** A file of the disk as it is now. */
  peek(name: string): Uint8Array | undefined
}

export interface StorageOptions {
  readonly seed: number
  /** An operation takes up to so long, half of the time nothing. */
  readonly latencyMsMax: number
}

export function createMachineStorage(timeline: Timeline, { seed, latencyMsMax }: StorageOptions): MachineStorage {
  const chance = createChance(seed)
  const disk = createSimDisk(seed + 1)
  const store = createSimStore(seed + 2)
  const latency = (): number => (chance.pick(2) === 0 ? 0 : chance.pick(latencyMsMax + 1))
  let life = 0
  const crash = (kind: CrashKind): void => {
    life++
    disk.crash(kind)
    store.crash(kind)
  }
  return {
    crash,
    open(onCrash) {
      const own = ++life
      const isDead = (): boolean => own !== life
      const lose = (): void => {
        if (isDead()) return
        crash('power')
        onCrash()
      }
      const parts = { timeline, latency, isDead, lose }
      return { disk: slowDisk(disk.open(), createQueue(parts)), store: slowStore(store.open(), createQueue(parts)) }
    },
    plan: (device, operation, kind) => (device === 'disk' ? disk : store).plan(operation, kind),
    peek: disk.peek,
  }
}

interface QueueParts {
  readonly timeline: Timeline
  readonly latency: () => number
  readonly isDead: () => boolean
  readonly lose: () => void
}

/** Carries out an operation after all earlier ones of the same device. */
type Queue = <Result>(operation: () => Promise<Result>) => Promise<Result>

/** Time passes before and after an operation, so that a crash may find it not begun, or done and not reported. */
function createQueue({ timeline, latency, isDead, lose }: QueueParts): Queue {
  let last: Promise<unknown> = Promise.resolve()
  const pass = async (): Promise<void> => {
    const delayMs = latency()
    if (delayMs > 0) await new Promise<void>((resolve) => timeline.schedule(delayMs, resolve))
    if (isDead()) await never()
  }
  const carryOut = async <Result>(operation: () => Promise<Result>): Promise<Result> => {
    await pass()
    try {
      const result = await operation()
      await pass()
      return result
    } catch (error) {
      if (error instanceof SimulatedCrash) lose()
      if (isDead()) await never()
      throw error
    }
  }
  return (operation) => {
    const result = last.then(() => carryOut(operation))
    last = result.catch(() => undefined)
    return result
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}

function slowDisk(disk: Disk, queue: Queue): Disk {
  return {
    read: (name) => queue(() => disk.read(name)),
    replace: (name, bytes) => queue(() => disk.replace(name, bytes)),
    append: (name, bytes, options) => queue(() => disk.append(name, bytes, options)),
    truncate: (name, length) => queue(() => disk.truncate(name, length)),
    remove: (name) => queue(() => disk.remove(name)),
    close: () => queue(() => disk.close()),
  }
}

/** Reading is not slowed down: it changes nothing, and nothing waits for it while others hear of it. */
function slowStore(store: KeyValueStore, queue: Queue): KeyValueStore {
  return {
    get: (key) => store.get(key).catch(silence),
    batch: (operations, options) => queue(() => store.batch(operations, options)),
    entries: (range) => store.entries(range),
    close: () => queue(() => store.close()),
  }
}

/** A dead process hears nothing, not even that it is dead. */
function silence(error: unknown): Promise<never> {
  return error instanceof SimulatedCrash ? never() : Promise.reject(error)
}
