/**
 * The models of mining worlds: three segments each, of random weights, and engines of them in this thread.
 * @module
 */
import { makeCanary } from '../../src/app/canary/canary-run.ts'
import { type BatchRunner, createEngineHost, type EngineHost } from '../../src/app/engine-host.ts'
import { createInlineRunner } from '../../src/app/inline-runner.ts'
import { openModelStore, type StoredModel } from '../../src/app/model-store.ts'
import { createSystem } from '../../src/app/system.ts'
import { hash } from '../../src/base/brand.ts'
import type { Canary } from '../../src/ml/canary.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { randomWeights, smallConfig } from '../contract/random-model.ts'

const { clock } = createSystem({ level: 'silent' })

export const CONFIG = smallConfig({ contextLength: 512 })
const WEIGHTS = randomWeights({ config: CONFIG, format: 'q8', seed: 3 })
export const SEGMENTS = 3

/** A model of three segments that lies nowhere: the manifest of genesis with another shape. */
function modelOf(name: string, byte: string): StoredModel {
  const genesis = openModelStore({ home: '/nowhere' }).find('genesis')
  const segments = Array.from({ length: SEGMENTS }, (_, index) => ({
    ...genesis.manifest.segments[0]!,
    ...{ firstLayer: index, lastLayer: index + 1, hasEmbedding: index === 0, hasHead: index === SEGMENTS - 1 },
  }))
  return { ...genesis, manifest: { ...genesis.manifest, name, config: CONFIG, segments }, hash: hash(byte.repeat(32)) }
}

export const MODEL: StoredModel = modelOf('genesis', 'ab')
/** With the same weights. */
export const OTHER: StoredModel = modelOf('other', 'cd')
/** So too, and not on the chain at first. */
export const NEXT: StoredModel = modelOf('next', 'ef')

/** As a miner has it that computes right; `seed`: of other weights, to be wrong. */
export function canaryOf(model: StoredModel, seed = 3): Promise<Canary> {
  const open = async (segment: number): Promise<EngineHost> =>
    createEngineHost(runnerOf(segment, segment + 1, randomWeights({ config: CONFIG, format: 'q8', seed })), { clock })
  return makeCanary(model, open, new AbortController().signal)
}

export function runnerOf(first: number, end: number, weights = WEIGHTS): BatchRunner {
  const range = { firstLayer: first, lastLayer: end, hasEmbedding: first === 0, hasHead: end === SEGMENTS }
  const stage = createReferenceEngine().createStage({ config: CONFIG, range, weights, cacheBytesMax: 1 << 26 })
  return createInlineRunner('reference', stage, { clock })
}
