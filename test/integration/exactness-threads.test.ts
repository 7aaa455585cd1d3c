import { describeExactness } from './exactness-suite.ts'

describeExactness({ name: 'wasm', threads: 2, formatsInTurn: true })
