import { describeExactness } from './exactness-suite.ts'

describeExactness({ name: 'reference', threads: 1, formatsInTurn: true })
describeExactness({ name: 'wasm', threads: 1 })
