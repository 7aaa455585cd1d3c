/**
 * The local network: real miner processes on loopback, one group per model, each holding a part of it. Started by
 * `dllm devnet up` or by the first chat, reused by later ones, stopped by `dllm devnet down`.
 * @module
 */
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Clock } from '../../base/ports.ts'
import type { ModelManifest } from '../../ml/manifest.ts'
import { type SegmentRun, splitEvenly } from '../../ml/segments.ts'
import type { Home } from '../home.ts'
import type { StoredModel } from '../model-store.ts'
import {
  DevnetError,
  type DevnetGroup,
  type DevnetMiner,
  readGroup,
  readGroups,
  removeGroup,
  writeGroup,
} from './devnet-state.ts'
import { stopLocalChain } from './local-chain.ts'
import { withLock } from './local-lock.ts'
import { LOCAL_WALLET } from './local-wallet.ts'
import { forgetAccounts, type MinerAccounts, minerAccounts, rememberAccounts } from './miner-accounts.ts'
import { endProcesses, inTime, isRunning, logWords, startProcess } from './process.ts'

export const DEFAULT_MINERS = 3

export interface EnsureOptions {
  readonly home: Home
  readonly model: StoredModel
  /** Undefined: keep what runs, or start DEFAULT_MINERS (fewer for a model of fewer segments). */
  readonly miners: number | undefined
  /** Undefined: keep what runs, or start with `usualThreads`. */
  readonly threads?: number | undefined
  /** One per core if left out. */
  readonly usualThreads?: number
  /** Told before processes are started, which takes seconds. */
  readonly onStarting?: ((miners: number) => void) | undefined
}

/** What a miner tells its starter when it serves. */
export interface MinerReady {
  readonly peer: string
  readonly addresses: readonly string[]
}

export interface EnsuredGroup {
  readonly group: DevnetGroup
  /** How many processes had to be started. */
  readonly started: number
}

/** The running group of a model. Processes that are gone are started again; a group of another shape makes way. */
export async function ensureGroup(options: EnsureOptions, ports: { clock: Clock }): Promise<EnsuredGroup> {
  const { home, model } = options
  const wanted = partsOf(options)
  return withLock({ home, file: 'lock' }, ports.clock, async () => {
    const known = await readGroup(home, model.manifest.name)
    if (known === undefined) return startMiners(options, { kept: [], parts: wanted ?? defaultParts(model) }, ports)
    const running = await runningOf(known)
    if (
      !isComplete(known) ||
      known.hash !== model.hash ||
      !isAsWanted(known, { miners: wanted?.length, threads: options.threads })
    ) {
      await stopGroup(home, known, ports)
      return startMiners(options, { kept: [], parts: wanted ?? defaultParts(model) }, ports)
    }
    if (running.every(Boolean)) return { group: known, started: 0 }
    const kept = known.miners.filter((_, index) => running[index])
    const parts = known.miners.flatMap(({ firstSegment, lastSegment }, index) =>
      running[index] ? [] : [{ index, firstSegment, lastSegment }],
    )
    return startMiners({ ...options, threads: known.threads }, { kept, parts }, ports)
  })
}

/** False for a group whose starter ended before its miners were ready. */
function isComplete({ miners }: DevnetGroup): boolean {
  return miners.every(({ addresses }) => addresses.length > 0)
}

function isAsWanted(group: DevnetGroup, wanted: { miners: number | undefined; threads: number | undefined }): boolean {
  const { miners = group.miners.length, threads = group.threads } = wanted
  return miners === group.miners.length && threads === group.threads
}

/** One miner's share of a model. */
export interface Part extends SegmentRun {
  /** Its place in the group. */
  readonly index: number
}

/** Even parts for the wanted number of miners, if one is wanted. @throws DevnetError DEVNET_TOO_MANY_MINERS. */
export function partsOf({ model, miners }: Pick<EnsureOptions, 'model' | 'miners'>): Part[] | undefined {
  if (miners === undefined) return undefined
  const { name, segments } = model.manifest
  if (miners >= 1 && miners <= segments.length) return evenParts(segments, miners)
  const range = segments.length === 1 ? '1 miner' : `1 to ${segments.length} miners`
  const message = `${name} has ${segments.length} segments, so it can be split over ${range}, not ${miners}.`
  throw new DevnetError('DEVNET_TOO_MANY_MINERS', message, { details: { miners, segments: segments.length } })
}

function defaultParts({ manifest: { segments } }: StoredModel): Part[] {
  return evenParts(segments, Math.min(DEFAULT_MINERS, segments.length))
}

function evenParts(segments: ModelManifest['segments'], miners: number): Part[] {
  return splitEvenly(segments, miners).map((run, index) => ({ index, ...run }))
}

function runningOf({ miners }: DevnetGroup): Promise<boolean[]> {
  return Promise.all(miners.map(({ pid, name }) => isRunning(pid, name)))
}

/** Every group with the health of its processes. */
export async function inspectGroups(home: Home): Promise<{ group: DevnetGroup; running: boolean[] }[]> {
  const groups = await readGroups(home)
  return Promise.all(groups.map(async (group) => ({ group, running: await runningOf(group) })))
}

/** Stops all groups and the chain; returns how many processes of each ran. */
export async function stopAll(home: Home, ports: { clock: Clock }): Promise<{ miners: number; validators: number }> {
  const stopping = withLock({ home, file: 'lock' }, ports.clock, () => stopGroups(home, ports))
  const [miners, validators] = await Promise.all([stopping, stopLocalChain(home, ports)])
  return { miners, validators }
}

/** Ends the miners of a chain that is no more: on the one that took its place they have to begin anew. */
export async function leaveOldChain(home: Home, ports: { clock: Clock }): Promise<void> {
  await withLock({ home, file: 'lock' }, ports.clock, async () => {
    await stopGroups(home, ports)
    await forgetAccounts(home)
  })
}

async function stopGroups(home: Home, ports: { clock: Clock }): Promise<number> {
  const groups = await readGroups(home)
  const stopped = await Promise.all(groups.map((group) => stopGroup(home, group, ports)))
  return stopped.reduce((sum, count) => sum + count, 0)
}

async function stopGroup(home: Home, group: DevnetGroup, ports: { clock: Clock }): Promise<number> {
  const stopped = await endProcesses(
    group.miners.map(({ pid, name }) => ({ pid, mark: name })),
    ports,
  )
  await removeGroup(home, group.model)
  return stopped
}

/** Starts the miners of `parts` beside those that run; none is left when one fails. */
async function startMiners(
  options: EnsureOptions,
  { kept, parts }: { kept: readonly DevnetMiner[]; parts: readonly Part[] },
  ports: { clock: Clock },
): Promise<EnsuredGroup> {
  const { home, model, threads = options.usualThreads ?? availableParallelism() } = options
  const { name } = model.manifest
  options.onStarting?.(parts.length)
  await home.folder('devnet', 'logs')
  const accounts = await minerAccounts(
    home,
    parts.map((part) => minerName(model, part)),
  )
  const starting = parts.map((part) => startMiner({ home, model, threads, accounts }, part))
  const groupOf = (added: readonly DevnetMiner[]): DevnetGroup => {
    const miners = [...kept, ...added].sort((a, b) => a.firstSegment - b.firstSegment)
    return { model: name, hash: model.hash, threads, miners }
  }
  const settling = Promise.allSettled(starting.map(({ ready }) => inTime(ready, ports.clock)))
  // Known from now on, so that they can be stopped even if this process ends before they are ready.
  await writeGroup(home, groupOf(starting.map(({ miner }) => miner)))
  await rememberAccounts(home, accounts)
  const settled = await settling
  const failed = settled.findIndex(({ status }) => status === 'rejected')
  if (failed >= 0) {
    await stopGroup(home, groupOf(starting.map(({ miner }) => miner)), ports)
    throw await minerFailed(starting[failed]!, (settled[failed] as PromiseRejectedResult).reason)
  }
  const group = groupOf(settled.map((result) => (result as PromiseFulfilledResult<DevnetMiner>).value))
  await writeGroup(home, group)
  return { group, started: starting.length }
}

interface Starting {
  /** Without addresses. */
  readonly miner: DevnetMiner
  readonly ready: Promise<DevnetMiner>
  readonly logFile: string
  /** Bytes that the log had before. */
  readonly logStart: number
}

/** Of its identity and its log. */
function minerName(model: StoredModel, { index }: Part): string {
  return `local-${model.manifest.name}-${index + 1}`
}

function startMiner(
  { home, model, threads, accounts }: { home: Home; model: StoredModel; threads: number; accounts: MinerAccounts },
  part: Part,
): Starting {
  const name = minerName(model, part)
  const account = accounts[name]
  const logFile = home.file('devnet', 'logs', `${name}.log`)
  const logStart = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  const segments = `${part.firstSegment + 1}-${part.lastSegment}`
  const args = ['mine', '--home', home.path, '--network', 'local', '--name', name, '--model', model.manifest.name]
  // Chats that have no lease, as all before the chain runs, are served as well.
  const pay = account === undefined ? [] : ['--wallet', LOCAL_WALLET, '--account', String(account), '--free']
  const { pid, ready } = startProcess<MinerReady>(
    [...args, '--segments', segments, '--threads', String(threads), '--listen', '/ip4/127.0.0.1/tcp/0', ...pay],
    logFile,
  )
  const { firstSegment, lastSegment } = part
  const miner = { name, pid, peer: '', addresses: [], firstSegment, lastSegment, account }
  return { miner, ready: ready.then((told) => ({ ...miner, ...told })), logFile, logStart }
}

async function minerFailed({ logFile, logStart }: Starting, reason: unknown): Promise<DevnetError> {
  const words = await logWords({ logFile, logStart }, reason)
  const message = `A miner of the local network did not start: ${words} Its log is ${logFile}.`
  return new DevnetError('DEVNET_MINER_FAILED', message, { details: { logFile } })
}
