/**
 * What a miner has seen take the place of what, kept across its lives: the chain forgets models that retired, and the people who start miners by the name of
 * one do not hear of it.
 * Spec: docs/spec/posts.md §4, docs/spec/home.md §6.
 * @module
 */
import { readFile, stat } from 'node:fs/promises'
import { type Hash, hash } from '../../base/brand.ts'
import { MINING_LIMITS } from '../../base/chain-limits.ts'
import { writeFileAtomic } from '../home.ts'
import { recordsFile } from './network-folder.ts'

export interface VersionRecord {
  readonly model: Hash
  readonly name: string
  readonly successor: Hash
}

export interface VersionRecords {
  readonly successors: ReadonlyMap<Hash, Hash>
  /** The model of this name or hash that had its place taken; the latest of several. */
  find(text: string): Hash | undefined
  /** What cannot be written is forgotten with the process. */
  note(model: { readonly model: Hash; readonly name: string }, successor: Hash): Promise<void>
  /** It has its place back. */
  forget(model: Hash): Promise<void>
}

/** `folder`: `mining/NAME/`. What cannot be read counts as nothing. */
export async function openVersionRecords(folder: string, networkId: Hash): Promise<VersionRecords> {
  const path = recordsFile(folder, networkId)
  const text = await readText(path)
  const records = new Map(parseVersionRecords(text).map((record) => [record.model, record]))
  const successors = new Map([...records.values()].map(({ model, successor }) => [model, successor]))
  const write = async (): Promise<void> => {
    const kept = [...records.values()].slice(-MINING_LIMITS.versionRecordsMax)
    await writeFileAtomic(path, `${JSON.stringify(kept)}\n`).catch(() => undefined)
  }
  return {
    successors,
    find: (name) =>
      [...records.values()].findLast((one) => one.name === name || one.model === name.toLowerCase())?.model,
    async note({ model, name }, successor) {
      if (successors.get(model) === successor) return
      // The latest are the last.
      records.delete(model)
      records.set(model, { model, name, successor })
      successors.set(model, successor)
      await write()
    },
    async forget(model) {
      if (!records.delete(model)) return
      successors.delete(model)
      await write()
    },
  }
}

async function readText(path: string): Promise<string> {
  const { size } = await stat(path).catch(() => ({ size: 0 }))
  return size > MINING_LIMITS.versionRecordsBytesMax ? '' : await readFile(path, 'utf8').catch(() => '')
}

/** What is no record is left out. */
export function parseVersionRecords(text: string): VersionRecord[] {
  try {
    const found: unknown = JSON.parse(text)
    return Array.isArray(found) ? found.filter(isRecord).slice(-MINING_LIMITS.versionRecordsMax).map(recordOf) : []
  } catch {
    return []
  }
}

const HASH = /^[0-9a-f]{64}$/

function isRecord(value: unknown): value is Record<keyof VersionRecord, string> {
  if (typeof value !== 'object' || value === null) return false
  const { model, name, successor } = value as Partial<Record<keyof VersionRecord, unknown>>
  return [model, successor].every((part) => typeof part === 'string' && HASH.test(part)) && typeof name === 'string'
}

function recordOf({ model, name, successor }: Record<keyof VersionRecord, string>): VersionRecord {
  return { model: hash(model), name, successor: hash(successor) }
}
