/**
 * The outside world as interfaces: time, chance and speech. `app/system.ts` holds the real ones,
 * `test/` the seeded ones. Storage and the wire have their own ports beside their users.
 * @module
 */
import type { Milliseconds } from './brand.ts'

/** Monotonic time. `now` counts from an arbitrary origin; `wallMs` is Unix time for display and expiry stamps only. */
export interface Clock {
  now(): Milliseconds
  wallMs(): Milliseconds
  /** Resolves after `delayMs`, or rejects with the signal's reason when aborted first. */
  sleep(delayMs: Milliseconds, signal?: AbortSignalLike): Promise<void>
  /** Calls `task` once after `delayMs`; the returned function cancels it. */
  schedule(delayMs: Milliseconds, task: () => void): () => void
}

/** Cryptographic randomness in the real node; a seeded generator in tests. */
export interface Random {
  bytes(length: number): Uint8Array
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Structured log. Fields never hold secrets, prompts or completions. */
export interface Log {
  write(level: LogLevel, event: string, fields?: Readonly<Record<string, string | number | boolean | undefined>>): void
}

/** The part of AbortSignal that the house needs; the platform's AbortSignal satisfies it. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void): void
  removeEventListener(type: 'abort', listener: () => void): void
}
