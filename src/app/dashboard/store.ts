/**
 * The one store of the dashboard: looks at everything once a second, reduces what was found, and tells its listeners.
 * Chain and miners are looked at independently, so that a slow answer of one does not hold up the other.
 * @module
 */
import { milliseconds } from '../../base/brand.ts'
import type { Clock } from '../../base/ports.ts'
import type { ChainLook, Look, Looker, MinersLook } from './looks.ts'
import { type DashboardState, type DashboardSubject, initialState, reduce } from './state.ts'
import { type DashboardView, viewOf } from './view.ts'

const LOOK_MS = milliseconds(1_000)

export interface DashboardStore {
  /** The same object until something changes. */
  view(): DashboardView
  /** Calls `listener` at each change; the returned function ends that. */
  subscribe(listener: () => void): () => void
  /** Looks once at everything. */
  lookOnce(signal: AbortSignal): Promise<DashboardView>
  /** Looks until the signal fires, and resolves then. @throws what is a bug in a looker. */
  run(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface DashboardSources {
  readonly chain: Looker<ChainLook>
  readonly miners: Looker<MinersLook>
}

export function createDashboardStore(
  subject: DashboardSubject,
  { chain, miners }: DashboardSources,
  clock: Clock,
): DashboardStore {
  let state: DashboardState = initialState(subject, clock.wallMs())
  let view = viewOf(state)
  const listeners = new Set<() => void>()
  type News<Of = Look> = Of extends Look ? Omit<Of, 'atMs' | 'monotonicMs'> : never
  const tell = (news: News): void => {
    state = reduce(state, { ...news, atMs: clock.wallMs(), monotonicMs: clock.now() } as Look)
    view = viewOf(state)
    for (const listener of listeners) listener()
  }
  const lookAtChain = async (signal: AbortSignal): Promise<void> =>
    tell({ type: 'chain', chain: await chain.look(signal) })
  const lookAtMiners = async (signal: AbortSignal): Promise<void> =>
    tell({ type: 'miners', miners: await miners.look(signal) })
  const tick = async (): Promise<void> => tell({ type: 'tick' })
  return {
    view: () => view,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    lookOnce: async (signal) => {
      // One after the other: a node would count the other look's connection among its peers.
      await lookAtChain(signal)
      await lookAtMiners(signal)
      return view
    },
    run: async (signal) => {
      const ended = new AbortController()
      const every = AbortSignal.any([signal, ended.signal])
      const loops = [lookAtChain, lookAtMiners, tick].map((look) => repeat(look, every, clock))
      try {
        await Promise.all(loops)
      } finally {
        ended.abort()
        await Promise.allSettled(loops)
      }
    },
    close: async () => {
      await Promise.all([chain.close(), miners.close()])
    },
  }
}

async function repeat(look: (signal: AbortSignal) => Promise<void>, signal: AbortSignal, clock: Clock): Promise<void> {
  try {
    while (!signal.aborted) {
      await look(signal)
      await clock.sleep(LOOK_MS, signal)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
