/**
 * Strict reading of a manifest that somebody else may have written: every field bounded, segments that tile
 * the model, shards of the size that their layout has, and no second encoding of the same manifest.
 * Spec: docs/spec/model.md §6.
 * @module
 */
import { type Hash, hash } from '../base/brand.ts'
import { MODEL_LIMITS } from '../base/limits.ts'
import { CHUNK_BYTES } from './chunk-tree.ts'
import { type ModelConfig, NUMBER_SPEC, WEIGHT_FORMATS, type WeightFormat } from './config.ts'
import { type JsonFields, parseJson, readFields } from './json-fields.ts'
import {
  encodeManifest,
  type FileEntry,
  type GenerationDefaults,
  type ModelManifest,
  type SegmentEntry,
} from './manifest.ts'
import { badManifest as bad, oneOf, readManifestConfig } from './manifest-config.ts'
import { checkModelName, isPlainFileName } from './model-names.ts'
import { shardLayout } from './shard-file.ts'

const FILES_MAX = 16

/** The manifest in `bytes`. Throws MODEL_BAD_MANIFEST, saying which field, or MODEL_BAD_NAME. */
export function parseManifest(bytes: Uint8Array): ModelManifest {
  if (bytes.length > MODEL_LIMITS.manifestBytesMax) throw bad('it is over the limit')
  const fields = readFields(parseJson(bytes, bad), bad)
  fields.only(['name', 'spec', 'format', 'config', 'segments', 'files', 'generation'])
  if (fields.text('spec') !== NUMBER_SPEC) throw bad(`its number specification is not ${NUMBER_SPEC}`)
  const config = readManifestConfig(fields.object('config'))
  const format = oneOf(WEIGHT_FORMATS, fields.text('format'), 'format')
  const manifest: ModelManifest = {
    name: fields.text('name'),
    spec: NUMBER_SPEC,
    format,
    config,
    segments: parseSegments(fields.list('segments', MODEL_LIMITS.segmentsMax), config, format),
    files: fields.list('files', FILES_MAX).map(parseFile),
    generation: parseGeneration(fields.object('generation')),
  }
  checkModelName(manifest.name)
  const names = [...manifest.files.map((file) => file.name), ...manifest.segments.map(({ shard }) => shard.file)]
  if (new Set(names).size !== names.length) throw bad('it names a file twice')
  const canonical = encodeManifest(manifest)
  if (canonical.length !== bytes.length || canonical.some((byte, index) => byte !== bytes[index])) {
    throw bad('it is not in the canonical encoding')
  }
  return manifest
}

/** Segments that tile all layers in order, with the ends where they belong and shards of the right size. */
function parseSegments(items: readonly unknown[], config: ModelConfig, format: WeightFormat): SegmentEntry[] {
  const layers = { min: 0, max: config.layerCount }
  const segments = items.map((item): SegmentEntry => {
    const fields = readFields(item, bad)
    const shard = fields.object('shard')
    return {
      firstLayer: fields.integer('firstLayer', layers),
      lastLayer: fields.integer('lastLayer', layers),
      hasEmbedding: fields.flag('hasEmbedding'),
      hasHead: fields.flag('hasHead'),
      shard: { file: plainName(shard.text('file')), bytes: size(shard), root: rootIn(shard) },
    }
  })
  let next = 0
  for (const [index, segment] of segments.entries()) {
    if (segment.firstLayer !== next || segment.lastLayer <= next) throw bad('its segments do not tile the layers')
    next = segment.lastLayer
    if (segment.hasEmbedding !== (index === 0)) throw bad('the first segment alone holds the embedding')
    if (segment.hasHead !== (index === segments.length - 1)) throw bad('the last segment alone holds the head')
    if (segment.shard.bytes !== shardLayout(config, segment, format).totalBytes) {
      throw bad(`the shard of segment ${index} has another size than its layers take`)
    }
  }
  if (next !== config.layerCount) throw bad('its segments do not hold every layer')
  return segments
}

function parseFile(item: unknown): FileEntry {
  const fields = readFields(item, bad)
  return {
    name: plainName(fields.text('name')),
    bytes: size(fields, MODEL_LIMITS.jsonFileBytesMax),
    root: rootIn(fields),
  }
}

function parseGeneration(fields: JsonFields): GenerationDefaults {
  const number = <Key extends keyof GenerationDefaults>(key: Key, max: number): { [_ in Key]?: number } =>
    fields.has(key) ? ({ [key]: fields.number(key, { min: 0, max }) } as { [_ in Key]?: number }) : {}
  const generation: GenerationDefaults = {
    ...number('temperature', 100),
    ...number('topK', MODEL_LIMITS.vocabularyMax),
    ...number('topP', 1),
    ...number('minP', 1),
    ...number('repetitionPenalty', 100),
  }
  if (generation.topK !== undefined && !Number.isInteger(generation.topK)) throw bad('topK must be a whole number')
  if (generation.topP === 0 || generation.repetitionPenalty === 0) throw bad('topP and repetitionPenalty are above 0')
  return generation
}

function plainName(name: string): string {
  if (!isPlainFileName(name) || name === 'manifest.json') throw bad('a file has a name that is not allowed')
  return name
}

function size(fields: JsonFields, max = MODEL_LIMITS.fileChunksMax * CHUNK_BYTES): number {
  return fields.integer('bytes', { min: 0, max })
}

function rootIn(fields: JsonFields): Hash {
  const text = fields.text('root')
  if (!/^[0-9a-f]{64}$/.test(text)) throw bad('root must be 64 hexadecimal digits')
  return hash(text)
}
