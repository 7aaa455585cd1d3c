/**
 * The files of models on this machine, whole and unfinished, and the models that they belong to.
 * Spec: docs/spec/shards.md §3.
 * @module
 */
import { join } from 'node:path'
import type { Hash } from '../../base/brand.ts'
import { chunkLength } from '../../ml/chunk-tree.ts'
import { chunksIn } from './chunk-map.ts'
import { sizeOf } from './model-files.ts'
import { type FileUse, readUses } from './model-references.ts'
import { readNotes } from './partial-file.ts'
import { readShardFolder, shardPaths, shardsFolder } from './shard-folder.ts'

export interface ShardUse {
  readonly model: string
  /** Its name in the manifest. */
  readonly file: string
  /** The segment that it is the shard of, from 1; undefined: a file of the tokenizer. */
  readonly segment: number | undefined
}

export interface HeldFile {
  readonly root: Hash
  /** As it lies there; of an unfinished file, what it will have. */
  readonly bytes: number
  /** What a manifest says; where none does, as it lies there. */
  readonly expectedBytes: number
  /** Of an unfinished file, what is noted as being there. */
  readonly haveBytes: number
  readonly isComplete: boolean
  readonly path: string
  /** In the store, or in the folder of the model. */
  readonly place: 'store' | 'model'
  /** Comes with the program. */
  readonly isEmbedded: boolean
  readonly uses: readonly ShardUse[]
}

/** Files of the store, then those in folders of models, by model and segment; those of no model last. */
export async function listShards(home: string): Promise<HeldFile[]> {
  const uses = readUses(home)
  const held = [...(await filesInStore(home, uses)), ...filesInFolders(uses)]
  return held.sort((a, b) => compare(orderOf(a), orderOf(b)))
}

/** `tiny segment 3, other tokenizer.json`, or `no model`. */
export function usesText(uses: readonly ShardUse[]): string {
  if (uses.length === 0) return 'no model'
  return uses
    .map(({ model, file, segment }) => `${model} ${segment === undefined ? file : `segment ${segment}`}`)
    .join(', ')
}

/** `whole`, or how much of an unfinished file is here. */
export function shareHere({
  bytes,
  haveBytes,
  isComplete,
}: Pick<HeldFile, 'bytes' | 'haveBytes' | 'isComplete'>): string {
  return isComplete ? 'whole' : `${Math.floor((100 * haveBytes) / Math.max(1, bytes))} %`
}

async function filesInStore(home: string, uses: ReadonlyMap<Hash, readonly FileUse[]>): Promise<HeldFile[]> {
  const folder = shardsFolder(home)
  const files: HeldFile[] = []
  for (const [root, kinds] of await readShardFolder(folder)) {
    const found = kinds.get('whole') ?? kinds.get('part')
    if (found === undefined) continue
    const { bytes } = found
    const isComplete = kinds.has('whole')
    const paths = shardPaths(folder, root)
    const of = uses.get(root) ?? []
    const haveBytes = isComplete ? bytes : await notedBytes(paths.have, bytes)
    files.push({
      ...{ root, bytes, haveBytes, isComplete, expectedBytes: of[0]?.bytes ?? bytes },
      ...{ path: isComplete ? paths.whole : paths.part, place: 'store', isEmbedded: false, uses: of.map(shown) },
    })
  }
  return files
}

function filesInFolders(uses: ReadonlyMap<Hash, readonly FileUse[]>): HeldFile[] {
  const files: HeldFile[] = []
  for (const [root, of] of uses) {
    for (const use of of) {
      const path = join(use.model.directory, use.name)
      const bytes = sizeOf(path)
      if (bytes === undefined) continue
      files.push({
        ...{ root, bytes, expectedBytes: use.bytes, haveBytes: bytes, isComplete: true },
        ...{ path, place: 'model', isEmbedded: use.model.isEmbedded, uses: [shown(use)] },
      })
    }
  }
  return files
}

async function notedBytes(path: string, bytes: number): Promise<number> {
  const noted = chunksIn(await readNotes(path, bytes))
  return noted.reduce((sum, index) => sum + chunkLength(bytes, index), 0)
}

function shown({ model, name, segment }: FileUse): ShardUse {
  return { model: model.manifest.name, file: name, segment: segment === undefined ? undefined : segment + 1 }
}

/** Model, number of the segment, root. */
function orderOf({ uses: [use], root }: HeldFile): (string | number)[] {
  // Behind every name of a model.
  return use === undefined ? ['\uffff', 0, root] : [use.model, use.segment ?? Number.MAX_SAFE_INTEGER, use.file]
}

function compare(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  const at = a.findIndex((value, index) => value !== b[index])
  return at < 0 ? 0 : a[at]! < b[at]! ? -1 : 1
}
