/**
 * What a bench and its miner processes say to each other.
 * @module
 */
import type { OpenLease } from '../../src/app/market/lease-source.ts'
import type { PeerId } from '../../src/base/brand.ts'

export interface Part {
  readonly firstSegment: number
  /** Exclusive. */
  readonly lastSegment: number
}

export type MinerOrder =
  | {
      readonly type: 'serve'
      readonly home: string
      /** Name of the model. */
      readonly model: string
      readonly part: Part
      readonly threads: number
      /** Of its lots. */
      readonly folder: string
    }
  | { readonly type: 'lease'; readonly lease: OpenLease }
  | { readonly type: 'cpu' }

export type MinerTold =
  | { readonly type: 'serving'; readonly peer: PeerId; readonly addresses: readonly string[] }
  | { readonly type: 'known' }
  /** CPU time of all threads of the process so far, user and system. */
  | { readonly type: 'cpu'; readonly milliseconds: number }

/** CPU time of this process so far, of all its threads, user and system, in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
