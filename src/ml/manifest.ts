/**
 * The manifest of a model: its config, its canonical segments, and the size and root of every file. Its
 * bytes are canonical, so that its hash names the model. Knows no disk; parsing is in manifest-parse.ts.
 * Spec: docs/spec/model.md §6.
 * @module
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { assert } from '../base/assert.ts'
import { type Hash, hash } from '../base/brand.ts'
import type { ModelConfig, NUMBER_SPEC, WeightFormat } from './config.ts'
import { differingExtras } from './extras.ts'
import type { LayerRange } from './tensors.ts'

/** What the model's authors suggest for sampling; absent: the program's own default. */
export interface GenerationDefaults {
  readonly temperature?: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
  readonly repetitionPenalty?: number
}

/** A file beside the manifest. */
export interface FileEntry {
  /** A plain file name, no folder. */
  readonly name: string
  readonly bytes: number
  /** Names the content: ml/chunk-tree.ts. */
  readonly root: Hash
}

/** One canonical segment and the shard that holds its bytes. */
export interface SegmentEntry extends LayerRange {
  readonly shard: { readonly file: string; readonly bytes: number; readonly root: Hash }
}

export interface ModelManifest {
  readonly name: string
  readonly spec: typeof NUMBER_SPEC
  readonly format: WeightFormat
  readonly config: ModelConfig
  /** In order of their layers; together they are the model. */
  readonly segments: readonly SegmentEntry[]
  /** Tokenizer files, by name; empty for a model that has none. */
  readonly files: readonly FileEntry[]
  readonly generation: GenerationDefaults
}

declare const TextEncoder: new () => { encode(text: string): Uint8Array<ArrayBuffer> }

/**
 * The one encoding of a manifest: JSON with fields in a fixed order, two spaces of indentation and a final
 * newline; undefined is null. ECMAScript fixes how numbers are written.
 */
export function encodeManifest(manifest: ModelManifest): Uint8Array<ArrayBuffer> {
  const { name, spec, format, config, segments, files, generation } = manifest
  const ordered = {
    name,
    spec,
    format,
    config: orderedConfig(config),
    segments: segments.map(({ firstLayer, lastLayer, hasEmbedding, hasHead, shard }) => {
      return { firstLayer, lastLayer, hasEmbedding, hasHead, shard: orderedShard(shard) }
    }),
    files: files.map(({ name: file, bytes, root }) => ({ name: file, bytes, root })),
    generation: orderedGeneration(generation),
  }
  return new TextEncoder().encode(`${JSON.stringify(ordered, undefined, 2)}\n`)
}

/** SHA-256 of the canonical bytes: the identity of a model. */
export function modelHash(manifest: ModelManifest): Hash {
  return hash(bytesToHex(sha256(encodeManifest(manifest))))
}

/** Layers of segments [firstSegment, lastSegmentExclusive) as one range. */
export function rangeOf(
  manifest: { readonly segments: readonly LayerRange[] },
  firstSegment: number,
  lastSegmentExclusive: number,
): LayerRange {
  const first = manifest.segments[firstSegment]
  const last = manifest.segments[lastSegmentExclusive - 1]
  assert(first !== undefined && last !== undefined && firstSegment < lastSegmentExclusive, 'segments of this model')
  return {
    firstLayer: first.firstLayer,
    lastLayer: last.lastLayer,
    hasEmbedding: first.hasEmbedding,
    hasHead: last.hasHead,
  }
}

function orderedConfig(config: ModelConfig): unknown {
  const extras = differingExtras(config)
  return {
    family: config.family,
    hiddenSize: config.hiddenSize,
    layerCount: config.layerCount,
    headCount: config.headCount,
    keyValueHeadCount: config.keyValueHeadCount,
    headSize: config.headSize,
    intermediateSize: config.intermediateSize,
    vocabularySize: config.vocabularySize,
    contextLength: config.contextLength,
    normEpsilon: config.normEpsilon,
    ropeTheta: config.ropeTheta,
    ropeScaling: orderedScaling(config.ropeScaling),
    slidingWindow: config.slidingWindow ?? null,
    queryKeyValueBias: config.queryKeyValueBias,
    queryKeyNorm: config.queryKeyNorm,
    tiedHead: config.tiedHead,
    beginToken: config.beginToken ?? null,
    endTokens: config.endTokens,
    // Alone in being left out: models that were there before it have no such field.
    ...(extras === undefined ? {} : { extras }),
  }
}

function orderedScaling(scaling: ModelConfig['ropeScaling']): unknown {
  switch (scaling.type) {
    case 'none':
      return { type: 'none' }
    case 'linear':
      return { type: 'linear', factor: scaling.factor }
    case 'llama3':
      return {
        type: 'llama3',
        factor: scaling.factor,
        lowFrequencyFactor: scaling.lowFrequencyFactor,
        highFrequencyFactor: scaling.highFrequencyFactor,
        originalContextLength: scaling.originalContextLength,
      }
    case 'yarn':
      return {
        type: 'yarn',
        factor: scaling.factor,
        originalContextLength: scaling.originalContextLength,
        fastRotations: scaling.fastRotations,
        slowRotations: scaling.slowRotations,
        attentionFactor: scaling.attentionFactor,
      }
    case 'longrope':
      return {
        type: 'longrope',
        shortFactors: scaling.shortFactors,
        longFactors: scaling.longFactors,
        originalContextLength: scaling.originalContextLength,
        attentionFactor: scaling.attentionFactor,
      }
  }
}

function orderedShard({ file, bytes, root }: SegmentEntry['shard']): unknown {
  return { file, bytes, root }
}

function orderedGeneration(generation: GenerationDefaults): unknown {
  return {
    temperature: generation.temperature ?? null,
    topK: generation.topK ?? null,
    topP: generation.topP ?? null,
    minP: generation.minP ?? null,
    repetitionPenalty: generation.repetitionPenalty ?? null,
  }
}
