/**
 * What a measure says to the processes of a ring, and what they answer.
 * @module
 */
import type { Route } from '../../src/app/ring/route.ts'
import type { PeerId } from '../../src/base/brand.ts'
import type { EngineName } from '../../src/ml/engine/engine.ts'
import type { Generation } from '../../src/net/protocols/generation.ts'

/** `libp2p`: the product's. `tcp`: a bare socket per channel (ring/tcp-wire.ts). */
export type Transport = 'libp2p' | 'tcp'

export type StageOrder =
  | {
      readonly type: 'serve'
      readonly home: string
      /** Name of the model. */
      readonly model: string
      /** Name of one to draft with. */
      readonly draftModel?: string | undefined
      /** As a miner does; default: nothing. */
      readonly remembers?: boolean | undefined
      readonly firstSegment: number
      /** Exclusive. */
      readonly lastSegment: number
      readonly engine: EngineName
      readonly threads: number
      /** IPv4 address to listen at. */
      readonly address: string
      readonly transport: Transport
    }
  | { readonly type: 'usage' }
  /** Begins; or ends, and is told. */
  | { readonly type: 'profile'; readonly isOn: boolean }

export interface Serving {
  readonly peer: PeerId
  /** Multiaddr. */
  readonly listener: string
}

/** Of a stage's process since the last time that it was asked; memory is that of now. */
export interface StageUsage {
  readonly cpuMs: number
  readonly rssBytes: number
  /** How long the event loop was held up. */
  readonly loopMaxMs: number
  readonly loopP99Ms: number
}

export interface ClientOrder {
  readonly transport: Transport
  readonly route: Route
  /** So many at once, each in a session of its own. */
  readonly chats: number
  /** Positions of each session. */
  readonly capacity: number
  readonly promptTokens: number
  /** Of the prompt that are computed at a time; default: the product's. */
  readonly chunkTokens?: number | undefined
  /** Of the answer. */
  readonly tokens: number
  /** Instead of tokens that mean nothing. */
  readonly prompt?: readonly number[] | undefined
  /** Default: the likeliest tokens. */
  readonly generation?: Partial<Generation> | undefined
  /** Rows of drafts that a step may have; default: none, so that a step is a token. */
  readonly draftsMax?: number | undefined
}

/** Answers of one order. */
export interface Answers {
  /** From the prompt to the first token; median of the chats. */
  readonly firstTokenMs: number
  /** Of all chats together, once all have their first token. */
  readonly tokensPerSecond: number
  /** Between two tokens of a chat, on average. */
  readonly tokenMs: number
  /** Time in the engines of all stages, per step; means nothing for several chats, which share it. */
  readonly engineMs: number
  /** Of the first chat. */
  readonly text: readonly number[]
  /** Of the first chat's answer: drafts that were computed, and those that were right. */
  readonly drafts: number
  readonly draftsKept: number
}
