/**
 * The mode of a running miner, as its file says, looked at once a second.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import { type MiningMode, readMode } from './mode.ts'

const LOOK_MS = milliseconds(1_000)

export interface WatchedMode {
  now(): MiningMode
  close(): void
}

export async function watchMode(folder: string, clock: Clock): Promise<WatchedMode> {
  let mode = await readMode(folder)
  let cancel = (): void => undefined
  let isClosed = false
  const lookLater = (): void => {
    cancel = clock.schedule(LOOK_MS, () => {
      void readMode(folder).then((read) => {
        mode = read
        if (!isClosed) lookLater()
      })
    })
  }
  lookLater()
  return {
    now: () => mode,
    close() {
      isClosed = true
      cancel()
    },
  }
}
