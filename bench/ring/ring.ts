/**
 * A ring of stage processes and its client, each on a host of its own where the lines have a delay (lab/lines.ts). The delay
 * can change while the ring runs, so that its values can take turns.
 * @module
 */
import type { ChildProcess } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Route } from '../../src/app/ring/route.ts'
import { milliseconds } from '../../src/base/brand.ts'
import type { EngineName } from '../../src/ml/engine/engine.ts'
import { splitEvenly } from '../../src/ml/segments.ts'
import type { Bench, BenchModel } from '../bench.ts'
import { ask } from '../lab/child.ts'
import { type LineMeans, openLines } from '../lab/lines.ts'
import type { Answers, ClientOrder, Serving, StageOrder, StageUsage, Transport } from './messages.ts'
import type { ProfileLine } from './profile.ts'

export interface RingOptions {
  readonly stages: number
  /** Default: namespaces where they are possible, else proxies. */
  readonly means?: LineMeans | undefined
  /** Default: the fastest here. */
  readonly engine?: EngineName | undefined
  /** Of each process; default: one per core. */
  readonly threads?: number | undefined
  /** Name of one of the same tokens, which stage 1 drafts with; default: none. */
  readonly draftModel?: string | undefined
  /** Stages keep what they have computed for a client, as miners do; default: no, so that each prompt is computed. */
  readonly remembers?: boolean | undefined
  /** Default: libp2p. */
  readonly transport?: Transport | undefined
}

export interface BenchRing {
  readonly means: LineMeans
  readonly route: Route
  /** From any host to any other; half of a round trip. It begins with 0. */
  setOneWay(ms: number): Promise<void>
  answer(order: Omit<ClientOrder, 'route' | 'transport'>): Promise<Answers>
  /** Of each stage since the last call. */
  usage(): Promise<readonly StageUsage[]>
  /** Begins one of each stage's main thread, or ends it and gives it. */
  profile(isOn: boolean): Promise<readonly ProfileLine[][]>
  close(): Promise<void>
}

const STAGE = fileURLToPath(import.meta.resolve('./stage.ts'))
const CLIENT = fileURLToPath(import.meta.resolve('./client.ts'))

export async function startRing(bench: Bench, { stored }: BenchModel, options: RingOptions): Promise<BenchRing> {
  const { stages: count, engine = bench.engines[0]!, threads = availableParallelism(), transport = 'libp2p' } = options
  const { manifest, hash } = stored
  const { path: folder } = await bench.newHome({ sharesModels: false })
  const lines = await openLines({ count: count + 1, means: options.means, folder })
  try {
    const client = lines.start(count, CLIENT)
    const children: ChildProcess[] = []
    const stages = []
    for (const part of splitEvenly(manifest.segments, count)) {
      const index = children.length
      const child = lines.start(index, STAGE)
      children.push(child)
      const draftModel = index === 0 ? options.draftModel : undefined
      const { remembers } = options
      const how = { home: bench.home.path, model: manifest.name, draftModel, remembers, engine, threads, transport }
      const order: StageOrder = { type: 'serve', ...how, ...part, address: lines.address(index) }
      const { peer, listener } = await ask<Serving>(child, order)
      stages.push({ peer, addresses: [await lines.outside(listener)], ...part })
    }
    const askAll = <Told>(order: StageOrder): Promise<Told[]> =>
      Promise.all(children.map((child) => ask<Told>(child, order)))
    const route: Route = { model: hash, stages, expectedStepMs: milliseconds(1) }
    return {
      ...{ means: lines.means, route, setOneWay: lines.setOneWay, close: lines.close },
      answer: (order) => ask<Answers>(client, { ...order, route, transport } satisfies ClientOrder),
      usage: () => askAll<StageUsage>({ type: 'usage' }),
      profile: (isOn) => askAll<ProfileLine[]>({ type: 'profile', isOn }),
    }
  } catch (error) {
    await lines.close()
    throw error
  }
}
