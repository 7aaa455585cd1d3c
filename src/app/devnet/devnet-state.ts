/**
 * What is written down about the local network: per model, the miner processes that were started and where they
 * listen. The file tells what should run; whether it does, the processes themselves tell.
 * @module
 */
import { readdir, readFile, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { HouseError } from '../../base/error.ts'
import { type Home, writeFileAtomic } from '../home.ts'

export class DevnetError extends HouseError<
  | 'DEVNET_BAD_STATE'
  | 'DEVNET_MINER_FAILED'
  | 'DEVNET_VALIDATOR_FAILED'
  | 'DEVNET_TOO_MANY_MINERS'
  | 'DEVNET_NOT_RUNNING'
  | 'DEVNET_LOCKED'
> {}

export interface DevnetMiner {
  /** Name of its identity and of its log. */
  readonly name: string
  readonly pid: number
  readonly peer: string
  readonly addresses: readonly string[]
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
  /** Of the wallet `local`, where it is paid; undefined: it serves for nothing, since all accounts are taken. */
  readonly account?: number | undefined
}

/** The miners of one model. */
export interface DevnetGroup {
  readonly model: string
  /** Hash of the model's manifest when they were started. */
  readonly hash: string
  readonly threads: number
  readonly miners: readonly DevnetMiner[]
}

const SUFFIX = '.json'

/** Groups that were started and not stopped, by model name. */
export async function readGroups(home: Home): Promise<DevnetGroup[]> {
  const entries = await readdir(home.file('devnet')).catch((): string[] => [])
  const files = entries.filter((entry) => entry.endsWith(SUFFIX)).sort()
  return Promise.all(files.map((file) => readGroup(home, basename(file, SUFFIX)))).then((groups) =>
    groups.filter((group) => group !== undefined),
  )
}

/** The group of a model; undefined when there is none. Throws DEVNET_BAD_STATE for a damaged file. */
export async function readGroup(home: Home, model: string): Promise<DevnetGroup | undefined> {
  const path = groupFile(home, model)
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const parsed = parseGroup(text)
  if (parsed) return parsed
  const message = `The file ${path} is damaged. Stop the miners that run (\`ps\` shows them), then delete it.`
  throw new DevnetError('DEVNET_BAD_STATE', message, { details: { path } })
}

export async function writeGroup(home: Home, group: DevnetGroup): Promise<void> {
  await writeFileAtomic(groupFile(home, group.model), `${JSON.stringify(group, undefined, 2)}\n`)
}

export async function removeGroup(home: Home, model: string): Promise<void> {
  await rm(groupFile(home, model), { force: true })
}

function groupFile(home: Home, model: string): string {
  return home.file('devnet', model + SUFFIX)
}

function parseGroup(text: string): DevnetGroup | undefined {
  try {
    const group = JSON.parse(text) as DevnetGroup
    const isSound =
      typeof group.model === 'string' && typeof group.hash === 'string' && group.miners.every((miner) => isMiner(miner))
    return isSound ? group : undefined
  } catch {
    return undefined
  }
}

function isMiner(miner: DevnetMiner): boolean {
  const { name, pid, peer, addresses } = miner
  const areTexts = [name, peer, ...addresses].every((text) => typeof text === 'string')
  return areTexts && Number.isInteger(pid) && pid > 1
}
