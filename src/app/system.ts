/**
 * The real ports: clock, randomness, log. The only file of the program that reads time, sets timers or draws
 * random numbers (test/tidy.test.ts holds it to that). Everything else receives these as ports.
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { performance } from 'node:perf_hooks'
import { type Milliseconds, milliseconds } from '../base/brand.ts'
import { LOG_LIMITS } from '../base/limits.ts'
import type { AbortSignalLike, Clock, Log, LogLevel, Random } from '../base/ports.ts'

/** Ports of this process. */
export interface System {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface SystemOptions {
  /** Lowest level written; 'silent' writes nothing. Default warn. */
  readonly level?: LogLevel | 'silent'
  /** Lines go here instead of stderr; the file keeps LOG_LIMITS.fileBytesMax and one older file beside it. */
  readonly logFile?: string
}

type Fields = Parameters<Log['write']>[2]

const LEVELS: readonly (LogLevel | 'silent')[] = ['debug', 'info', 'warn', 'error', 'silent']

/** The real ports; no work is done until they are used. */
export function createSystem(options: SystemOptions = {}): System {
  const clock = createClock()
  return { clock, random: createRandom(), log: createLog(clock, options) }
}

/** The level that DLLM_LOG names, or `fallback` when it names none. */
export function logLevelFrom(text: string | undefined, fallback: LogLevel | 'silent'): LogLevel | 'silent' {
  return LEVELS.find((level) => level === text) ?? fallback
}

function createClock(): Clock {
  return {
    now: () => milliseconds(performance.now()),
    wallMs: () => milliseconds(Date.now()),
    sleep,
    schedule(delayMs, task) {
      const timer = setTimeout(task, delayMs)
      return () => clearTimeout(timer)
    },
  }
}

function sleep(delayMs: Milliseconds, signal?: AbortSignalLike): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason)
      return
    }
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, delayMs)
    signal?.addEventListener('abort', onAbort)
  })
}

/** Lets pending events run before the next line: for long synchronous loops. */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function createRandom(): Random {
  return { bytes: (length) => randomFillSync(new Uint8Array(length)) }
}

function createLog(clock: Clock, options: SystemOptions): Log {
  const threshold = LEVELS.indexOf(options.level ?? 'warn')
  const write = options.logFile === undefined ? writeStderr : fileWriter(options.logFile)
  return {
    write(level, event, fields) {
      if (LEVELS.indexOf(level) < threshold) return
      write(logLine(clock.wallMs(), level, event, fields))
    },
  }
}

/** `2026-11-21T02:51:00.000Z info stage.opened session=… rows=4`; texts with spaces are quoted. */
function logLine(wallMs: Milliseconds, level: LogLevel, event: string, fields: Fields): string {
  const parts = [new Date(wallMs).toISOString(), level, event]
  for (const [name, value] of Object.entries(fields ?? {})) {
    if (value === undefined) continue
    const text = String(value)
    parts.push(`${name}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`)
  }
  return `${parts.join(' ')}\n`
}

function writeStderr(line: string): void {
  process.stderr.write(line)
}

/** Appends synchronously, so that the last line before a crash is in the file. */
function fileWriter(path: string): (line: string) => void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  return (line) => {
    if (size + line.length > LOG_LIMITS.fileBytesMax) {
      renameSync(path, `${path}.1`)
      size = 0
    }
    appendFileSync(path, line, { mode: 0o600 })
    size += line.length
  }
}
