/**
 * What the bench and its processes say to each other.
 * @module
 */
import type { FileId } from '../../src/app/shards/chunk-source.ts'
import type { PeerId } from '../../src/base/brand.ts'

export const NETWORK_ID = 'bench-shards'

/** A file that is there whole. */
export interface SeededFile extends FileId {
  readonly path: string
  readonly leaves: Uint8Array
}

export interface SeederOrder {
  readonly file: SeededFile
  readonly hasLinks: boolean
}

export interface SeederTold {
  readonly peer: PeerId
  readonly addresses: readonly string[]
  /** Where one TCP connection gets the whole file, with nothing around it. */
  readonly barePort: number
}

export interface StageOrder {
  readonly home: string
  /** Name of the model. */
  readonly model: string
  readonly threads: number
}

export type StageTold = Pick<SeederTold, 'peer' | 'addresses'>

export type DownloaderOrder =
  /** Takes the files again and again. */
  | {
      readonly type: 'begin'
      readonly from: StageTold
      readonly files: readonly FileId[]
      readonly folder: string
      /** Otherwise over channels. */
      readonly hasLinks: boolean
    }
  | { readonly type: 'end' }

export type DownloaderTold =
  | { readonly type: 'began' }
  /** What has come since it began. */
  | { readonly type: 'ended'; readonly bytes: number }
