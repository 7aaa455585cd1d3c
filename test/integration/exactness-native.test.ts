/** The native engine with four times as many threads as cores of a small machine; skipped where its addon is not built. @module */
import { describe } from 'vitest'
import { hasNativeEngine } from '../contract/native-binding.ts'
import { describeExactness } from './exactness-suite.ts'

describe.skipIf(!hasNativeEngine)('with the addon', () => {
  describeExactness({ name: 'native', threads: 8, stages: [1, 3] })
})
