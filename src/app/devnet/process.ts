/**
 * Processes of the local network: starting one in the background, asking whether a pid is still the one that we
 * started, and ending it.
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { milliseconds } from '../../base/brand.ts'
import { messageOf } from '../../base/error.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'

export interface StartedProcess<Ready> {
  readonly pid: number
  /** What the process said when it was ready; rejects with its exit code when it ends before. */
  readonly ready: Promise<Ready>
}

/** Time between two looks at a process that was told to end. */
const LOOK_MS = milliseconds(20)

/** `bin/run.js` of this package: this file lies three folders below its root, in src and in dist. */
const PROGRAM = fileURLToPath(new URL('../../../bin/run.js', import.meta.url))

/** The process ended before it was ready. */
export class EndedEarly extends Error {
  override readonly name: string = 'EndedEarly'
}

/**
 * What Node is to do for a miner: a young generation of 2 MiB instead of up to 64. Little of what a step makes lives longer than it, so a
 * larger one costs memory (some 50 MB) and caches, and saves nothing.
 */
const MINER_FLAGS = ['--max-semi-space-size=2']

/** One heap of glibc's malloc instead of one for each of ten threads, of which few take memory: 9 MB. The user's own word comes first. */
const MINER_ENVIRONMENT = { MALLOC_ARENA_MAX: '1' }

/** Starts `dllm ARGUMENTS` in the background; its output goes to `logFile`; it says once, by IPC, that it is ready. */
export function startProcess<Ready>(args: readonly string[], logFile: string): StartedProcess<Ready> {
  const child = spawnInBackground(args, logFile, ['ipc'])
  const ready = new Promise<Ready>((resolve, reject) => {
    child.once('message', (message) => {
      resolve(message as Ready)
      if (child.connected) child.disconnect()
      child.unref()
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new EndedEarly(`it ended with ${signal ?? `exit code ${code}`}`)))
  })
  return { pid: child.pid ?? -1, ready }
}

/** Starts `dllm ARGUMENTS` in the background and forgets it; its output goes to `logFile`. Returns its pid. */
export function startAndForget(args: readonly string[], logFile: string): number {
  const child = spawnInBackground(args, logFile, [])
  // What keeps it from starting is that process's own matter, and its log's.
  child.once('error', () => undefined)
  child.unref()
  return child.pid ?? 0
}

function spawnInBackground(args: readonly string[], logFile: string, further: readonly 'ipc'[]): ChildProcess {
  const log = openSync(logFile, 'a', 0o600)
  try {
    const isMiner = args[0] === 'mine'
    return spawn(process.execPath, [...(isMiner ? MINER_FLAGS : []), PROGRAM, ...args], {
      detached: true,
      env: { ...(isMiner ? MINER_ENVIRONMENT : {}), ...process.env },
      stdio: ['ignore', log, log, ...further],
      windowsHide: true,
    })
  } finally {
    closeSync(log)
  }
}

/** Rejects when the process is not ready within DEADLINES.devnetReadyMs. */
export function inTime<Value>(ready: Promise<Value>, clock: Clock): Promise<Value> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error('it was not ready in time'))
    const cancel = clock.schedule(milliseconds(DEADLINES.devnetReadyMs), late)
    ready.then(resolve, reject).finally(cancel)
  })
}

/** A process's own words say more than its exit code; those before `logStart` are of earlier runs. */
export async function logWords(
  { logFile, logStart }: { readonly logFile: string; readonly logStart: number },
  reason: unknown,
): Promise<string> {
  const log = await readFile(logFile).catch(() => Buffer.alloc(0))
  return /^Error: (.*)$/m.exec(log.subarray(logStart).toString())?.[1] ?? `${messageOf(reason)}.`
}

/**
 * Whether `pid` runs and its command line holds `mark`: a pid may have gone to somebody else since. A process that has
 * ended but was not collected, as in containers without an init process, has no command line.
 */
export async function isRunning(pid: number, mark: string): Promise<boolean> {
  // Zero and negative numbers name groups of processes, and 1 is the system's.
  if (pid <= 1 || !exists(pid)) return false
  const command = await commandLine(pid)
  // Where the system does not tell command lines, the pid alone must do.
  return command === undefined || (command !== '' && command.includes(mark))
}

interface Target {
  readonly pid: number
  readonly mark: string
}

/** Ends the processes that are ours: SIGTERM, then SIGKILL to those that stay. Returns how many ran. */
export async function endProcesses(targets: readonly Target[], ports: { clock: Clock }): Promise<number> {
  const ours = await onlyRunning(targets)
  for (const { pid } of ours) signal(pid, 'SIGTERM')
  const untilMs = ports.clock.now() + DEADLINES.shutdownMs
  let left = ours
  while (left.length > 0) {
    if (ports.clock.now() >= untilMs) for (const { pid } of left) signal(pid, 'SIGKILL')
    await ports.clock.sleep(LOOK_MS)
    left = await onlyRunning(left)
  }
  return ours.length
}

async function onlyRunning(targets: readonly Target[]): Promise<readonly Target[]> {
  const running = await Promise.all(targets.map(({ pid, mark }) => isRunning(pid, mark)))
  return targets.filter((_, index) => running[index])
}

function exists(pid: number): boolean {
  return signal(pid, 0)
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

async function commandLine(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return text.replaceAll('\0', ' ')
  }
  return new Promise((resolve) => {
    execFile('ps', ['-o', 'command=', '-p', String(pid)], (error, output) => resolve(error ? undefined : output))
  })
}
