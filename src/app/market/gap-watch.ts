/**
 * Whether a transaction is missing before others of its account that wait: one that nobody waits for any more, since its command or duty ended, may be
 * thrown away by the nodes, and a light client hears of that from nobody. All behind it would wait in vain.
 * Spec: docs/spec/cli.md §6.
 * @module
 */
import { type AccountId, milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import type { ChainAccess } from '../chain/chain-access.ts'
import { nextNonce } from '../chain/send-transaction.ts'

/** Between two looks. */
const LOOK_MS = milliseconds(4_000)
/** Final blocks without the missing one: it had its chance. */
const BLOCKS = 5

export interface GapWatch {
  /** Something waits. */
  begin(): void
  /** Nothing does. */
  end(): void
}

export interface GapWatchOptions {
  readonly chain: Pick<ChainAccess, 'account'>
  readonly clock: Clock
  readonly id: AccountId
  /** Of all that wait. */
  readonly nonces: () => readonly bigint[]
  /** Told the nonce that is missing. */
  readonly cutOff: (missing: bigint) => void
}

export function createGapWatch({ chain, clock, id, nonces, cutOff }: GapWatchOptions): GapWatch {
  let watching: AbortController | undefined

  const look = async (
    signal: AbortSignal,
  ): Promise<{ readonly missing: bigint; readonly height: number } | undefined> => {
    const account = await chain.account(id, signal)
    const [next, waiting] = [nextNonce(account), nonces()]
    const isMissing = !waiting.includes(next) && waiting.some((nonce) => nonce > next)
    return isMissing ? { missing: next, height: account.height } : undefined
  }

  const watch = async (signal: AbortSignal): Promise<void> => {
    let first: Awaited<ReturnType<typeof look>>
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal)
      // Who waits hears what is wrong with the chain.
      const found = await look(signal).catch(() => undefined)
      if (found === undefined || found.missing !== first?.missing) first = found
      else if (found.height - first.height >= BLOCKS) cutOff(found.missing)
    }
  }

  return {
    begin() {
      if (watching !== undefined) return
      watching = new AbortController()
      // It ends with its signal.
      watch(watching.signal).catch(() => undefined)
    },
    end() {
      watching?.abort()
      watching = undefined
    },
  }
}
