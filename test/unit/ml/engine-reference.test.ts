/** The reference engine keeps its own contract: chunks, splits and batches change no bit. @module */
import { createReferenceEngine } from '../../../src/ml/engine/reference.ts'
import { engineSuite } from '../../contract/engine-suite.ts'

engineSuite({ name: 'reference engine', create: createReferenceEngine })
