/**
 * One bound for the caches of all sessions of a miner, whatever engine they are in. Each engine has the same bound for itself; here they are
 * counted together, and shared fairly.
 * Spec: docs/spec/posts.md §2.
 * @module
 */
import { type CacheId, cacheBytes, EngineError } from '../../ml/engine/engine.ts'
import type { LayerRange } from '../../ml/tensors.ts'
import type { BatchRunner } from '../engine-host.ts'
import { freeShare } from './shares.ts'

export interface CacheBudget {
  /** The same engine within the budget, until it is closed. `range`: all that it has loaded. */
  join(runner: BatchRunner, range: LayerRange): BudgetedRunner
}

export interface BudgetedRunner extends BatchRunner {
  /** Nothing of the budget waits for it, or again. */
  setLeaving(isLeaving: boolean): void
}

interface Account {
  used: number
  isLeaving: boolean
}

export function createCacheBudget(bytesMax: number): CacheBudget {
  const accounts = new Set<Account>()
  return {
    join(runner, range) {
      const account: Account = { used: 0, isLeaving: false }
      const bytesOf = new Map<CacheId, number>()
      accounts.add(account)
      return {
        ...runner,
        async openCache(capacity, part) {
          const bytes = cacheBytes(runner.config, part ?? range, capacity)
          const others = [...accounts].filter((other) => other !== account)
          const free = freeShare(bytesMax, account, others)
          if (bytes > free) throw noMemory({ capacity, bytes, free })
          account.used += bytes
          try {
            const cache = await runner.openCache(capacity, part)
            bytesOf.set(cache, bytes)
            return cache
          } catch (error) {
            account.used -= bytes
            throw error
          }
        },
        async closeCache(cache) {
          account.used -= bytesOf.get(cache) ?? 0
          bytesOf.delete(cache)
          await runner.closeCache(cache)
        },
        async close() {
          accounts.delete(account)
          await runner.close()
        },
        setLeaving(isLeaving) {
          account.isLeaving = isLeaving
        },
      }
    },
  }
}

/** As an engine says it. */
function noMemory(details: Readonly<Record<string, number>>): EngineError {
  return new EngineError('ENGINE_OUT_OF_MEMORY', 'This miner has no memory left for another session.', { details })
}
