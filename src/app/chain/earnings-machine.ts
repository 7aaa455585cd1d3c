/**
 * What the data folder of this machine knows of miners' earnings beside the chain: whose keys are here, what a miner said last, and what its
 * journals have been promised. Changes nothing; the miner may be running. Spec: docs/spec/cli.md §12.
 * @module
 */
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { Hash } from '../../base/brand.ts'
import type { Random } from '../../base/ports.ts'
import type { Counters } from '../../core/market/counters.ts'
import type { Home } from '../home.ts'
import { lotFileName } from '../market/lot-journal.ts'
import { lotEntries } from '../market/lot-reader.ts'
import { lotsFolder } from '../mining/network-folder.ts'
import { EVENTS_FILE } from '../mining/notes.ts'
import { loadNodeIdentity, publicKeyOfPeer } from '../node-identity.ts'

/** A miner whose key is in this data folder. */
export interface LocalMiner {
  readonly name: string
  /** Hexadecimal, Ed25519. */
  readonly peerKey: string
}

/** Why a miner of this machine had nothing to do, or what went wrong, in its own words. */
export interface MinerNote {
  /** Unix time. */
  readonly timeMs: number
  readonly text: string
}

const KEY_SUFFIX = '.key'
/** Some hundred lines. */
const TAIL_BYTES = 64 * 1024
const TOLD: readonly unknown[] = ['idle', 'problem']

/** Keys that cannot be read are left out: whoever starts their miner is told. */
export async function localMiners(home: Home, random: Random): Promise<LocalMiner[]> {
  const files = await readdir(home.file('nodes')).catch((): string[] => [])
  const found: LocalMiner[] = []
  for (const file of files.filter((each) => each.endsWith(KEY_SUFFIX)).toSorted()) {
    const identity = await loadNodeIdentity(home.file('nodes', file), random).catch(() => undefined)
    const key = identity && publicKeyOfPeer(identity.peer)
    if (key !== undefined) found.push({ name: file.slice(0, -KEY_SUFFIX.length), peerKey: bytesToHex(key) })
  }
  return found
}

/** undefined where the miner never said why. */
export async function lastNote(home: Home, name: string): Promise<MinerNote | undefined> {
  const file = await open(home.file('mining', name, EVENTS_FILE), 'r').catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const { size } = await file.stat()
    const bytes = new Uint8Array(Math.min(size, TAIL_BYTES))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length)
    return lastNoteIn(new TextDecoder().decode(bytes.subarray(0, bytesRead)))
  } catch {
    return undefined
  } finally {
    await file.close()
  }
}

/** The last reason in lines of JSON; what is no such line is passed by. */
export function lastNoteIn(text: string): MinerNote | undefined {
  for (const line of text.split('\n').reverse()) {
    const note = noteOf(line)
    if (note !== undefined) return note
  }
  return undefined
}

function noteOf(line: string): MinerNote | undefined {
  try {
    const { event, timeMs, text } = JSON.parse(line) as { event?: unknown; timeMs?: unknown; text?: unknown }
    if (!TOLD.includes(event) || typeof text !== 'string' || !Number.isSafeInteger(timeMs)) return undefined
    return { timeMs: timeMs as number, text }
  } catch {
    return undefined
  }
}

export interface Promises {
  /** What the newest voucher for a lot promises, as its miner has it on disk; undefined without one. */
  counters(name: string, lease: Hash): Promise<Counters | undefined>
}

interface Promised {
  readonly file: number
  readonly bytes: number
  readonly counters: Counters | undefined
}

/** Journals at whose end somebody looked. */
const PROMISES_MAX = 512

/** Reads a journal's last file again only when it has grown. */
export function createPromises(home: Home, networkId: Hash): Promises {
  const known = new Map<string, Promised>()
  return {
    async counters(name, lease) {
      const folder = join(lotsFolder(home.file('mining', name), networkId), lease)
      const { file, bytes } = await lastFile(folder)
      const before = known.get(folder)
      if (before?.file === file && before.bytes === bytes) return before.counters
      const counters = await lastCounters(folder, file)
      known.delete(folder)
      known.set(folder, { file, bytes, counters })
      if (known.size > PROMISES_MAX) known.delete(known.keys().next().value!)
      return counters
    },
  }
}

async function lastCounters(folder: string, file: number): Promise<Counters | undefined> {
  let counters: Counters | undefined
  try {
    for await (const { voucher } of lotEntries(folder, file)) counters = voucher.counters
  } catch {
    // A damaged journal is told by its miner.
    return undefined
  }
  return counters
}

/** A file may have been begun without a record yet: then the one before it. */
async function lastFile(folder: string): Promise<Pick<Promised, 'file' | 'bytes'>> {
  const sizeOf = async (file: number): Promise<number> =>
    (await stat(join(folder, lotFileName(file))).catch(() => undefined))?.size ?? 0
  let file = 0
  let bytes = await sizeOf(file)
  for (;;) {
    const next = await sizeOf(file + 1)
    if (next === 0) return { file, bytes }
    file++
    bytes = next
  }
}
