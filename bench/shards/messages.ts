/**
 * What the bench and its seeders say to each other.
 * @module
 */
import type { FileId } from '../../src/app/shards/chunk-source.ts'
import type { PeerId } from '../../src/base/brand.ts'

/** A file that is there whole. */
export interface SeededFile extends FileId {
  readonly path: string
  readonly leaves: Uint8Array
}

export type SeederOrder = { readonly type: 'serve'; readonly file: SeededFile; readonly hasLinks: boolean }

export type SeederTold = {
  readonly type: 'serving'
  readonly peer: PeerId
  readonly addresses: readonly string[]
  /** Where one TCP connection gets the whole file, with nothing around it. */
  readonly barePort: number
}
