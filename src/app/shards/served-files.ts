/**
 * What the shard server may read: the store, seen by peers. Only what was verified is behind this port: whole files of which every chunk was
 * compared once, and of unfinished ones the chunks that are noted as theirs.
 * Spec: docs/spec/shards.md §4.
 * @module
 */
import type { Hash } from '../../base/brand.ts'
import type { ChunkMap } from './chunk-source.ts'

/** A file that is there, or some of it, as it is now. */
export interface ServedFile {
  /** Where its bytes are; chunk `index` at `index * CHUNK_BYTES`. The name may change when the download ends, and the file may go. */
  readonly path: string
  /** Of the whole file. */
  readonly bytes: number
  /** Which of its chunks may be read. */
  readonly map: ChunkMap
  /** Left out of an unfinished file: whoever serves it compared its chunks as they came. */
  readonly whole?: WholeMark
}

export interface WholeMark {
  /** Changes when the file does. */
  readonly mark: string
  /** Where its leaves are noted. They may be damaged, or gone. */
  readonly leaves: string
}

/** All answers are of the moment; undefined: there is nothing. Errors are logged, and the peer hears that there is nothing. */
export interface ServedFiles {
  /** Bytes of manifest.json of a model, of at most MODEL_LIMITS.manifestBytesMax, whose SHA-256 is the model's hash. */
  manifest(model: Hash): Promise<Uint8Array | undefined>
  /** All leaves of a file, compared with its root. */
  leaves(root: Hash): Promise<Uint8Array | undefined>
  locate(root: Hash): Promise<ServedFile | undefined>
  /**
   * Whether chunk `index` of a whole file has this leaf, by leaves that lead to the root. Where not, the disk has damaged the file: it is served no more.
   */
  confirm(root: Hash, index: number, leaf: Uint8Array): Promise<boolean>
}
