/**
 * A whole ring in one process: miners with real stage servers over a given kind of wire, and a client. Shared by
 * the integration tests; knows nothing of what they assert.
 * @module
 */
import { type BatchRunner, createEngineHost, type EngineHost } from '../../src/app/engine-host.ts'
import { createInlineRunner } from '../../src/app/inline-runner.ts'
import type { LeaseDesk } from '../../src/app/market/lease-desk.ts'
import type { DraftModel } from '../../src/app/ring/draft-model.ts'
import type { PrefixBounds } from '../../src/app/ring/prefix-shelf.ts'
import { openRing } from '../../src/app/ring/ring-client.ts'
import type { RingEvent, RingSession, TurnOptions } from '../../src/app/ring/ring-session.ts'
import type { Route } from '../../src/app/ring/route.ts'
import { createStageServer, type StageServer } from '../../src/app/ring/stage-server.ts'
import { createSystem } from '../../src/app/system.ts'
import { type Hash, hash, milliseconds } from '../../src/base/brand.ts'
import type { Clock, Log } from '../../src/base/ports.ts'
import { PREFIX_LIMITS } from '../../src/base/prefix-limits.ts'
import type { ModelConfig } from '../../src/ml/config.ts'
import type { Engine } from '../../src/ml/engine/engine.ts'
import { rangeOf } from '../../src/ml/manifest.ts'
import type { LayerRange, WeightSource } from '../../src/ml/tensors.ts'
import type { Generation } from '../../src/net/protocols/generation.ts'
import type { Wire } from '../../src/net/wire.ts'
import { wholeRange } from '../contract/random-model.ts'

export const MODEL: Hash = hash('ab'.repeat(32))

export const GREEDY: Generation = {
  maxTokens: 16,
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seed: 1n,
  withDigests: true,
}

export interface Miner {
  readonly wire: Wire
  readonly server: StageServer
  readonly host: EngineHost
}

export interface RingWorld {
  readonly miners: readonly Miner[]
  readonly client: Wire
  readonly route: Route
  open(capacity: number): Promise<RingSession>
  close(): Promise<void>
}

export interface RingWorldOptions {
  readonly config: ModelConfig
  readonly weights: WeightSource
  /** Layers per stage; one segment per stage. */
  readonly split: readonly number[]
  /** Every miner has the whole model in its engine, and serves its stage from it. Default: the stage alone. */
  readonly hasAll?: boolean
  /** `index`: of a miner. */
  readonly createWire: (listen: boolean, index?: number) => Promise<Wire>
  /** Stage 1 has all of the model, to draft with. */
  readonly hasDraftModel?: boolean
  /** Default: miners take no leases. */
  readonly desk?: (index: number) => Promise<LeaseDesk>
  readonly engine: () => Engine
  /** Default: the real one. */
  readonly clock?: Clock
  /** Default: as a miner's. null: nothing is remembered of sessions. */
  readonly prefixes?: PrefixBounds | null
  /** Puts something around the runner of a miner, to watch or to hold it. */
  readonly around?: (runner: BatchRunner, index: number) => BatchRunner
}

export const silent: Log = { write: () => undefined }

export async function createRingWorld(options: RingWorldOptions): Promise<RingWorld> {
  const { random, ...system } = createSystem()
  const { clock = system.clock, around = (runner) => runner } = options
  const miners: Miner[] = []
  const segments = segmentsOf(options.split)
  for (const index of segments.keys()) {
    const [firstSegment, lastSegment] = options.hasAll ? [0, segments.length] : [index, index + 1]
    const range = rangeOf({ segments }, firstSegment, lastSegment)
    const engine = options.engine()
    const stage = engine.createStage({
      config: options.config,
      range,
      weights: options.weights,
      cacheBytesMax: 1 << 28,
    })
    const runner = around(createInlineRunner(engine.name, stage, { clock }), index)
    const host = createEngineHost(runner, { clock })
    const wire = await options.createWire(true, index)
    const draftModel = index === 0 && options.hasDraftModel ? draftModelFor(options, clock) : undefined
    const served = { model: MODEL, config: options.config, segments, firstSegment, lastSegment, host, draftModel }
    const { prefixes = PREFIX_LIMITS } = options
    const parts = { market: await options.desk?.(index), prefixes: prefixes ?? undefined }
    miners.push({ wire, host, server: await createStageServer([served], { wire, clock, log: silent }, parts) })
  }
  const client = await options.createWire(false)
  const stages = miners.map(({ wire }, index) => {
    return { peer: wire.peer, addresses: wire.addresses(), firstSegment: index, lastSegment: index + 1 }
  })
  const route: Route = { model: MODEL, stages, expectedStepMs: milliseconds(1) }
  return {
    miners,
    client,
    route,
    open: (capacity) => openRing({ route, capacity }, { wire: client, clock, random }),
    close: async () => {
      await client.stop()
      for (const { server, wire, host } of miners) {
        await server.close()
        await wire.stop()
        await host.close()
      }
    },
  }
}

/** It says what the ring would say, and takes no time beside it. */
function draftModelFor({ config, weights, engine }: RingWorldOptions, clock: Clock): DraftModel {
  const { name, createStage } = engine()
  const stage = createStage({ config, range: wholeRange(config), weights, cacheBytesMax: 1 << 28 })
  return {
    host: createEngineHost(createInlineRunner(name, stage, { clock }), { clock }),
    contextLength: config.contextLength,
  }
}

function segmentsOf(split: readonly number[]): LayerRange[] {
  let reached = 0
  return split.map((layers, index) => {
    const firstLayer = reached
    reached += layers
    return { firstLayer, lastLayer: reached, hasEmbedding: index === 0, hasHead: index === split.length - 1 }
  })
}

/** One whole turn. */
export async function collect(
  session: RingSession,
  prompt: readonly number[],
  options: TurnOptions,
): Promise<{ tokens: number[]; digests: (string | undefined)[]; reason: string | undefined }> {
  const tokens: number[] = []
  const digests: (string | undefined)[] = []
  let reason: string | undefined
  for await (const event of session.generate(prompt, options) as AsyncIterable<RingEvent>) {
    if (event.type === 'end') reason = event.reason
    else {
      tokens.push(event.token)
      digests.push(event.digest)
    }
  }
  return { tokens, digests, reason }
}
