/**
 * The chain of a node that may be started again while a miner runs: what fails because the node went away is asked of the new one the next time.
 * @module
 */
import { codeOf } from '../../base/error.ts'
import type { ChainAccess } from '../chain/chain-access.ts'

/** The node behind an access is gone, or another run of it has another cookie. */
const LOST: readonly unknown[] = [
  'CONTROL_UNREACHABLE',
  'CONTROL_UNAUTHORIZED',
  'CONTROL_STOPPING',
  'CONTROL_TIMEOUT',
  'CHAIN_NODE_STOPPED',
]

type Ask<Target> = (question: (target: Target) => Promise<unknown>) => Promise<unknown>

/** `first`: open. `reopen`: finds the node anew; rejects while there is none. */
export function createLastingChain(first: ChainAccess, reopen: () => Promise<ChainAccess>): ChainAccess {
  let current: ChainAccess | undefined = first
  let opening: Promise<ChainAccess> | undefined

  const get = async (): Promise<ChainAccess> => {
    if (current !== undefined) return current
    opening ??= reopen().finally(() => {
      opening = undefined
    })
    current = await opening
    return current
  }
  const lose = (access: ChainAccess): void => {
    if (current !== access) return
    current = undefined
    void access.close().catch(() => undefined)
  }
  const ask: Ask<ChainAccess> = async (question) => {
    const access = await get()
    try {
      return await question(access)
    } catch (error) {
      if (LOST.includes(codeOf(error))) lose(access)
      throw error
    }
  }
  async function* watch(signal: AbortSignal): ReturnType<ChainAccess['watch']> {
    const access = await get()
    try {
      yield* access.watch(signal)
    } catch (error) {
      if (!signal.aborted) lose(access)
      throw error
    }
    // A node that ends ends its streams.
    if (!signal.aborted) lose(access)
  }

  return {
    ...forwarded(first, ask),
    ...{ source: first.source, network: first.network },
    market: forwarded(first.market, (question) => ask(({ market }) => question(market))),
    watch,
    close: async () => current?.close(),
  }
}

/** The functions of `example`, each asked of the target of the moment. */
function forwarded<Target extends object>(example: Target, ask: Ask<Target>): Target {
  const functions = Object.entries(example).filter(([, member]) => typeof member === 'function')
  const calls = functions.map(([name]) => {
    const call = (...parameters: readonly unknown[]): Promise<unknown> =>
      ask((target) =>
        (target as Record<string, (...all: readonly unknown[]) => Promise<unknown>>)[name]!(...parameters),
      )
    return [name, call] as const
  })
  return Object.fromEntries(calls) as Target
}
