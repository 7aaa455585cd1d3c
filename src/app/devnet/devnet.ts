/**
 * The local network: real miner processes on loopback, one group per model, each holding a part of it. Started by
 * `dllm devnet up` or by the first chat, reused by later ones, stopped by `dllm devnet down`.
 * @module
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { milliseconds } from '../../base/brand.ts'
import { messageOf } from '../../base/error.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import type { Home } from '../home.ts'
import type { StoredModel } from '../model-store.ts'
import { withDeadline } from '../ring/timer.ts'
import {
  DevnetError,
  type DevnetGroup,
  type DevnetMiner,
  readGroup,
  readGroups,
  removeGroup,
  writeGroup,
} from './devnet-state.ts'
import { endProcesses, isRunning, startProcess } from './process.ts'

export const DEFAULT_MINERS = 3

export interface EnsureOptions {
  readonly home: Home
  readonly model: StoredModel
  /** Undefined: keep what runs, or start DEFAULT_MINERS (fewer for a model of fewer segments). */
  readonly miners: number | undefined
  readonly threads: number
}

/** What a miner tells its starter when it serves. */
export interface MinerReady {
  readonly peer: string
  readonly addresses: readonly string[]
}

/** The running group of a model, started if need be. `started` says whether it was. */
export async function ensureGroup(
  options: EnsureOptions,
  ports: { clock: Clock },
): Promise<{ group: DevnetGroup; started: boolean }> {
  const { home, model } = options
  return withLock(home, ports.clock, async () => {
    const known = await readGroup(home, model.manifest.name)
    if (known && isAsWanted(known, options) && (await isHealthy(known))) return { group: known, started: false }
    if (known) await stopGroup(home, known, ports)
    return { group: await startGroup(options, ports), started: true }
  })
}

function isAsWanted(group: DevnetGroup, { model, miners }: EnsureOptions): boolean {
  return group.hash === model.hash && (miners === undefined || miners === group.miners.length)
}

async function isHealthy(group: DevnetGroup): Promise<boolean> {
  const running = await Promise.all(group.miners.map(({ pid, name }) => isRunning(pid, name)))
  return running.every(Boolean)
}

/** Every group with the health of its processes. */
export async function inspectGroups(home: Home): Promise<{ group: DevnetGroup; running: boolean[] }[]> {
  const groups = await readGroups(home)
  return Promise.all(
    groups.map(async (group) => {
      return { group, running: await Promise.all(group.miners.map(({ pid, name }) => isRunning(pid, name))) }
    }),
  )
}

/** Stops all groups; returns how many processes they had. */
export async function stopAll(home: Home, ports: { clock: Clock }): Promise<number> {
  return withLock(home, ports.clock, async () => {
    const groups = await readGroups(home)
    for (const group of groups) await stopGroup(home, group, ports)
    return groups.reduce((sum, { miners }) => sum + miners.length, 0)
  })
}

async function stopGroup(home: Home, group: DevnetGroup, ports: { clock: Clock }): Promise<void> {
  await endProcesses(
    group.miners.map(({ pid, name }) => ({ pid, mark: name })),
    ports,
  )
  await removeGroup(home, group.model)
}

async function startGroup(options: EnsureOptions, ports: { clock: Clock }): Promise<DevnetGroup> {
  const { home, model, threads } = options
  const { name, segments } = model.manifest
  const count = options.miners ?? Math.min(DEFAULT_MINERS, segments.length)
  if (count < 1 || count > segments.length) {
    const message = `${name} has ${segments.length} segments, so it can be split over 1 to ${segments.length} miners, not ${count}.`
    throw new DevnetError('DEVNET_TOO_MANY_MINERS', message, { details: { miners: count, segments: segments.length } })
  }
  await home.folder('devnet', 'logs')
  const bounds = Array.from({ length: count + 1 }, (_, index) => Math.round((index * segments.length) / count))
  const starting = bounds.slice(1).map((lastSegment, index) => {
    return startMiner(options, { index, firstSegment: bounds[index]!, lastSegment })
  })
  const late = () => new Error('it was not ready in time')
  const limit = { clock: ports.clock, delayMs: DEADLINES.devnetReadyMs, late }
  const settled = await Promise.allSettled(
    starting.map(({ ready }) => withDeadline(limit, (signal) => Promise.race([ready, rejected(signal)]))),
  )
  const failed = settled.findIndex(({ status }) => status === 'rejected')
  if (failed >= 0) {
    await endProcesses(
      starting.map(({ pid, name: mark }) => ({ pid, mark })),
      ports,
    )
    throw minerFailed(starting[failed]!.logFile, (settled[failed] as PromiseRejectedResult).reason)
  }
  const miners = settled.map((result) => (result as PromiseFulfilledResult<DevnetMiner>).value)
  const group: DevnetGroup = { model: name, hash: model.hash, threads, miners }
  await writeGroup(home, group)
  return group
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

function startMiner(
  { home, model, threads }: EnsureOptions,
  part: { index: number; firstSegment: number; lastSegment: number },
) {
  const name = `local-${model.manifest.name}-${part.index + 1}`
  const logFile = home.file('devnet', 'logs', `${name}.log`)
  const segments = `${part.firstSegment + 1}-${part.lastSegment}`
  const args = ['mine', '--home', home.path, '--network', 'local', '--name', name, '--model', model.manifest.name]
  const { pid, ready } = startProcess<MinerReady>(
    [...args, '--segments', segments, '--threads', String(threads), '--listen', '/ip4/127.0.0.1/tcp/0'],
    logFile,
  )
  const { firstSegment, lastSegment } = part
  const miner = ready.then(({ peer, addresses }): DevnetMiner => {
    return { name, pid, peer, addresses, firstSegment, lastSegment }
  })
  return { name, pid, ready: miner, logFile }
}

function minerFailed(logFile: string, reason: unknown): DevnetError {
  const message = `A miner of the local network did not start: ${messageOf(reason)}. Its log is ${logFile}; \`dllm doctor\` may say more.`
  return new DevnetError('DEVNET_MINER_FAILED', message, { details: { logFile } })
}

const LOCK_LOOK_MS = milliseconds(50)

/** One starter or stopper at a time per data folder; the lock of a process that died is taken over. */
async function withLock<Result>(home: Home, clock: Clock, work: () => Promise<Result>): Promise<Result> {
  const path = home.file('devnet', 'lock')
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const untilMs = clock.now() + DEADLINES.devnetReadyMs + DEADLINES.shutdownMs
  while (!(await tryLock(path))) {
    if (clock.now() > untilMs) {
      const message = `Another dllm is starting or stopping the local network. If none is, delete ${path}.`
      throw new DevnetError('DEVNET_LOCKED', message, { details: { path } })
    }
    await clock.sleep(LOCK_LOOK_MS)
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx', mode: 0o600 })
    return true
  } catch {
    const holder = Number(await readFile(path, 'utf8').catch(() => ''))
    if (holder > 0 && !(await isRunning(holder, ''))) await rm(path, { force: true })
    return false
  }
}
