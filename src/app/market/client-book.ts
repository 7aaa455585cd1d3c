/**
 * The leases that this data folder pays with: a folder for each, with the file of client-lease-file.ts, its vouchers, and a lock. What is written
 * is there before the chain or a miner knows of it, so whoever is killed at any moment finds its lease again. One process at a time uses
 * a lease. Knows no chain. Spec: docs/spec/home.md §7.
 * @module
 */
import { createHash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Hash, hash } from '../../base/brand.ts'
import { CodecError } from '../../base/codec.ts'
import { HouseError } from '../../base/error.ts'
import type { Clock } from '../../base/ports.ts'
import { genesisTextOf } from '../chain/genesis-text.ts'
import { type Lock, tryLock } from '../devnet/lock.ts'
import { systemCode } from '../file-errors.ts'
import type { Home } from '../home.ts'
import type { Network } from '../networks.ts'
import { type Disk, openDisk } from '../store/disk.ts'
import { decodeKeptLease, encodeKeptLease, type KeptLease } from './client-lease-file.ts'
import { createVoucherStore, type VoucherStore } from './voucher-store.ts'

export class LeaseBookError extends HouseError<'LEASE_BOOK_FULL'> {}

/** A lease that this process has for itself until it gives it back. */
export interface LeaseHold {
  readonly id: Hash
  /** What the file says; undefined before the first `keep`. */
  readonly kept: KeptLease | undefined
  readonly vouchers: VoucherStore
  /** There for good when it resolves. @throws StoreError, LeaseBookError LEASE_BOOK_FULL. */
  keep(lease: KeptLease): Promise<void>
  release(): Promise<void>
  /** Nothing of it is left. */
  forget(): Promise<void>
}

export interface LeaseBook {
  /** Those that are open as far as heights tell, the newest first; others are forgotten. What cannot be read is left out. */
  list(): Promise<readonly KeptLease[]>
  /** undefined: another process has it. */
  hold(id: Hash): Promise<LeaseHold | undefined>
  /** The lease is over; nothing happens where another process has it. */
  forget(id: Hash): Promise<void>
}

/** Twice what an account can have open. */
export const BOOK_LEASES_MAX = 128
const FILE = 'lease'
const LOCK = 'lock'
/** A part of the command line of whoever holds the lock: Node's own name. */
const HOLDER = 'node'
/** Blocks take longer than they must: a lease may be open for a while after its time. */
const OVER_MS = 3_600_000
const NAME_DIGITS = 16
const NAME = /^[0-9a-f]{64}$/

/** undefined: the network has no chain, or none yet. */
export async function findLeaseBook(
  home: Home,
  network: Network,
  ports: { readonly clock: Clock },
): Promise<LeaseBook | undefined> {
  const genesis = await genesisTextOf(home, network)
  return genesis === undefined ? undefined : leaseBookOf(home, genesis, ports)
}

/** The book for a network whose genesis is this text: another genesis is another network. */
export function leaseBookOf(home: Home, genesis: string, ports: { readonly clock: Clock }): LeaseBook {
  const name = createHash('sha256').update(genesis).digest('hex').slice(0, NAME_DIGITS)
  return createLeaseBook(home.file('leases', name), ports)
}

/** Over a folder, which need not be there. */
export function createLeaseBook(folder: string, { clock }: { readonly clock: Clock }): LeaseBook {
  const names = async (): Promise<Hash[]> => {
    const found = await readdir(folder).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return []
      throw error
    })
    return found.filter((name) => NAME.test(name)).map(hash)
  }

  const hold = async (id: Hash): Promise<LeaseHold | undefined> => {
    const lock = await tryLock(join(folder, id, LOCK), HOLDER)
    if (!('release' in lock)) return undefined
    try {
      const disk = await openDisk(join(folder, id))
      return await holdOf(id, { disk, lock, folder, names })
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  const forget = async (id: Hash): Promise<void> => {
    await (await hold(id))?.forget()
  }

  return {
    hold,
    forget,
    async list() {
      const found = await Promise.all((await names()).map((id) => readKept(join(folder, id, FILE))))
      const open: KeptLease[] = []
      for (const kept of found) {
        if (kept === undefined) continue
        if (kept.openUntilMs + OVER_MS > clock.wallMs()) open.push(kept)
        else await forget(kept.id)
      }
      return open.sort((a, b) => b.expiryHeight - a.expiryHeight)
    },
  }
}

interface HoldParts {
  readonly disk: Disk
  readonly lock: Lock
  readonly folder: string
  readonly names: () => Promise<readonly Hash[]>
}

async function holdOf(id: Hash, { disk, lock, folder, names }: HoldParts): Promise<LeaseHold> {
  const bytes = await disk.read(FILE)
  const wasThere = bytes !== undefined
  let kept = keptIn(bytes)
  const forget = async (): Promise<void> => {
    // First what tells of the lease: who takes the lock while the rest goes must find none, and not one without vouchers.
    await disk.remove(FILE)
    await disk.close()
    await rm(join(folder, id), { recursive: true, force: true })
    await lock.release()
  }
  const release = async (): Promise<void> => {
    // A folder in which nothing was kept counts as a lease otherwise, for ever.
    if (!wasThere && kept === undefined) return forget()
    await disk.close()
    await lock.release()
  }
  return {
    id,
    get kept() {
      return kept
    },
    vouchers: createVoucherStore(disk),
    async keep(lease) {
      if (kept === undefined && (await names()).length > BOOK_LEASES_MAX) throw bookFull(folder)
      await disk.replace(FILE, encodeKeptLease(lease))
      kept = lease
    },
    release,
    forget,
  }
}

/** What another process may be writing is read whole: it is replaced in one step. */
async function readKept(path: string): Promise<KeptLease | undefined> {
  return keptIn(await readFile(path).catch(() => undefined))
}

/** A file of another version, or a damaged one, is as good as none: its lease returns what is left at its end. */
function keptIn(bytes: Uint8Array | undefined): KeptLease | undefined {
  if (bytes === undefined) return undefined
  try {
    return decodeKeptLease(new Uint8Array(bytes))
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

function bookFull(folder: string): LeaseBookError {
  const message = `This data folder has ${BOOK_LEASES_MAX} open leases, as many as it keeps. \`dllm lease list\` shows them, and \`dllm lease close\` ends one.`
  return new LeaseBookError('LEASE_BOOK_FULL', message, { details: { folder } })
}
