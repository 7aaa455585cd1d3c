/**
 * `dllm node --repair`: saves what is whole of a node's files and keeps the rest aside. Nothing is deleted. The sign state and the
 * newest vote are never touched: where they are damaged, nobody knows what the validator is bound to.
 * Spec: docs/spec/store.md §2, §4.
 * @module
 */
import { rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { STORE_LIMITS } from '../../base/chain-limits.ts'
import { codeOf } from '../../base/error.ts'
import type { FastAcceptance } from '../../core/ed25519.ts'
import type { Genesis } from '../../core/genesis.ts'
import { syncFolder } from '../home.ts'
import { type Disk, openDisk } from '../store/disk.ts'
import { readJournal } from '../store/journal-format.ts'
import type { KeyValueStore } from '../store/key-value.ts'
import { freeDamagedPath, repairStore } from '../store/level-repair.ts'
import { openLevelStore } from '../store/level-store.ts'
import { storeError } from '../store/store-error.ts'
import { findChainDamage } from './chain-damage.ts'
import type { NodeFolder } from './node-folders.ts'

export interface RepairOptions {
  readonly genesis: Genesis
  readonly accepts?: FastAcceptance | undefined
}

const JOURNAL = 'journal'

/**
 * What was done, as sentences. The node is not running. Afterwards it starts, unless the sign state is damaged.
 * @throws StoreError STORE_LOCKED, STORE_DISK_FULL, STORE_NOT_WRITABLE; NodeStoreError when the store is another network's.
 */
export async function repairNode(folder: NodeFolder, options: RepairOptions): Promise<readonly string[]> {
  const chain = await repairChain(folder.store, options)
  const disk = await openDisk(folder.disk)
  try {
    return [...chain, ...(await repairJournal(disk))]
  } finally {
    await disk.close()
  }
}

async function repairChain(path: string, options: RepairOptions): Promise<readonly string[]> {
  if ((await stat(path).catch(() => undefined)) === undefined) return ['There is no chain here yet.']
  const opened = await openOrRepair(path)
  if (opened.store === undefined) return [await beginAnew(path, 'Nothing of it could be read.')]
  const damage = await findChainDamage(opened.store, options.genesis, options.accepts).finally(() =>
    opened.store?.close(),
  )
  if (damage !== undefined) return [...opened.lines, await beginAnew(path, damage)]
  return opened.lines.length > 0
    ? opened.lines
    : ['The chain’s store is whole: every block and the state were checked.']
}

interface Opened {
  /** undefined: nothing can be saved. */
  readonly store: KeyValueStore | undefined
  readonly lines: readonly string[]
}

async function openOrRepair(path: string): Promise<Opened> {
  try {
    return { store: await openLevelStore(path), lines: [] }
  } catch (error) {
    if (codeOf(error) !== 'STORE_CORRUPT') throw error
  }
  try {
    const { damagedPath, droppedTables, droppedLogBytes } = await repairStore(path)
    const lost = `${droppedTables.length} ${droppedTables.length === 1 ? 'table' : 'tables'} and ${droppedLogBytes} bytes of the log`
    const line = `The chain’s store was damaged; it is kept in ${damagedPath}. ${lost} were left out of the repaired one.`
    return { store: await openLevelStore(path), lines: [line] }
  } catch (error) {
    if (codeOf(error) !== 'STORE_CORRUPT') throw error
    return { store: undefined, lines: [] }
  }
}

/** Moves the store away: the node begins at the genesis block. */
async function beginAnew(path: string, damage: string): Promise<string> {
  const aside = await freeDamagedPath(path)
  await rename(path, aside)
  await syncFolder(dirname(path))
  return `The chain in the store is not whole. ${damage} It is kept in ${aside}. The node begins at the genesis block and fetches the rest from other nodes; if there is none that has it, put that folder back.`
}

/** The lock is in the file of the newest vote, so the validator goes on without its journal. */
async function repairJournal(disk: Disk): Promise<readonly string[]> {
  const bytes = await disk.read(JOURNAL)
  if (bytes === undefined || readJournal(bytes).type === 'whole') return []
  const aside = await freeName(disk)
  await disk.replace(aside, bytes)
  await disk.remove(JOURNAL)
  return [
    `The journal was damaged; it is kept as ${aside}. What the validator signed last, and what it is locked on, is kept beside it.`,
  ]
}

async function freeName(disk: Disk): Promise<string> {
  for (let number = 1; number <= STORE_LIMITS.damagedCopiesMax; number++) {
    const name = `${JOURNAL}.damaged-${number}`
    if ((await disk.read(name)) === undefined) return name
  }
  throw storeError(
    'STORE_FAILED',
    JOURNAL,
    new Error(`${STORE_LIMITS.damagedCopiesMax} damaged copies are there already`),
  )
}
