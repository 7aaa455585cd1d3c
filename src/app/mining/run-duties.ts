/**
 * Duties as blocks come: each looks at the newest block, one look of a duty at a time, and none waits for another. A duty that fails is told
 * once and looks again at the next block; a chain that goes away is asked for again.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import { codeOf, messageOf } from '../../base/error.ts'
import type { Clock, Log } from '../../base/ports.ts'
import type { ChainAccess, HeadView } from '../chain/chain-access.ts'
import type { Duty, MiningNotes } from './duty.ts'

/** Between two attempts to watch a chain that went away. */
const AGAIN_MS = milliseconds(1_000)

export interface DutiesPorts {
  readonly clock: Clock
  readonly log: Log
  readonly notes: MiningNotes
}

export interface DutiesToRun {
  readonly chain: ChainAccess
  readonly duties: readonly Duty[]
  /** Told of each new block, before the duties. */
  readonly onHead: (head: HeadView) => void
  /** The chain went away; a new block says that it is back. */
  readonly onLost: () => void
}

/** Resolves when the signal has fired and no duty is at work. */
export async function runDuties(toRun: DutiesToRun, ports: DutiesPorts, signal: AbortSignal): Promise<void> {
  const { chain, duties, onHead, onLost } = toRun
  const runners = duties.map((duty) => createRunner(duty, ports, signal))
  const follow = async (): Promise<void> => {
    for await (const head of chain.watch(signal)) {
      onHead(head)
      for (const runner of runners) runner.offer(head)
    }
  }
  while (!signal.aborted) {
    await follow().catch((error: unknown) => {
      if (signal.aborted) return
      // Also what is a bug: a miner with open leases goes on.
      ports.log.write('warn', 'mining.chain_lost', { code: codeOf(error) ?? 'BUG', why: messageOf(error) })
    })
    if (!signal.aborted) onLost()
    if (!signal.aborted) await ports.clock.sleep(AGAIN_MS, signal).catch(() => undefined)
  }
  await Promise.all(runners.map(({ idle }) => idle()))
}

interface Runner {
  offer(head: HeadView): void
  /** Resolves when no look is at work. */
  idle(): Promise<void>
}

function createRunner(duty: Duty, { log, notes }: DutiesPorts, signal: AbortSignal): Runner {
  let next: HeadView | undefined
  let running: Promise<void> | undefined
  let told: string | undefined

  const look = async (head: HeadView): Promise<void> => {
    try {
      await duty.look(head, signal)
      told = undefined
    } catch (error) {
      if (signal.aborted) return
      const code = codeOf(error) ?? 'BUG'
      log.write('warn', 'mining.duty_failed', { duty: duty.name, code, why: messageOf(error) })
      if (told === code) return
      told = code
      notes.say({
        type: 'problem',
        text: `${duty.name}: ${messageOf(error)} (${code})`,
        details: { duty: duty.name, code },
      })
    }
  }
  const run = async (): Promise<void> => {
    while (next !== undefined && !signal.aborted) {
      const head = next
      next = undefined
      await look(head)
    }
  }
  return {
    offer(head) {
      next = head
      running ??= run().finally(() => {
        running = undefined
      })
    },
    idle: async () => running,
  }
}
