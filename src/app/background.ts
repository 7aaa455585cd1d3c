/**
 * What long-running commands share, whether a person or another process started them: one process per name, the word to
 * the starter, waiting for the end. Spec: docs/spec/home.md §4.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { milliseconds } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'
import { UsageError } from './base-command.ts'
import { type Lock, tryLock } from './devnet/lock.ts'
import { isRunning } from './devnet/process.ts'
import type { Home } from './home.ts'
import type { Network } from './networks.ts'
import { isName, isTcpAddress } from './settings.ts'
import type { System } from './system.ts'

export class BackgroundError extends HouseError<'NODE_NAME_IN_USE' | 'STARTER_GONE'> {}

/** Two processes of one name would be one peer at two places. @throws BackgroundError NODE_NAME_IN_USE. */
export async function lockNode(home: Home, name: string): Promise<Lock> {
  if (!isName(name)) {
    throw new UsageError('USAGE', `--name takes letters, digits, ".", "_" and "-", not "${name}".`)
  }
  const lock = await tryLock(home.file('nodes', `${name}.lock`), HOLDER)
  if ('release' in lock) return lock
  const message = `A miner or node called ${name} runs already (process ${lock.holder}). Stop it, or give this one another --name.`
  throw new BackgroundError('NODE_NAME_IN_USE', message, { details: { name, pid: lock.holder } })
}

/** Whether a process holds the name. */
export async function isNodeRunning(home: Home, name: string): Promise<boolean> {
  const pid = Number(await readFile(home.file('nodes', `${name}.lock`), 'utf8').catch(() => '0'))
  return isRunning(pid, HOLDER)
}

/** A part of the command line of whoever holds the lock: Node's own name. */
const HOLDER = 'node'

/** libp2p debounces a change of addresses by a second, which would keep a process that has nothing left to do. */
const LEAVE_MS = milliseconds(50)

export function leaveSoon({ clock }: Pick<System, 'clock'>): void {
  clock.schedule(LEAVE_MS, () => process.exit())
}

/** The network with further peers to meet first. @throws UsageError. */
export function withBootstrap(network: Network, more: readonly string[]): Network {
  const wrong = more.find((address) => !isTcpAddress(address))
  if (wrong !== undefined) {
    throw new UsageError('USAGE', `--bootstrap takes an address such as /ip4/192.0.2.1/tcp/4001, not "${wrong}".`)
  }
  return { ...network, bootstrap: [...network.bootstrap, ...more] }
}

/** A process that started this one in the background waits for this word; without it, nobody knows of this one. */
export function tellStarter(ready: object): void {
  if (process.send === undefined) return
  const gone = 'The process that started this one ended before it was ready.'
  if (!process.connected) throw new BackgroundError('STARTER_GONE', gone)
  process.send(ready, undefined, {}, () => process.channel?.unref())
}

/** Resolves when the signal fires. */
export function untilAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
