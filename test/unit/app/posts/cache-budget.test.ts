import { expect, test } from 'vitest'
import type { BatchRunner } from '../../../../src/app/engine-host.ts'
import { createCacheBudget } from '../../../../src/app/posts/cache-budget.ts'
import { cacheBytes, EngineError, PAGE_POSITIONS } from '../../../../src/ml/engine/engine.ts'
import { smallConfig } from '../../../contract/random-model.ts'

const CONFIG = smallConfig()
const RANGE = { firstLayer: 0, lastLayer: 2, hasEmbedding: true, hasHead: false }
const PART = { ...RANGE, lastLayer: 1 }
/** Memory is counted in pages. */
const PAGE = PAGE_POSITIONS
const PAGE_BYTES = cacheBytes(CONFIG, RANGE, 1)

/** An engine that opens what it is asked for, until it fails. */
function runner(): BatchRunner & { fails: boolean } {
  let next = 1
  const made: Partial<BatchRunner> & { fails: boolean } = {
    ...{ fails: false, config: CONFIG },
    openCache: async () => {
      if (made.fails) throw new EngineError('ENGINE_UNAVAILABLE', 'gone')
      return next++
    },
    closeCache: async () => undefined,
    close: async () => undefined,
  }
  return made as BatchRunner & { fails: boolean }
}

const FULL = { code: 'ENGINE_OUT_OF_MEMORY' }

test('an engine that is alone may take all, part by part, and again what it gave back', async () => {
  const alone = createCacheBudget(10 * PAGE_BYTES).join(runner(), RANGE)
  const whole = await alone.openCache(9 * PAGE)
  await alone.openCache(2 * PAGE, PART)
  await expect(alone.openCache(PAGE)).rejects.toMatchObject({ ...FULL, details: { free: 0 } })
  await alone.closeCache(whole)
  await alone.openCache(9 * PAGE)
})

test('two share one bound: a quarter of it waits for each, and for none that is leaving', async () => {
  const budget = createCacheBudget(40 * PAGE_BYTES)
  const [one, other] = [budget.join(runner(), RANGE), budget.join(runner(), RANGE)]
  await one.openCache(30 * PAGE)
  await expect(one.openCache(PAGE)).rejects.toMatchObject(FULL)
  await other.openCache(4 * PAGE)
  other.setLeaving(true)
  await one.openCache(6 * PAGE)
  await expect(one.openCache(PAGE)).rejects.toMatchObject(FULL)
  await other.close()
  await one.openCache(4 * PAGE)
})

test('a cache that the engine does not open is not counted', async () => {
  const engine = runner()
  const budgeted = createCacheBudget(10 * PAGE_BYTES).join(engine, RANGE)
  // The engine says so by itself from now on.
  engine.fails = true
  await expect(budgeted.openCache(10 * PAGE)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
  engine.fails = false
  await budgeted.openCache(10 * PAGE)
})
