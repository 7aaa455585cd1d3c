/**
 * One starter or stopper at a time per data folder, for each part of the local network.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { DEADLINES } from '../../base/limits.ts'
import type { Clock } from '../../base/ports.ts'
import type { Home } from '../home.ts'
import { DevnetError } from './devnet-state.ts'
import { tryLock } from './lock.ts'

const LOCK_LOOK_MS = milliseconds(50)

/** Waits for the lock, then works. @throws DevnetError DEVNET_LOCKED. */
export async function withLock<Result>(
  { home, file }: { readonly home: Home; readonly file: string },
  clock: Clock,
  work: () => Promise<Result>,
): Promise<Result> {
  const path = home.file('devnet', file)
  const untilMs = clock.now() + DEADLINES.devnetReadyMs + DEADLINES.shutdownMs
  for (;;) {
    const lock = await tryLock(path)
    if ('release' in lock) return work().finally(() => lock.release())
    if (clock.now() > untilMs) {
      const message = `Another dllm (process ${lock.holder}) is starting or stopping the local network. If it is not, delete ${path}.`
      throw new DevnetError('DEVNET_LOCKED', message, { details: { path, holder: lock.holder } })
    }
    await clock.sleep(LOCK_LOOK_MS)
  }
}
