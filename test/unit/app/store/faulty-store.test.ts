import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { listEntries, put } from '../../../contract/key-value-suite.ts'
import { FAULT_KINDS, SimulatedCrash } from '../../../sim/faults.ts'
import { createSimStore } from '../../../sim/store.ts'

describe('the simulated store', () => {
  test('after any fault and power loss has the first batches, all synced ones among them', async () => {
    const batches = fc.array(fc.boolean(), { minLength: 1, maxLength: 15 })
    const fault = fc.tuple(fc.integer({ min: 1, max: 16 }), fc.constantFrom(...FAULT_KINDS))
    await fc.assert(
      fc.asyncProperty(fc.nat(), batches, fault, async (seed, synced, [at, kind]) => {
        const simulated = createSimStore(seed)
        const store = simulated.open()
        simulated.plan(at, kind)
        let safe = 0
        let failed = false
        for (const [index, sync] of synced.entries()) {
          const failure = await store
            .batch([put('n', String(index + 1)), put(`k${index}`, '')], { sync })
            .catch((error) => error)
          if (failure === undefined && sync) safe = index + 1
          if (failed) expect(failure).toBeInstanceOf(Error)
          failed ||= failure !== undefined
        }
        simulated.crash('power')
        await expect(store.get(new Uint8Array(1))).rejects.toThrow(SimulatedCrash)
        const entries = await listEntries(simulated.open())
        const count = entries.length === 0 ? 0 : Number(entries.find((entry) => entry.startsWith('n='))!.slice(2))
        expect(count).toBeGreaterThanOrEqual(safe)
        expect(entries).toHaveLength(count === 0 ? 0 : count + 1)
      }),
    )
  })

  test('keeps everything that was written when only the process dies', async () => {
    const simulated = createSimStore(1)
    await simulated.open().batch([put('a', '1')], { sync: false })
    simulated.crash('process')
    expect(await listEntries(simulated.open())).toEqual(['a=1'])
  })
})
