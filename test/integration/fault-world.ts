/**
 * A ring of three honest miners in memory, and what is needed to harm it: raw channels that say whatever a test wants,
 * an evil peer in the place of a stage, hooks on engines, a clock that a test moves.
 * @module
 */
import { expect } from 'vitest'
import type { BatchRunner } from '../../src/app/engine-host.ts'
import { sessionId } from '../../src/base/brand.ts'
import { createReferenceEngine } from '../../src/ml/engine/reference.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../../src/net/memory-network.ts'
import {
  decodeStageMessage,
  encodeStageMessage,
  STAGE_PROTOCOL,
  STAGE_PROTOCOL_OPTIONS,
  type StageMessage,
  type StageMessageOf,
} from '../../src/net/protocols/stage.ts'
import type { Channel, Wire } from '../../src/net/wire.ts'
import { generator, randomWeights, smallConfig } from '../contract/random-model.ts'
import { createFakeClock, type FakeClock, until } from '../fake-clock.ts'
import { collect, createRingWorld, GREEDY, MODEL, type RingWorld } from './ring-world.ts'

export const CONFIG = smallConfig({ contextLength: 128 })
export const SETTINGS = { ...GREEDY, maxTokens: 8, temperature: 0.9, topK: 20, repetitionPenalty: 1.1, seed: 5n }
export const HIDDEN = CONFIG.hiddenSize

const random = generator(7)
export const PROMPT: readonly number[] = Array.from({ length: 24 }, () => random.integer(CONFIG.vocabularySize))

export interface FaultWorld extends RingWorld {
  readonly network: MemoryNetwork
  readonly clock: FakeClock
  /** Called before every run of a miner's engine; its promise holds the run. */
  onRun: (miner: number, run: number) => Promise<void> | void
  /** Sessions at each miner. */
  sessions(): number[]
  /** Waits until no miner has a session. */
  allFree(): Promise<void>
  /** Waits until nothing happens any more by itself. */
  allIdle(): Promise<void>
  /** A whole session of an honest client gives the right tokens. */
  stillServes(): Promise<void>
}

/** `watched`: puts something around the runner of each miner. */
export async function createFaultWorld(
  split: readonly number[] = [1, 1, 1],
  watched = (runner: BatchRunner): BatchRunner => runner,
): Promise<FaultWorld> {
  const network = createMemoryNetwork()
  const clock = createFakeClock()
  const runs = split.map(() => 0)
  const engine = createReferenceEngine()
  const around = (runner: BatchRunner, index: number): BatchRunner => ({
    ...watched(runner),
    run: async (batch) => {
      await world.onRun(index, ++runs[index]!)
      return runner.run(batch)
    },
  })
  const ring = await createRingWorld({
    config: CONFIG,
    weights: randomWeights({ config: CONFIG, format: 'q8', seed: 3 }),
    split,
    createWire: async (listen) => network.createMemoryWire({ listen }),
    engine: () => engine,
    clock,
    around,
  })
  const sessions = () => ring.miners.map(({ server }) => server.sessionCount)
  const world: FaultWorld = {
    ...ring,
    network,
    clock,
    onRun: () => undefined,
    sessions,
    allFree: () => until(() => sessions().every((count) => count === 0), 'every miner is free'),
    allIdle: async () => {
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    },
    stillServes: async () => {
      world.onRun = () => undefined
      const session = await ring.open(CONFIG.contextLength)
      const answer = await collect(session, PROMPT, { generation: SETTINGS })
      await session.close()
      expected ??= answer
      expect(answer).toEqual(expected)
      expect(answer.tokens).toHaveLength(SETTINGS.maxTokens)
      await world.allFree()
    },
  }
  return world
}

/** The first honest answer; exactness.test.ts says that it is the right one. */
let expected: Awaited<ReturnType<typeof collect>> | undefined

/** The tokens of an unbroken session. */
export async function expectedTokens(): Promise<number[]> {
  const world = await createFaultWorld()
  await world.stillServes()
  await world.close()
  return expected!.tokens
}

let sessionsMade = 0

/** A valid `open` for a stage of the honest ring, with what a test changes. */
export function openFor(
  world: RingWorld,
  stageIndex: number,
  change: Partial<StageMessageOf<'open'>> = {},
): StageMessageOf<'open'> {
  const session = sessionId((++sessionsMade).toString(16).padStart(32, '0'))
  const { stages } = world.route
  return { type: 'open', session, model: MODEL, stageIndex, stages, capacity: CONFIG.contextLength, ...change }
}

/** A channel to a miner; `messageBytesMax` is what this side allows itself to send. */
export function dial(from: Wire, to: Wire, messageBytesMax = STAGE_PROTOCOL_OPTIONS.messageBytesMax): Promise<Channel> {
  const address = { peer: to.peer, addresses: to.addresses() }
  return from.open(address, STAGE_PROTOCOL, { ...STAGE_PROTOCOL_OPTIONS, messageBytesMax })
}

export function say(channel: Channel, message: StageMessage | Uint8Array): void {
  channel.send(message instanceof Uint8Array ? message : encodeStageMessage(message))
}

/** The next message of this type; others are passed over. */
export async function hear<Type extends StageMessage['type']>(
  channel: Channel,
  type: Type,
): Promise<StageMessageOf<Type>> {
  for (;;) {
    const bytes = await channel.receive()
    if (bytes === undefined) throw new Error(`the channel ended before "${type}"`)
    const message = decodeStageMessage(bytes)
    if (message.type === type) return message as StageMessageOf<Type>
  }
}

export interface EvilRing {
  /** Control channels by stage; none to ourselves. */
  readonly controls: readonly (Channel | undefined)[]
  /** Our link to the stage after us. */
  readonly toNext: Channel
  /** The link of the stage before us. */
  readonly fromPrevious: Channel
}

/** Opens a session in which the peer `wire` is both the client and stage `place`. */
export async function joinAs(world: RingWorld, wire: Wire, place: number): Promise<EvilRing> {
  const linked = Promise.withResolvers<Channel>()
  await wire.handle(STAGE_PROTOCOL, STAGE_PROTOCOL_OPTIONS, async (channel) => {
    await channel.receive()
    linked.resolve(channel)
    await new Promise(() => undefined)
  })
  const ourselves = { peer: wire.peer, addresses: wire.addresses() }
  const stages = world.route.stages.map((stage, index) => (index === place ? { ...stage, ...ourselves } : stage))
  const { session } = openFor(world, 0)
  const controls: (Channel | undefined)[] = []
  for (const [index, { wire: miner }] of world.miners.entries()) {
    if (index === place) continue
    const control = await dial(wire, miner)
    say(control, openFor(world, index, { session, stages }))
    controls[index] = control
  }
  const toNext = await dial(wire, world.miners[(place + 1) % 3]!.wire)
  say(toNext, { type: 'link', session })
  const fromPrevious = await linked.promise
  await Promise.all(controls.map((control) => control && hear(control, 'ready')))
  return { controls, toNext, fromPrevious }
}

/** A step with rows that are right, and what a test changes. */
export function stepWith(change: Partial<StageMessageOf<'step'>> = {}): StageMessageOf<'step'> {
  const rows = new Uint8Array(new Float32Array(HIDDEN).fill(0.1).buffer)
  const base = { turn: 1, position: 0, sample: false, acknowledge: false, generation: undefined }
  return { type: 'step', ...base, tokens: Int32Array.of(1), rows, ...change }
}

export function promptWith(change: Partial<StageMessageOf<'prompt'>> = {}): StageMessageOf<'prompt'> {
  const tokens = Int32Array.from(PROMPT)
  return {
    type: 'prompt',
    turn: 1,
    position: 0,
    tokens,
    chunkTokens: 256,
    draftsMax: 15,
    generation: SETTINGS,
    ...change,
  }
}

export function randomBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.integer(256))
}
