/** The native engine with four times as many threads as cores of a small machine; skipped where its addon is not built. @module */
import { hasNativeEngine } from '../contract/native-binding.ts'
import { describeExactness } from './exactness-suite.ts'

if (hasNativeEngine) describeExactness({ name: 'native', threads: 8, stages: [1, 3] })
