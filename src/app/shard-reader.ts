/**
 * Weights of consecutive segments, read from shard files one tensor at a time with synchronous calls: it runs in the
 * thread of an engine, where nothing else waits. Each shard is hashed before its first tensor is used.
 * Spec: docs/spec/model.md §4.
 * @module
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { rangeOf, type SegmentEntry } from '../ml/manifest.ts'
import { ModelError } from '../ml/model-error.ts'
import { checkShardHead, matrixFromParts, type PartLayout, shardLayout, type TensorLayout } from '../ml/shard-file.ts'
import { type Matrix, type TensorPlan, tensorPlan, type WeightSource } from '../ml/tensors.ts'
import type { StoredModel } from './model-store.ts'
import { rootOfFileSync } from './shards/chunk-hash.ts'
import { type ModelPlace, pathOfFile } from './shards/model-files.ts'

const READ_BYTES = 4 * 1024 * 1024

export interface OpenWeightsOptions {
  /** Compare each shard's root with the manifest first. Default true. */
  readonly checkHashes?: boolean
}

export type OpenWeights = WeightSource & { close(): void }

interface OpenShard {
  readonly file: number
  readonly tensors: ReadonlyMap<string, TensorLayout>
}

/**
 * Opens the shards of segments [firstSegment, lastSegmentExclusive).
 * Throws MODEL_BAD_SHARD where a file is not what the manifest says, MODEL_UNREADABLE where it cannot be read.
 */
export function openWeights(
  model: Pick<StoredModel, 'manifest'> & ModelPlace,
  range: { readonly firstSegment: number; readonly lastSegmentExclusive: number },
  options: OpenWeightsOptions = {},
): OpenWeights {
  const { manifest } = model
  const { firstSegment, lastSegmentExclusive } = range
  const plans = planOf(tensorPlan(manifest.config, rangeOf(manifest, firstSegment, lastSegmentExclusive)))
  const shards: OpenShard[] = []
  const close = (): void => {
    for (const shard of shards.splice(0)) closeSync(shard.file)
  }
  try {
    for (const segment of manifest.segments.slice(firstSegment, lastSegmentExclusive)) {
      shards.push(openShard(model, segment, options.checkHashes ?? true))
    }
  } catch (error) {
    close()
    throw error
  }
  const find = (name: string, kind: TensorPlan['kind']): { shard: OpenShard; layout: TensorLayout } => {
    const shard = shards.find((candidate) => candidate.tensors.has(name))
    const layout = shard?.tensors.get(name)
    if (shard === undefined || layout === undefined || plans.get(name)?.kind !== kind) {
      throw badShard(`these segments hold no ${kind} named ${name}`)
    }
    return { shard, layout }
  }
  return {
    close,
    matrix(name): Matrix {
      const { shard, layout } = find(name, 'matrix')
      return matrixFromParts(layout, manifest.format, (part) => readPart(shard.file, part))
    },
    vector(name): Float32Array {
      const { shard, layout } = find(name, 'vector')
      return new Float32Array(readPart(shard.file, layout.parts[0]!))
    },
  }
}

function planOf(plan: readonly TensorPlan[]): Map<string, TensorPlan> {
  return new Map(plan.map((tensor) => [tensor.name, tensor]))
}

function openShard(
  model: Pick<StoredModel, 'manifest'> & ModelPlace,
  segment: SegmentEntry,
  checkHash: boolean,
): OpenShard {
  const { manifest } = model
  const { file: name, bytes, root } = segment.shard
  const layout = shardLayout(manifest.config, segment, manifest.format)
  const file = openFile(pathOfFile(model, { name, bytes, root }), manifest.name)
  try {
    const head = new Uint8Array(layout.head.length)
    readFully(file, head, 0)
    checkShardHead(head, fstatSync(file).size, layout)
    if (checkHash && rootOfFileSync(file) !== root)
      throw badShard(`${name} was changed or damaged since it was written`)
    return { file, tensors: new Map(layout.tensors.map((tensor) => [tensor.plan.name, tensor])) }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

function openFile(path: string, model: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    throw new ModelError(
      'MODEL_UNREADABLE',
      `Cannot read ${path}. \`dllm shard pull ${model}\` fetches what is not here.`,
      { cause },
    )
  }
}

function readPart(file: number, part: PartLayout): ArrayBuffer {
  const bytes = new Uint8Array(part.bytes)
  const read = readFully(file, bytes, part.offset)
  if (read !== part.bytes) throw badShard('it is shorter than its tensors')
  return bytes.buffer
}

/** Fills `bytes` from `position`; returns how many bytes the file had. */
function readFully(file: number, bytes: Uint8Array, position: number): number {
  let done = 0
  while (done < bytes.length) {
    const count = readSync(file, bytes, done, Math.min(bytes.length - done, READ_BYTES), position + done)
    if (count === 0) break
    done += count
  }
  return done
}

function badShard(problem: string): ModelError {
  return new ModelError(
    'MODEL_BAD_SHARD',
    `The model's shards cannot be used: ${problem}. \`dllm shard verify\` sets aside what is damaged, so that it is fetched again; or import the model again.`,
  )
}
