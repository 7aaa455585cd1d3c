/**
 * The whole model in this process, fed token ids, for comparison with other programs: logits and their digests after
 * every token. Chunks and splits change how it computes, never what; of an engine of the float class, hardly what. Engines that are not on a device block the event
 * loop within a chunk.
 * Spec: docs/spec/numerics.md §9, docs/spec/model.md §9.
 * @module
 */
import { AssertionError } from '../base/assert.ts'
import type { Hash } from '../base/brand.ts'
import { HouseError } from '../base/error.ts'
import { PROBE_LIMITS, SESSION_LIMITS } from '../base/limits.ts'
import { digestOf } from '../ml/digest.ts'
import {
  type CacheId,
  cacheBytes,
  type DeviceEngine,
  type DeviceStage,
  type Engine,
  type Stage,
  type StepInput,
  type StepOutput,
} from '../ml/engine/engine.ts'
import { rangeOf } from '../ml/manifest.ts'
import type { StoredModel } from './model-store.ts'
import { openWeights } from './shard-reader.ts'
import { yieldToEvents } from './system.ts'

export class ProbeError extends HouseError<'PROBE_BAD_TOKENS' | 'PROBE_BAD_SPLIT' | 'PROBE_TOO_MUCH'> {}

export interface ProbeOptions {
  readonly model: StoredModel
  readonly engine: Engine | DeviceEngine
  /** At least one, at most the model's context. */
  readonly tokens: readonly number[]
  /** Tokens per step; default 1. */
  readonly chunk?: number | undefined
  /** Segments at which a new stage starts, ascending; default: one stage. */
  readonly split?: readonly number[] | undefined
  /** Largest logits to report; undefined: all of them, in order of token id. */
  readonly topK?: number | undefined
}

/** What the model says after one token. */
export interface ProbedToken {
  readonly position: number
  readonly token: number
  /** SHA-256 of all logits as f32. */
  readonly digest: Hash
  /** The largest first, the lowest id among equals. */
  readonly top: readonly { readonly token: number; readonly logit: number }[]
  /** By token id; absent with `topK`. */
  readonly logits?: readonly number[]
}

/** Largest logits that are shown beside a full list. */
const TOP_DEFAULT = 5

/** One entry per token. Throws ProbeError for input that fits no session, and EngineError. */
export async function probeModel(options: ProbeOptions, signal: AbortSignal): Promise<ProbedToken[]> {
  const { tokens, chunk = 1 } = options
  checkInput(options)
  const stages = await openStages(options)
  try {
    const caches = stages.map((stage) => stage.openCache(tokens.length))
    const probed: ProbedToken[] = []
    for (let start = 0; start < tokens.length; start += chunk) {
      signal.throwIfAborted()
      const part = tokens.slice(start, start + chunk)
      const logits = await runChunk(stages, caches, { position: start, tokens: part })
      const size = options.model.manifest.config.vocabularySize
      for (const [index, token] of part.entries()) {
        const row = logits.subarray(index * size, (index + 1) * size)
        probed.push(describe(row, { position: start + index, token, topK: options.topK }))
      }
      await yieldToEvents()
    }
    return probed
  } finally {
    for (const stage of stages) await stage.close()
  }
}

function checkInput({ model, tokens, chunk = 1, topK }: ProbeOptions): void {
  const { contextLength, vocabularySize } = model.manifest.config
  if (tokens.length < 1 || tokens.length > contextLength) {
    throw new ProbeError('PROBE_BAD_TOKENS', `${model.manifest.name} takes 1 to ${contextLength} tokens.`)
  }
  const stranger = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= vocabularySize)
  if (stranger !== undefined) {
    const text = `${stranger} is no token of ${model.manifest.name}; its tokens are 0 to ${vocabularySize - 1}.`
    throw new ProbeError('PROBE_BAD_TOKENS', text)
  }
  if (!Number.isInteger(chunk) || chunk < 1 || chunk > SESSION_LIMITS.prefillChunkTokensMax) {
    throw new ProbeError('PROBE_TOO_MUCH', `A chunk has 1 to ${SESSION_LIMITS.prefillChunkTokensMax} tokens.`)
  }
  if (tokens.length * (topK ?? vocabularySize) > PROBE_LIMITS.logitsMax) {
    throw new ProbeError('PROBE_TOO_MUCH', 'That are too many logits to show. Use --top-k, or fewer tokens.')
  }
}

async function openStages({ model, engine, tokens, split = [] }: ProbeOptions): Promise<(Stage | DeviceStage)[]> {
  const { manifest } = model
  const edges = [0, ...split, manifest.segments.length]
  const stages: (Stage | DeviceStage)[] = []
  try {
    for (let index = 0; index + 1 < edges.length; index++) {
      const firstSegment = edges[index]!
      const lastSegmentExclusive = edges[index + 1]!
      if (!Number.isInteger(firstSegment) || firstSegment >= lastSegmentExclusive) {
        const text = `A split names segments from 1 to ${manifest.segments.length - 1} in ascending order.`
        throw new ProbeError('PROBE_BAD_SPLIT', text)
      }
      const range = rangeOf(manifest, firstSegment, lastSegmentExclusive)
      const weights = openWeights(model, { firstSegment, lastSegmentExclusive })
      try {
        const cacheBytesMax = cacheBytes(manifest.config, range, tokens.length)
        stages.push(await engine.createStage({ config: manifest.config, range, weights, cacheBytesMax }))
      } finally {
        weights.close()
      }
    }
  } catch (error) {
    for (const stage of stages) await stage.close()
    throw error
  }
  return stages
}

/** Logits (tokens, vocabulary) after each token of a chunk. */
async function runChunk(
  stages: readonly (Stage | DeviceStage)[],
  caches: readonly CacheId[],
  { position, tokens }: { position: number; tokens: readonly number[] },
): Promise<Float32Array> {
  let input: StepInput['input'] = { type: 'tokens', tokens: Int32Array.from(tokens) }
  for (const [index, stage] of stages.entries()) {
    const outputs: StepOutput[] = await stage.run([{ cache: caches[index]!, position, input, logits: 'all' }])
    const output = outputs[0]!
    if (output.type === 'failed') throw output.error
    if (output.type === 'logits') return output.values
    input = { type: 'hidden', values: output.values }
  }
  throw new AssertionError('the last stage has the head')
}

function describe(
  logits: Float32Array,
  { position, token, topK }: { position: number; token: number; topK: number | undefined },
): ProbedToken {
  const known = { position, token, digest: digestOf(logits), top: largest(logits, topK ?? TOP_DEFAULT) }
  return topK === undefined ? { ...known, logits: Array.from(logits) } : known
}

function largest(logits: Float32Array, count: number): { token: number; logit: number }[] {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b)
  return order.slice(0, count).map((token) => ({ token, logit: logits[token]! }))
}
