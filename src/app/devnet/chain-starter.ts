/**
 * Who starts the chain of the local network in the background, after a first chat: how others see that it is at work, and
 * wait for it. Spec: docs/spec/home.md §5.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { milliseconds } from '../../base/brand.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import { type Home, writeFileAtomic } from '../home.ts'
import { isRunning } from './process.ts'

/** A part of the command line of the starter: a flag of `dllm devnet up`. */
export const STARTER_MARK = '--only-chain'

/** Between two looks at a starter. */
const LOOK_MS = milliseconds(50)
/** A wait that a person notices. */
const NOTICED_MS = 300

/** 0: there was none. */
export async function starterPid(home: Home): Promise<number> {
  return Number(await readFile(starterFile(home), 'utf8').catch(() => '0'))
}

export async function isStarterRunning(home: Home): Promise<boolean> {
  return isRunning(await starterPid(home), STARTER_MARK)
}

export async function rememberStarter(home: Home, pid: number): Promise<void> {
  await writeFileAtomic(starterFile(home), String(pid))
}

export interface StarterWait {
  readonly home: Home
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told that this takes a moment, if it does. */
  readonly note?: ((text: string) => void) | undefined
}

/**
 * Resolves when nobody is starting the local chain any more: it runs then, or why it does not is in its log. For
 * DEADLINES.devnetReadyMs at most; false then.
 */
export async function untilChainStarted({ home, clock, signal, note }: StarterWait): Promise<boolean> {
  const beganMs = clock.now()
  let isTold = false
  while (await isStarterRunning(home)) {
    const waitedMs = clock.now() - beganMs
    if (waitedMs > DEADLINES.devnetReadyMs) return false
    if (!isTold && waitedMs > NOTICED_MS) note?.('The chain of the local network is starting…')
    isTold ||= waitedMs > NOTICED_MS
    await clock.sleep(LOOK_MS, signal)
  }
  return true
}

function starterFile(home: Home): string {
  return home.file('devnet', 'chain', 'starter')
}
