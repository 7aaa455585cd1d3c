import fc from 'fast-check'
import { test } from 'vitest'
import { createStateStore, overlayOn, type StateChanges, type StateKey } from '../../src/core/state/state.ts'

const key = fc.stringMatching(/^0[12][0-3]{0,3}$/).map((text) => text as StateKey)
const changes: fc.Arbitrary<StateChanges> = fc.array(
  fc.tuple(key, fc.option(fc.uint8Array({ maxLength: 2 }), { nil: undefined })),
)

test('a walk through overlays on each other finds what a map of all writes holds, in the order of the keys', () => {
  fc.assert(
    fc.property(changes, fc.array(changes, { maxLength: 3 }), key, (first, layers, prefix) => {
      const expected = new Map<StateKey, Uint8Array | undefined>(first)
      let state = overlayOn(createStateStore(first))
      for (const layer of layers) {
        state = overlayOn(state)
        for (const [name, value] of layer) {
          state.set(name, value)
          expected.set(name, value)
        }
      }
      const sorted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1))
      const wanted = sorted.filter(([name, value]) => value !== undefined && name.startsWith(prefix))
      return fc.stringify([...state.entries(prefix)]) === fc.stringify(wanted)
    }),
    { numRuns: 1_000 },
  )
})
